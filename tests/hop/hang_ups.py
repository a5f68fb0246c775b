"""Clients that hang up at any moment, and an upstream that sees how that reaches it."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from tests.stages.support import KEY, policy

if TYPE_CHECKING:
    from random import Random

    from starlette.types import Receive, Scope, Send

RULES = policy(
    'when = "2xx"',
    amount="1000000",
    over="case",  # a hard limit counts what may have been accepted, too
    more="""
[meters.under-way]
unit    = "request"
count   = ["POST /pages", "GET /metered-stream"]
measure = "in flight"
[limits.at-once]
meter  = "under-way"
amount = "100000"
window = "always"
over   = "refuse"
""",
)
RESET = struct.pack("ii", 1, 0)
"""Closing at once and with a reset, as SO_LINGER is told."""


class Upstream:
    """Streams without an end, or takes a page; knows what it is at, and what it accepted."""

    def __init__(self) -> None:
        self.running = 0
        self.accepted = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self.running += 1
        try:
            if await _whole(receive):
                self.accepted += scope["method"] == "POST"
                await self._answer(scope["path"], receive, send)
        finally:
            self.running -= 1

    async def _answer(self, path: str, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if path.endswith("stream"):
            await _stream(receive, send)
        await send({"type": "http.response.body", "body": b"{}"})


async def _whole(receive: Receive) -> bool:
    """Read a body; say whether all of it came."""
    message = await receive()
    while message.get("more_body"):
        message = await receive()
    return bool(message["type"] == "http.request")


async def _stream(receive: Receive, send: Send) -> None:
    """Send until nobody listens any more."""
    gone = asyncio.create_task(_gone(receive))
    while not gone.done():
        await send({"type": "http.response.body", "body": b"x" * 5_000, "more_body": True})
        await asyncio.sleep(0)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Round(NamedTuple):
    """What a client sends, after how many answers' pieces it leaves, and whether it says so."""

    sent: bytes
    reads: int
    reset: bool

    def play(self, port: int) -> None:
        """Connect, go so far, and hang up."""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(self.sent)
            for _ in range(self.reads):
                client.recv(4_096)
            if self.reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def draw(random: Random) -> Round:
    """Draw a request, and the moment of hanging up: while it is sent, or while it is answered."""
    request, most_reads = _request(random)
    reset = random.random() < 0.5
    if random.random() < 0.5:
        return Round(request[: random.randrange(len(request))], 0, reset)
    return Round(request, random.randint(0, most_reads), reset)


def _request(random: Random) -> tuple[bytes, int]:
    """Draw a request, and how often something of its answer can be read for certain."""
    body = random.randbytes(random.choice((1, 100, 10_000, 300_000)))
    match random.choice(("stream", "metered-stream", "plain", "length", "chunked")):
        case "length":
            return _head("POST", "pages", f"Content-Length: {len(body)}\r\n") + body, 1
        case "chunked":
            head = _head("POST", "pages", "Transfer-Encoding: chunked\r\n")
            return head + _chunked(body, random.randint(1, 50_000)), 1
        case "plain":
            return _head("GET", "plain"), 1
        case path:
            return _head("GET", path), 50


def _head(method: str, path: str, framing: str = "") -> bytes:
    return f"{method} /{path} HTTP/1.1\r\n{KEY}{framing}\r\n".encode()


def _chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
