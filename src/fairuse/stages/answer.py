"""Answer: what the client gets, with the gateway's own headers on it; and its refusals."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING

from fairuse.rules.forwarding import has_body
from fairuse.rules.headers import rate_limit_headers, retry_after
from fairuse.rules.refusal import problem_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message, Receive, Send

    from fairuse.base.wire import Header, Headers
    from fairuse.rules.exchange import Exchange
    from fairuse.rules.headers import HardLimit
    from fairuse.rules.refusal import Reader, Refusal

MAX_DISCARDED_BYTES = 64 * 1024
LINGER_SECONDS = 2.0
"""How much, and how long, a refused client may go on uploading before the connection is closed.

Closing at once would reset the connection under the refusal, and the client would never see it.
"""


class Answer:
    """The `send` of one request: adds our headers and notes what was sent."""

    __slots__ = ("_dated", "_exchange", "_send", "headers", "sent_bytes", "started")

    def __init__(self, exchange: Exchange, send: Send, *, dated: bool) -> None:
        self._exchange = exchange
        self._send = send
        self._dated = dated
        self.headers: Headers = [(b"x-request-id", exchange.request_id.encode())]
        self.started = False
        self.sent_bytes = 0

    async def __call__(self, message: Message) -> None:
        """Send one ASGI message on."""
        if message["type"] == "http.response.start":
            self.started = True
            self._exchange.status = message["status"]
            theirs = [pair for pair in message.get("headers", ()) if pair[0] != b"x-request-id"]
            message = {**message, "headers": [*theirs, *self.headers]}
        elif message["type"] == "http.response.body":
            self.sent_bytes += len(message.get("body", b""))
        await self._send(message)

    async def whole(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Send a response of our own, never to be stored by caches."""
        await self(self._start(status, headers, body))
        await self({"type": "http.response.body", "body": body})

    async def refuse(self, refusal: Refusal, reader: Reader, receive: Receive) -> None:
        """Send a refusal, and let the client finish reading it (RFC 9112 section 9.6)."""
        exchange = self._exchange
        exchange.rule = refusal.rule
        body = problem_body(refusal, reader)
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-language", reader.language.encode()),
            *_headers_of(refusal, exchange),
        ]
        if not has_body(exchange.headers):
            await self.whole(refusal.status, headers, body)
            return
        headers.append((b"connection", b"close"))
        await self(self._start(refusal.status, headers, body))
        await self({"type": "http.response.body", "body": body, "more_body": True})
        # To ask for the body of a client that waits for "100 Continue" would invite it.
        if exchange.header(b"expect") is None:
            await _discard(receive)
        await self({"type": "http.response.body", "body": b""})

    def announce(self, limits: Sequence[HardLimit]) -> None:
        """Have the response say what remains of the hard limits."""
        self.headers += rate_limit_headers(limits)

    def _start(self, status: int, headers: Sequence[Header], body: bytes) -> Message:
        whole = [
            *headers,
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if self._dated:
            whole.append((b"date", formatdate(usegmt=True).encode()))
        return {"type": "http.response.start", "status": status, "headers": whole}


def _headers_of(refusal: Refusal, exchange: Exchange) -> Headers:
    headers = []
    if refusal.until is not None:
        headers.append(retry_after(refusal.until - exchange.at.wall))
    if refusal.kind == "unknown-caller":
        header = refusal.reason.encode()
        headers.append((b"www-authenticate", b'ApiKey realm="fairuse", header="' + header + b'"'))
    return headers


async def _discard(receive: Receive) -> None:
    """Read on for a while, without keeping anything."""
    discarded = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while discarded < MAX_DISCARDED_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
