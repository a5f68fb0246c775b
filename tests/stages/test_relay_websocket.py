"""WebSockets through the gateway, with a real client and a real upstream on real sockets."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.stages.support import policy
from tests.stages.websockets import relay, upstream
from websockets.exceptions import ConnectionClosed

from fairuse.base.websocket.side import MAX_MESSAGE_BYTES
from fairuse.stages.relay_websocket import RelayWebSocket

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request

pytestmark = pytest.mark.anyio

ROUTE = 'count = ["GET /ws"]\n'
REQUESTS = policy(ROUTE, amount="100")
BYTES = policy(ROUTE + 'measure = "bytes"', amount="10000", over="case")
SECONDS = policy(ROUTE + 'measure = "seconds open"', amount="1000", over="case")
AT_ONCE = policy(ROUTE + 'measure = "in flight"', amount="1", window="always")

LARGE = b"y" * MAX_MESSAGE_BYTES
MESSAGES: list[str | bytes] = ["h\u00e9llo", "", b"", b"\x00\xff", "x" * 70_000, LARGE, "last"]


async def test_messages_pass_both_ways(tmp_path: Path) -> None:
    """HTTP-45: text and binary, empty and large ones arrive as they were sent, in their order."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port) as gateway,
        gateway.connect(max_size=None) as client,
    ):
        for message in MESSAGES:
            await client.send(message)
        assert [await client.recv() for _ in MESSAGES] == MESSAGES


async def test_fragments_arrive_as_one_message(tmp_path: Path) -> None:
    """HTTP-45: a message that is sent in pieces, cut within a character, is the same message."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port) as gateway,
        gateway.connect() as client,
    ):
        await client.send([b"\xc3", b"", b"\xa9"], text=True)
        assert await client.recv() == "\u00e9"


async def test_the_upstream_is_connected_first(tmp_path: Path) -> None:
    """HTTP-45: a client is accepted only once the upstream has accepted."""
    asked, let = asyncio.Event(), asyncio.Event()

    async def wait(_connection: ServerConnection, _request: Request) -> None:
        asked.set()
        await let.wait()

    async with upstream(process_request=wait) as server, relay(tmp_path, server.port) as gateway:
        connecting = asyncio.ensure_future(gateway.connect().__aenter__())
        await asked.wait()
        assert not connecting.done()
        let.set()
        await (await connecting).close()


SUBPROTOCOLS: dict[str, tuple[list[str] | None, list[str] | None, str | None]] = {
    "the upstream's choice": (["a", "b"], ["b"], "b"),
    "none offered": (None, ["b"], None),
    "none chosen": (["a"], None, None),
}


@pytest.mark.parametrize(("offered", "known", "chosen"), SUBPROTOCOLS.values(), ids=SUBPROTOCOLS)
async def test_the_subprotocol_is_the_upstreams(
    tmp_path: Path, offered: Any, known: Any, chosen: str | None
) -> None:
    """HTTP-45: what the client offers is offered to the upstream; none chosen is none told."""

    def choose(_connection: ServerConnection, names: Any) -> Any:
        return known[0] if known and known[0] in names else None

    async with (
        upstream(subprotocols=known or ["z"], select_subprotocol=choose) as server,
        relay(tmp_path, server.port) as gateway,
        gateway.connect(subprotocols=offered) as client,
    ):
        asked = (await server.next()).request
        assert client.subprotocol == chosen
        assert client.response is not None
        assert ("Sec-WebSocket-Protocol" in client.response.headers) == (chosen is not None)
        assert asked is not None
        expected = [", ".join(offered)] if offered else []
        assert asked.headers.get_all("Sec-WebSocket-Protocol") == expected


CLOSES = [(1000, "done"), (1001, ""), (1008, "no"), (3000, ""), (4999, "\u00e9" * 61)]


@pytest.mark.parametrize(("code", "reason"), CLOSES)
async def test_the_client_closes(tmp_path: Path, code: int, reason: str) -> None:
    """HTTP-45: the upstream is told the client's close code and reason."""
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        async with gateway.connect() as client:
            await client.close(code, reason)
        connection = await server.next()
        await connection.wait_closed()
        assert (connection.close_code, connection.close_reason) == (code, reason)


@pytest.mark.parametrize(("code", "reason"), CLOSES)
async def test_the_upstream_closes(tmp_path: Path, code: int, reason: str) -> None:
    """HTTP-45: the client is told the upstream's close code and reason, after its last message."""

    async def handler(connection: ServerConnection) -> None:
        await connection.send("last")
        await connection.close(code, reason)

    async with (
        upstream(handler) as server,
        relay(tmp_path, server.port) as gateway,
        gateway.connect() as client,
    ):
        assert await client.recv() == "last"
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (code, reason)


