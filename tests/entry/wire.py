"""What the tests of the protocol share: a server with bounds, and clients that send raw bytes."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvloop
from tests.support import Served

from fairuse.entry.protocol import bounded
from fairuse.rules.settings import Addresses, Server, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Bounded(Served):
    """A server whose protocol has bounds, on one of the loops."""

    def __init__(
        self, app: ASGIApp, loop: str = "uvloop", addresses: Addresses | None = None, **bounds: Any
    ) -> None:
        super().__init__(app, lifespan="off")
        # Not validated, so that a test's deadline can be shorter than a second.
        settings = Settings(contact="mailto:a@b.example", addresses=addresses or Addresses())
        server = Server().model_copy(update=bounds)
        self.protocol = bounded(settings.model_copy(update={"server": server}))
        self._server.config.http = self.protocol
        self._loop = loop

    def __enter__(self) -> Bounded:
        super().__enter__()
        return self

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=LOOPS[self._loop]) as runner:
            runner.run(self._serve())


class Echo:
    """An app that reads the body and gives it back after the request's path and its headers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, list[tuple[bytes, bytes]], bytes]] = []
        self.cut = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.cut.set()
                return
            body += message["body"]
            more = message["more_body"]
        self.requests.append((scope["path"], scope["headers"], body))
        said = scope["path"].encode() + b" " + body
        length = str(len(said)).encode()
        headers = [(b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said})


@contextmanager
def connected(server: Served) -> Iterator[socket.socket]:
    """Connect to a server."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        yield client


def rest(client: socket.socket) -> bytes:
    """Read until the server closes; a reset is an error."""
    received = b""
    while chunk := client.recv(65_536):
        received += chunk
    return received


def until(client: socket.socket, end: bytes) -> bytes:
    """Read until something has come."""
    received = b""
    while not received.endswith(end):
        chunk = client.recv(1)
        assert chunk, received
        received += chunk
    return received


def statuses(received: bytes) -> list[int]:
    """Give the statuses of the answers in what came."""
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


def ask(server: Served, request: bytes) -> bytes:
    """Send bytes on a connection of their own, and read until the server closes."""
    with connected(server) as client:
        client.sendall(request)
        return rest(client)
