"""WebSockets whose sides vanish, read nothing or don't stop: what is held up, and what is left."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from tests.stages.support import policy
from tests.stages.websockets import (
    HANDSHAKE,
    SCOPE,
    Relay,
    Upstream,
    masked,
    relay,
    shake_hands,
    upstream,
)
from tests.support import NOON, write_config
from websockets.exceptions import ConnectionClosed

from fairuse import Gateway
from fairuse.base.clock import ManualClock
from fairuse.entry.websocket import WebSocketProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send
    from websockets.asyncio.connection import Connection
    from websockets.asyncio.server import ServerConnection

pytestmark = pytest.mark.anyio

AT_ONCE = policy('count = ["GET /ws"]\nmeasure = "in flight"', amount="1000", window="always")


async def said(side: Connection, message: bytes) -> None:
    """Say something, if anybody listens still."""
    with suppress(ConnectionClosed):
        await side.send(message)


async def vanish(gateway: Relay, server: Upstream, number: int) -> None:
    """Open a WebSocket, and have one of the sides vanish somewhere on its way."""
    dice = random.Random(number)  # noqa: S311
    mark = [("X-Round", str(number))]
    opening = gateway.connect(additional_headers=mark, close_timeout=1)
    connecting = asyncio.ensure_future(opening.__aenter__())
    for _ in range(dice.randrange(30)):
        await asyncio.sleep(0)
    if dice.random() < 0.3:
        connecting.cancel()
        await asyncio.wait([connecting])
        if not connecting.cancelled():
            connecting.result().transport.abort()
        return
    client = await connecting
    connection = await server.next()
    while connection.request is None or connection.request.headers["X-Round"] != str(number):
        connection = await server.next()
    sides: list[Connection] = [client, connection]
    doing = [
        asyncio.create_task(said(side, dice.randbytes(dice.choice([0, 9, 200_000]))))
        for side in sides * dice.randrange(3)
    ]
    for _ in range(dice.randrange(30)):
        await asyncio.sleep(0)
    for side in dice.choice([sides[:1], sides[1:], sides]):
        if dice.random() < 0.5:
            side.transport.abort()
        else:
            doing.append(asyncio.create_task(side.close()))
    await asyncio.gather(*doing, client.wait_closed())


async def tasks_running() -> Counter[str]:
    """Give what runs in a loop."""
    return Counter(repr(task.get_coro()).split(" at ")[0] for task in asyncio.all_tasks())


async def test_nothing_is_left(tmp_path: Path) -> None:
    """F-46: 100 times a side vanishes; no task, no connection and no place in a limit is left."""
    async with upstream() as server, relay(tmp_path, server.port, AT_ONCE) as gateway:
        assert gateway.used_now() == 0
        tasks, files = await gateway.run(tasks_running()), open_files()
        for number in range(100):
            await vanish(gateway, server, number)
        await gateway.over()
        assert gateway.used_now() == 0
        async with asyncio.timeout(20):
            while await gateway.run(tasks_running()) - tasks or open_files() > files:  # noqa: ASYNC110
                await asyncio.sleep(0)


def open_files() -> int:
    """Count the open files and sockets of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


