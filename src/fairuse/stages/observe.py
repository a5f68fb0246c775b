"""Observe: what is seen of an exchange as it passes: its bytes, and its line in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.log import RequestLine, cut

if TYPE_CHECKING:
    from starlette.types import Message, Receive

    from fairuse.rules.exchange import Exchange


def counted(exchange: Exchange, receive: Receive) -> Receive:
    """Count the bytes of the body as they come in."""
    if not exchange.counts_bytes:
        return receive

    async def receive_counted() -> Message:
        message = await receive()
        exchange.received_bytes += size(message)
        return message

    return receive_counted


def size(message: Message) -> int:
    """Count the bytes of a message's body, or of a WebSocket's message."""
    body = message.get("body") or message.get("bytes")
    return len(body) if body else len((message.get("text") or "").encode())


def line(exchange: Exchange, seconds: float) -> RequestLine:
    """Take what is logged of an exchange, so that the rest of it can go."""
    subject = exchange.subject
    return RequestLine(
        time=exchange.at.wall,
        request_id=exchange.request_id,
        method=cut(exchange.method),
        path=cut(exchange.scope["path"]),
        status=exchange.status,
        address=exchange.address.text if exchange.address else None,
        account=subject.account if subject else None,
        location=(subject.location or None) if subject else None,
        rule=exchange.rule,
        fault=exchange.fault,
        sent_bytes=exchange.sent_bytes,
        seconds=seconds,
    )
