"""Answer: what the client gets, with the gateway's own headers on it; and its refusals."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from fairuse.base.jsonfield import EventStreamField
from fairuse.base.wire import announces_body
from fairuse.rules.headers import date_header, retry_after
from fairuse.rules.refusal import problem_body

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Message, Send

    from fairuse.base.incoming import Incoming
    from fairuse.base.wire import Header, Headers
    from fairuse.rules.exchange import Exchange
    from fairuse.rules.refusal import Reader, Refusal

MAX_DISCARDED_BYTES = 64 * 1024
MAX_DIGITS = len(str(MAX_DISCARDED_BYTES))
LINGER_SECONDS = 2.0
"""How much, and how long, a refused client may go on uploading before the connection is closed.

Closing at once would reset the connection under the refusal, and the client would never see it.
"""

_EVENTS = b"text/event-stream"


class Answer:
    """The `send` of one request: adds our headers and notes what was sent.

    `limits` are the headers that say what remains of them. `before_end` is called before the last
    of the answer leaves, so that who waits for it and asks again finds it settled.
    """

    __slots__ = ("_dated", "_exchange", "_send", "before_end", "limits", "started")

    def __init__(self, exchange: Exchange, send: Send, *, dated: bool) -> None:
        self._exchange = exchange
        self._send = send
        self._dated = dated
        self.limits: Headers = []
        self.started = False
        self.before_end: Callable[[], None] | None = None

    async def __call__(self, message: Message) -> None:
        """Send one ASGI message on."""
        if message["type"] == "http.response.start":
            self.started = True
            theirs = [pair for pair in message.get("headers", ()) if pair[0] != b"x-request-id"]
            self._exchange.status = message["status"]
            self._exchange.answer_headers = theirs
            if self._exchange.reads_answer:
                self._read_events(theirs)
            ours = (b"x-request-id", self._exchange.request_id.encode())
            message = {**message, "headers": [*theirs, ours, *self.limits]}
        elif message["type"] == "http.response.body":
            body, more = message.get("body", b""), message.get("more_body", False)
            self._exchange.sent_bytes += len(body)
            if self._exchange.reads_answer:
                self._read(body, more=more)
            if self.before_end is not None and not more:
                self.before_end()
        await self._send(message)

    def _read_events(self, headers: Headers) -> None:
        """Have the cost looked for in the events of a stream, where the answer is one."""
        if any(
            name.lower() == b"content-type" and _EVENTS in value.lower() for name, value in headers
        ):
            for move in self._exchange.moves:
                cost = move.meter.rule.cost
                if move.reader is not None and cost is not None and cost.response_field:
                    move.reader = EventStreamField(cost.response_field)

    def _read(self, body: bytes, *, more: bool) -> None:
        """Let who looks for a cost in the answer see it pass."""
        for move in self._exchange.moves:
            if move.reader is not None:
                move.reader.feed(body)
                if not more:
                    move.reader.end()

    async def whole(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Send a response of our own, never to be stored by caches."""
        await self(self._start(status, headers, body))
        await self({"type": "http.response.body", "body": body})

    async def refuse(self, refusal: Refusal, reader: Reader, incoming: Incoming) -> None:
        """Send a refusal, and let the client finish reading it (RFC 9112 section 9.6).

        The connection goes on where the body is here, or is soon.
        """
        exchange = self._exchange
        exchange.rule = refusal.rule
        body = problem_body(refusal, reader)
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-language", reader.language.encode()),
            *_headers_of(refusal, exchange),
        ]
        # To ask for the body of a client that waits for "100 Continue" would invite it.
        asks = exchange.header(b"expect") is not None and not incoming.over
        ends = asks or refusal.kind == "ambiguous-request"  # whoever is in front may see another
        if not announces_body(exchange.headers) or (not ends and await _is_over(incoming)):
            await self.whole(refusal.status, headers, body)
            return
        if ends or not _is_short(exchange):
            headers.append((b"connection", b"close"))
        await self(self._start(refusal.status, headers, body))
        await self({"type": "http.response.body", "body": body, "more_body": True})
        if not asks:
            await _discarded(incoming, LINGER_SECONDS)
        await self({"type": "http.response.body", "body": b""})

    def _start(self, status: int, headers: Sequence[Header], body: bytes) -> Message:
        whole = [
            *headers,
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        if self._dated:
            whole.append(date_header(int(time.time())))
        return {"type": "http.response.start", "status": status, "headers": whole}


def _headers_of(refusal: Refusal, exchange: Exchange) -> Headers:
    headers = []
    if refusal.until is not None:
        headers.append(retry_after(refusal.until - exchange.at.wall))
    if refusal.allow:
        headers.append((b"allow", refusal.allow.encode()))
    if refusal.kind == "unknown-caller":
        header = refusal.reason.encode()
        headers.append((b"www-authenticate", b'ApiKey realm="fairuse", header="' + header + b'"'))
    return headers


def _is_short(exchange: Exchange) -> bool:
    """Say whether the rest of a body is discarded sooner than a connection is opened anew."""
    length = exchange.header(b"content-length")
    if length is None or not length.isdigit() or len(length) > MAX_DIGITS:
        return False
    return int(length) <= MAX_DISCARDED_BYTES


async def _is_over(incoming: Incoming) -> bool:
    """Discard what is here of a body; say whether that is all of it, and it was no large one."""
    return await _discarded(incoming, 0) <= MAX_DISCARDED_BYTES and incoming.over


async def _discarded(incoming: Incoming, seconds: float) -> int:
    """Read on for a while, without keeping anything; gives how many bytes came."""
    count = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not incoming.over and count <= MAX_DISCARDED_BYTES:
                count += len((await incoming()).get("body", b""))
    return count
