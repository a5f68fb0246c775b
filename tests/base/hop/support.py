"""Origins that follow a script on each of their connections, and the two clients."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from fairuse.base.hop.client import Client
from fairuse.base.hop.through_httpx import HttpxClient
from fairuse.base.hop.upstream import Request, Target, Timeouts, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from ssl import SSLContext

    from fairuse.base.hop.upstream import Answered
    from fairuse.base.wire import Headers

    Script = Callable[["Line"], Awaitable[None]]

TIMEOUTS = Timeouts(5, 20, math.inf)
PATIENCE = 20
"""Seconds after which a test gives up."""
Make = type[Client] | type[HttpxClient]
BOTH = pytest.mark.parametrize("make", [Client, HttpxClient], ids=["fairuse", "httpx"])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Line:
    """One connection, as the origin has it; `number` counts from 1."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """Read the head of a request."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def say(self, data: bytes) -> None:
        """Send bytes, and wait until they are under way."""
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> bytes:
        """Wait until the other side hangs up; give what it sent until then."""
        with suppress(ConnectionError):
            return await self.reader.read()
        return b""

    def reset(self) -> None:
        """Break the connection off, so that the other side hears of a reset and not of an end."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


class Origin:
    """A server on a real socket; `lines` counts its connections, `heads` are the requests."""

    def __init__(self, script: Script) -> None:
        self.lines = 0
        self.url = ""
        self._script = script
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Follow the script on one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        self.lines += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._script(Line(self.lines, reader, writer))
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self._running.discard(task)

    @property
    def open(self) -> int:
        """Count the connections that are open."""
        return len(self._running)

    async def left(self) -> None:
        """Wait until every connection is closed."""
        async with asyncio.timeout(PATIENCE):
            while self._running:
                await asyncio.wait(self._running)


@asynccontextmanager
async def serving(script: Script, tls: SSLContext | None = None) -> AsyncIterator[Origin]:
    """Run an origin; at the end, every connection to it must be closed."""
    origin = Origin(script)
    async with await asyncio.start_server(origin, "127.0.0.1", 0, ssl=tls) as server:
        scheme = "http" if tls is None else "https"
        origin.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield origin
        await origin.left()


@asynccontextmanager
async def before(
    script: Script, make: Make = Client, most: int = 5
) -> AsyncIterator[tuple[Upstream, Origin]]:
    """Run a client before an origin; at the end, no task and no connection may be left."""
    tasks = asyncio.all_tasks()
    async with serving(script) as origin:
        upstream: Upstream = make(most)
        try:
            async with asyncio.timeout(PATIENCE):
                yield upstream, origin
        finally:
            await upstream.close()
    async with asyncio.timeout(PATIENCE):
        while left := asyncio.all_tasks() - tasks:
            await asyncio.wait(left)


class Answer(NamedTuple):
    """What was answered, read whole."""

    status: int
    headers: Headers
    body: bytes


class Asking(NamedTuple):
    """A request; `body` is none, or what is sent piece by piece."""

    method: str = "GET"
    headers: Headers = [(b"host", b"a")]  # noqa: RUF012  nobody changes it
    body: AsyncIterator[bytes] | bytes | None = None
    timeouts: Timeouts = TIMEOUTS
    tls: SSLContext | None = None


GET = Asking()
HEAD = Asking("HEAD")


def post(body: AsyncIterator[bytes] | bytes, length: int | None = None) -> Asking:
    """Give a POST with a body, in chunks where its length is not given."""
    framing = (
        (b"transfer-encoding", b"chunked")
        if length is None
        else (b"content-length", b"%d" % length)
    )
    return Asking("POST", [(b"host", b"a"), framing], body)


async def begin(upstream: Upstream, url: str | tuple[str, ...], asking: Asking = GET) -> Answered:
    """Send a request, and give the answer once its head is there."""
    origins = (url,) if isinstance(url, str) else url
    target = Target(origins, asking.timeouts, asking.tls)
    request = Request(asking.method, b"/", asking.headers, asking.body)
    return await upstream.send(target, request)


async def ask(upstream: Upstream, url: str | tuple[str, ...], asking: Asking = GET) -> Answer:
    """Send a request and read the whole answer."""
    reply = await begin(upstream, url, asking)
    try:
        body = b"".join([chunk async for chunk in reply.chunks()])
    finally:
        await reply.close()
    return Answer(reply.status, reply.headers, body)


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    """Give a body piece by piece."""
    for piece in data:
        yield piece


def always(answer: bytes) -> Script:
    """Answer every request alike."""

    async def script(line: Line) -> None:
        while True:
            await line.head()
            await line.say(answer)

    return script


def once(answer: bytes) -> Script:
    """Answer the first request of each connection, then wait for the other side to hang up."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(answer)
        await line.gone()

    return script