class Slow(WebSocketProtocol):
    """Waits less."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = 0.05


async def test_a_client_that_reads_nothing(tmp_path: Path) -> None:
    """F-13: it answers no ping, so it is cut, and the upstream that floods it is told 1001."""

    async def flood(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await connection.send(bytes(60_000))

    pings: dict[str, Any] = {"ws_ping_interval": 0.05, "ws_ping_timeout": 0.05}
    async with upstream(flood) as server, relay(tmp_path, server.port, ws=Slow, **pings) as gateway:
        connection = await asyncio.to_thread(shake_hands, gateway)
        try:
            flooded = await server.next()
            await flooded.wait_closed()
            assert flooded.close_code == 1001
            await gateway.over()
        finally:
            connection.close()


async def stalls(progress: list[int]) -> None:
    """Wait until nothing moves any more."""
    before = -1
    while len(progress) != before:
        before = len(progress)
        for _ in range(500):
            await asyncio.sleep(0)


@asynccontextmanager
async def by_hand(
    folder: Path, port: int, receive: Receive, send: Send
) -> AsyncIterator[asyncio.Task[None]]:
    """Call the gateway as a server would, in the loop of the upstream."""
    config = write_config(folder, upstream=f"http://127.0.0.1:{port}")
    gateway = Gateway(config, clock=ManualClock(NOON), access_stream=None)
    await gateway.service.start()
    task = asyncio.ensure_future(gateway(SCOPE, receive, send))
    try:
        yield task
    finally:
        await asyncio.wait([task], timeout=20)
        await gateway.service.stop()


async def test_an_upstream_that_does_not_read_holds_the_client_up(tmp_path: Path) -> None:
    """HTTP-32: no more is taken from the client than there is room for, and nothing is lost."""
    let, taken, arrived = asyncio.Event(), [0], [0]

    async def handler(connection: ServerConnection) -> None:
        await let.wait()
        arrived.extend([len(message) async for message in connection])

    async def receive() -> Message:
        taken.append(1)
        if len(taken) == 2:
            return {"type": "websocket.connect"}
        if let.is_set():
            return {"type": "websocket.disconnect", "code": 1000}
        return {"type": "websocket.receive", "bytes": bytes(500_000)}

    async def send(_message: Message) -> None:
        pass

    async with upstream(handler, max_queue=1) as server:
        async with by_hand(tmp_path, server.port, receive, send):
            await stalls(taken)
            assert 2 < len(taken) < 100
            let.set()
        # One call of receive was for the handshake, and one for the close.
        assert len(arrived) == len(taken) - 2


async def test_a_client_that_does_not_read_holds_the_upstream_up(tmp_path: Path) -> None:
    """HTTP-32: no more is taken from the upstream than there is room for, and nothing is lost."""
    let, sent, arrived = asyncio.Event(), [0], [0]
    never: asyncio.Queue[Message] = asyncio.Queue()
    never.put_nowait({"type": "websocket.connect"})

    async def handler(connection: ServerConnection) -> None:
        while not let.is_set():
            sent.append(1)
            await connection.send(bytes(500_000))

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            await let.wait()
            arrived.append(1)

    async with upstream(handler) as server:
        async with by_hand(tmp_path, server.port, never.get, send):
            await stalls(sent)
            assert 1 < len(sent) < 100
            let.set()
        assert len(arrived) == len(sent)


class Wire(asyncio.Transport):
    """A client's connection that remembers what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Remember it."""
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        """Say that it goes on."""
        return self.aborted.is_set()

    def pause_reading(self) -> None:
        """Read no more."""

    def resume_reading(self) -> None:
        """Read on."""

    def close(self) -> None:
        """Wait until the client has taken everything, which it never does."""

    def abort(self) -> None:
        """Cut it."""
        self.aborted.set()


async def opened(app: Any) -> tuple[Slow, Wire]:
    """Open a WebSocket to an app, over a connection whose other end reads nothing."""
    config = uvicorn.Config(app, ws=Slow, log_config=None)
    config.load()
    protocol, wire = Slow(config, uvicorn.server.ServerState(), {}), Wire()
    protocol.connection_made(wire)
    protocol.data_received(HANDSHAKE.encode())
    async with asyncio.timeout(20):
        while not wire.written:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return protocol, wire


async def test_pings_of_a_client_that_reads_nothing(tmp_path: Path) -> None:  # noqa: ARG001
    """F-13: while it takes nothing only the latest of its pings is owed an answer."""
    done = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await done.wait()

    protocol, wire = await opened(app)
    protocol.pause_writing()
    accepted = len(wire.written)
    for number in range(1000):
        protocol.data_received(masked(9, b"%d" % number))
    assert len(wire.written) == accepted
    protocol.resume_writing()
    assert wire.written[accepted:] == [b"\x8a\x03999"]
    done.set()
    await wire.aborted.wait()  # the app is through, and the client has not taken the last of it
    protocol.connection_lost(None)


async def test_it_is_told_when_the_connection_is_lost() -> None:
    """F-13: who counted the connection before the upgrade hears once that it is gone."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    protocol, _ = await opened(app)
    lost: list[bool] = []
    protocol.on_lost = lambda: lost.append(True)
    protocol.connection_lost(None)
    assert lost == [True]