async def test_a_close_without_a_code(tmp_path: Path) -> None:
    """HTTP-45: 1005 is never on the wire; who closes without a code has closed normally."""
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        async with gateway.connect() as client:
            await client.close(None)  # type: ignore[arg-type]
            first = await server.next()
            await first.wait_closed()
            assert first.close_code == 1000
        async with gateway.connect() as client:
            await (await server.next()).close(None)  # type: ignore[arg-type]
            await client.wait_closed()
            assert client.close_code == 1000


async def test_a_side_that_vanishes(tmp_path: Path) -> None:
    """HTTP-45: 1006 is never on the wire: 1001 says that a client is gone, 1011 an upstream."""
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        async with gateway.connect() as client:
            client.transport.abort()
            connection = await server.next()
            await connection.wait_closed()
            assert connection.close_code == 1001
        async with gateway.connect() as client:
            (await server.next()).transport.abort()
            await client.wait_closed()
            assert client.close_code == 1011


async def test_pings_are_answered_by_each_hop(tmp_path: Path) -> None:
    """HTTP-45: each side's ping is answered, and none is passed on."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port) as gateway,
        gateway.connect() as client,
    ):
        connection = await server.next()
        await (await client.ping(b"from the client"))
        await (await connection.ping(b"from the upstream"))
        await client.send("after both")
        assert await client.recv() == "after both"


@pytest.mark.parametrize(("rules", "size"), [(BYTES, 33), (REQUESTS, 1)])
async def test_what_is_counted(tmp_path: Path, rules: str, size: int) -> None:
    """C01: bytes count both ways as they are on the wire, and an accepted handshake counts once."""

    async def twice(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)
            await connection.send(message)

    async with upstream(twice) as server, relay(tmp_path, server.port, rules) as gateway:
        async with gateway.connect() as client:
            for message in ("h\u00e9llo", b"\x00\x01\x02\x03\x04", ""):
                await client.send(message)
                assert await client.recv() == await client.recv() == message
        assert await gateway.used() == size


async def test_seconds_count_while_it_is_open(tmp_path: Path) -> None:
    """B08: the time counts while it goes on, and to its end."""
    async with upstream() as server, relay(tmp_path, server.port, SECONDS) as gateway:
        async with gateway.connect():
            gateway.front.clock.advance(60)
            pipeline = gateway.front.gateway.service.pipeline
            assert pipeline is not None
            assert gateway.front.server.loop is not None
            gateway.front.server.loop.call_soon_threadsafe(pipeline.settle_lasting)
            assert gateway.used_now() == 60
            gateway.front.clock.advance(5)
        assert await gateway.used() == 65


async def test_the_upstreams_close_is_settled_before_it_is_told(tmp_path: Path) -> None:
    """E11: who hears that it is over finds its place free."""
    async with upstream() as server, relay(tmp_path, server.port, AT_ONCE) as gateway:
        for _ in range(3):
            async with gateway.connect() as client:
                refused = await gateway.handshake()
                assert refused.status_code == 429
                await (await server.next()).close()
                await client.wait_closed()
                assert gateway.used_now() == 0
        assert server.connections.empty()


async def test_a_message_that_is_too_large(tmp_path: Path) -> None:
    """F-13: the client is told 1009, and of an upstream that says too much 1011."""

    async def shout(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(b"x" * (MAX_MESSAGE_BYTES + 1))
        await connection.wait_closed()

    async with upstream(shout, max_size=None) as server, relay(tmp_path, server.port) as gateway:
        async with gateway.connect() as client:
            with suppress(ConnectionClosed):
                await client.send(b"x" * (MAX_MESSAGE_BYTES + 1))
            await client.wait_closed()
            assert client.close_code == 1009
            await (await server.next()).wait_closed()
        async with gateway.connect() as client:
            await client.send("go")
            await client.wait_closed()
            assert client.close_code == 1011
            connection = await server.next()
            await connection.wait_closed()
            assert connection.close_code == 1009


async def test_one_that_is_idle_is_closed(tmp_path: Path) -> None:
    """F-13: without a message for so long, both sides are told 1001."""
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        gateway.front.gateway.websockets = RelayWebSocket(
            gateway.front.gateway._forward.via, idle_seconds=0.05
        )
        async with gateway.connect() as client:
            await client.send("x")
            assert await client.recv() == "x"
            await client.wait_closed()
            connection = await server.next()
            await connection.wait_closed()
            for side in (client, connection):
                assert (side.close_code, side.close_reason) == (1001, "idle")
        await gateway.over()
