"""The paced load: so many requests a second, however fast they are answered.

A request's latency is counted from the moment it was due, so that one that had to wait for a
connection counts what it waited. wrk only knows as many requests as possible.
"""

from __future__ import annotations

import asyncio
import gc
import selectors
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from bench import servers
from bench.configs import api_key
from bench.errors import BenchError
from bench.load import CONNECTIONS
from bench.shared import percentile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from bench.servers import Server

WAIT_SECONDS = 10
"""How long the last answers may take."""


class Latency(NamedTuple):
    """What a paced run came to."""

    requests: int
    p50_ms: float
    p99_ms: float


def run(server: Server, seconds: float, rate: float, keys: int) -> Latency:
    """Ask a server so often for so many seconds. Raises BenchError where one was not a 200."""
    with _no_collection(), asyncio.Runner(loop_factory=_precise_loop) as runner:
        latencies = sorted(runner.run(_paced(server, seconds, rate, keys)))
    p50, p99 = (round(percentile(latencies, part) * 1_000, 4) for part in (0.50, 0.99))
    return Latency(len(latencies), p50, p99)


def written(server: Server, key: str) -> bytes:
    """Write a request as the other load does."""
    url = urlsplit(server.url)
    lines = [
        f"{server.method} {url.path} HTTP/1.1",
        f"Host: {url.netloc}",
        "User-Agent: bench/1.0 (paced)",
        "Accept: application/json",
        "Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789",
        "X-Request-Id: req-0123456789abcdef",
        f"X-API-Key: {key}",
    ]
    if server.body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(server.body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + server.body).encode()


class Connections:
    """The connections that wait for something to ask, and what all of them measured."""

    def __init__(self) -> None:
        self.idle: asyncio.Queue[Connection] = asyncio.Queue()
        self.latencies: list[float] = []
        self.problems: list[str] = []

    def done(self, connection: Connection, latency: float) -> None:
        """Note an answer; its connection is free again."""
        self.latencies.append(latency)
        self.idle.put_nowait(connection)

    def failed(self, connection: Connection, problem: str) -> None:
        """Note that there will be no answer; nobody needs to wait for one."""
        self.problems.append(problem)
        self.idle.put_nowait(connection)


class Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    _transport: asyncio.Transport

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for something to ask."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.idle.put_nowait(self)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request that was due at that time."""
        self._due = due
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Note how long the answer took."""
        status = self._parser.get_status_code()
        if status != 200:
            self._connections.problems.append(f"it answered {status}")
        self._connections.done(self, self._loop.time() - self._due)

    def eof_received(self) -> None:
        """Say so: a server does not close while there is something to ask."""
        self._connections.failed(self, "it closed a connection")

    def connection_lost(self, error: Exception | None) -> None:
        """Say so, unless it was closed here."""
        if error is not None:
            self._connections.failed(self, f"it broke a connection: {error}")

    def close(self) -> None:
        """Close it."""
        self._transport.close()


async def _paced(server: Server, seconds: float, rate: float, keys: int) -> Sequence[float]:
    connections = Connections()
    requests = [written(server, api_key(number)) for number in range(1, keys + 1)]
    count = int(rate * seconds)
    async with _opened(connections, server.port):
        try:
            async with asyncio.timeout(seconds + WAIT_SECONDS):
                await _ask(connections, requests, count, rate)
                while len(connections.latencies) < count and not connections.problems:
                    await connections.idle.get()
        except TimeoutError:
            connections.problems.append("it does not keep up")
    if connections.problems:
        raise BenchError(
            f"{server.name}, asked {rate:,.0f} times a second: {connections.problems[0]}"
        )
    return connections.latencies


@asynccontextmanager
async def _opened(connections: Connections, port: int) -> AsyncIterator[None]:
    """Open the connections, and close them in the end."""
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []
    try:
        for _ in range(CONNECTIONS):
            _, connection = await loop.create_connection(
                lambda: Connection(connections), servers.HOST, port
            )
            opened.append(connection)
        yield
    finally:
        for connection in opened:
            connection.close()
        await asyncio.sleep(0)


async def _ask(
    connections: Connections, requests: Sequence[bytes], count: int, rate: float
) -> None:
    """Ask on time, on whichever connection is idle, until something goes wrong."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(count):
        due = began + number / rate
        if (left := due - loop.time()) > 0:
            await asyncio.sleep(left)
        connection = await connections.idle.get()
        if connections.problems:
            return
        connection.ask(requests[number % len(requests)], due)


def _precise_loop() -> asyncio.AbstractEventLoop:
    """Make a loop that is on time: epoll waits for whole milliseconds, select for microseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep this process's garbage collector from pausing in the middle of a measurement."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
