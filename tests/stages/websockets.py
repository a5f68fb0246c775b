"""What the tests of relayed WebSockets share: a real client, gateway and upstream."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from tests.support import NOON, SALON, Front, Served, write_config
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from fairuse import Gateway
from fairuse.base.clock import ManualClock
from fairuse.entry.websocket import WebSocketProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from pathlib import Path

KEY = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
VERSION = "Sec-WebSocket-Version: 13\r\n"
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
HEAD = f"Host: api.example\r\nX-API-Key: {SALON}\r\n{UPGRADE}"

HANDSHAKE = f"GET /ws HTTP/1.1\r\n{HEAD}{KEY}{VERSION}\r\n"

SCOPE = {
    "type": "websocket",
    "scheme": "ws",
    "path": "/ws",
    "raw_path": b"/ws",
    "query_string": b"",
    "http_version": "1.1",
    "headers": [(b"host", b"a"), (b"x-api-key", SALON.encode())],
    "client": ("203.0.113.9", 1),
}


async def echo(connection: ServerConnection) -> None:
    """Say everything again."""
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


@dataclass(slots=True)
class Upstream:
    """An upstream that remembers who came; by default it says everything again."""

    handler: Callable[[ServerConnection], Awaitable[None]] = echo
    connections: asyncio.Queue[ServerConnection] = field(default_factory=asyncio.Queue)
    port: int = 0

    async def __call__(self, connection: ServerConnection) -> None:
        """Serve one WebSocket."""
        self.connections.put_nowait(connection)
        await self.handler(connection)

    async def next(self) -> ServerConnection:
        """Wait for the next one that came."""
        async with asyncio.timeout(20):
            return await self.connections.get()


@asynccontextmanager
async def upstream(
    handler: Callable[[ServerConnection], Awaitable[None]] = echo, **options: Any
) -> AsyncIterator[Upstream]:
    """Run an upstream."""
    running = Upstream(handler)
    async with serve(running, "127.0.0.1", 0, **options) as server:
        running.port = next(iter(server.sockets)).getsockname()[1]
        yield running


@dataclass(slots=True)
class Relay:
    """A gateway on a real socket, in a thread of its own."""

    front: Front

    @property
    def url(self) -> str:
        """Give where it listens."""
        return self.front.url.replace("http:", "ws:")

    def connect(self, target: str = "/ws", *, key: str | None = SALON, **options: Any) -> connect:
        """Have a client connect; it negotiates what a browser would."""
        headers = [*options.pop("additional_headers", [])]
        if key is not None:
            headers.append(("X-API-Key", key))
        options = {"proxy": None, **options}
        return connect(f"{self.url}{target}", additional_headers=headers, **options)

    async def handshake(
        self, target: str = "/ws", key: str = SALON, **headers: str
    ) -> httpx.Response:
        """Shake hands as a client that reads a refusal, and follows nothing."""
        whole = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version": "13",
            "X-API-Key": key,
            **headers,
        }
        return await asyncio.to_thread(self.front.client.get, target, headers=whole)

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the gateway's loop, while the upstream's goes on."""
        assert self.front.server.loop is not None
        future = asyncio.run_coroutine_threadsafe(work, self.front.server.loop)
        async with asyncio.timeout(20):
            return await asyncio.wrap_future(future)

    async def over(self) -> None:
        """Wait until no WebSocket is open."""

        async def none_open() -> None:
            while self.front.gateway.websockets.open:  # noqa: ASYNC110
                await asyncio.sleep(0)

        await self.run(none_open())

    async def used(self) -> float:
        """Give what is used of the only limit, once everything is over."""
        await self.over()
        return self.used_now()

    def used_now(self) -> float:
        """Give what is used of the only limit."""
        [limit] = self.front.usage()["limits"]
        used: float = limit["used"]
        return used


@asynccontextmanager
async def relay(
    folder: Path,
    port: int,
    rules: str | None = None,
    response_timeout: str = "20 seconds",
    upstream_more: str = "",
    origin: str = "http://127.0.0.1",
    **options: Any,
) -> AsyncIterator[Relay]:
    """Run the gateway before an upstream; it is stopped while the test's own loop goes on."""
    config = write_config(
        folder,
        upstream=f"{origin}:{port}",
        response_timeout=response_timeout,
        policy=rules,
    )
    settings = config / "gateway.toml"
    text = settings.read_text().replace("[upstream]\n", f"[upstream]\n{upstream_more}\n")
    settings.write_text(text)
    clock = ManualClock(NOON)
    gateway = Gateway(config, clock=clock, access_stream=None)
    server = Served(gateway, lifespan="on", **{"ws": WebSocketProtocol, **options})
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        await asyncio.to_thread(server.__enter__)
        try:
            yield Relay(Front(server, gateway, clock, config, client))
        finally:
            await asyncio.to_thread(server.__exit__)


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Write a client's frame; a mask of zeros leaves the payload as it is."""
    assert len(payload) < 126
    return bytes([(0x80 if fin else 0) | opcode, 0x80 | len(payload)]) + bytes(4) + payload


def shake_hands(gateway: Relay, fields: str = "") -> socket.socket:
    """Open a WebSocket by hand, with further header fields."""
    connection = socket.create_connection(("127.0.0.1", gateway.front.server.port), timeout=20)
    connection.sendall(HANDSHAKE.replace(UPGRADE, fields + UPGRADE).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(1)
    assert answer.startswith(b"HTTP/1.1 101 ")
    return connection
