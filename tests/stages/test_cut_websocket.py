"""Open WebSockets that are cut: by a block that covers them, and by units of their own."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from tests.stages.support import policy
from tests.stages.websockets import relay, shake_hands, upstream
from tests.support import DENTIST, NOON, SALON
from websockets.exceptions import ConnectionClosed

from fairuse.rules.blocks import EVERY_ACCOUNT, Block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stages.websockets import Relay, Upstream
    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.connection import Connection
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request

    from fairuse.pipeline import Pipeline

pytestmark = pytest.mark.anyio

HERE, ELSEWHERE, RULE = "203.0.113.9", "203.0.113.10", "one"
ROUTE = 'count = ["GET /ws"]\n'
REQUESTS = policy(ROUTE, amount="100")
AT_ONCE = policy(ROUTE + 'measure = "in flight"', amount="100", window="always")
SECONDS = policy(ROUTE + 'measure = "seconds open"', amount="100")
BYTES = policy(ROUTE + 'measure = "bytes"', amount="1000")
SOFT = policy(ROUTE + 'measure = "seconds open"', amount="100", over="case")
A_MINUTE = policy(ROUTE + 'measure = "seconds open"', amount="60", window="1 minute")
REPEATED = policy(
    'count = ["GET /runaway"]',
    amount="0",
    more="""
scope = "account, address"
then  = { after = "3 refusals in 1 minute", block = "account, address", for = "15 minutes" }
[emergency]
allowed = ["block address"]
""",
)


def pipeline_of(gateway: Relay) -> Pipeline:
    """Give the gateway's pipeline."""
    pipeline = gateway.front.gateway.service.pipeline
    assert pipeline is not None
    return pipeline


def block(account: str, address: str = HERE, seconds: float = 900) -> Block:
    """Give a block that holds from now on."""
    return Block(address, account, RULE, NOON, NOON + seconds, 0)


async def put_in_force(gateway: Relay, *blocks: Block, heard: bool = False) -> None:
    """Have blocks put in force here, or heard of from another process."""
    known = pipeline_of(gateway).blocks

    async def put() -> None:
        for each in blocks:
            known.hear(each) if heard else known.add(each)

    await gateway.run(put())


@asynccontextmanager
async def opened(
    gateway: Relay, server: Upstream, key: str = SALON, address: str = HERE
) -> AsyncIterator[tuple[ClientConnection, ServerConnection]]:
    """Open a WebSocket of a customer behind the operator's own proxy; gives both its ends."""
    headers = [("X-Forwarded-For", address)]
    async with gateway.connect(key=key, additional_headers=headers) as client:
        yield client, await server.next()


async def closed(*sides: Connection) -> list[tuple[int | None, str | None]]:
    """Wait until sides are closed, and say how; an idle one would be so in five minutes."""
    async with asyncio.timeout(20):
        for side in sides:
            await side.wait_closed()
    return [(side.close_code, side.close_reason) for side in sides]


async def goes_on(*pairs: tuple[ClientConnection, ServerConnection]) -> bool:
    """Say whether WebSockets still echo."""
    async with asyncio.timeout(20):
        for client, _ in pairs:
            await client.send("still there?")
            assert await client.recv() == "still there?"
    return True


CUT = (1008, f"blocked: {RULE}")


@pytest.mark.parametrize("heard", [False, True], ids=["decided here", "heard of"])
async def test_a_block_cuts_what_it_covers(tmp_path: Path, *, heard: bool) -> None:
    """A30: of an account at an address; its WebSockets elsewhere go on, and those of others."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port) as gateway,
        opened(gateway, server) as one,
        opened(gateway, server) as another,
        opened(gateway, server, address=ELSEWHERE) as elsewhere,
        opened(gateway, server, DENTIST) as neighbour,
    ):
        await put_in_force(gateway, block("salon"), heard=heard)
        assert await closed(*one, *another) == [CUT] * 4
        assert await goes_on(elsewhere, neighbour)


async def test_a_block_of_an_address_cuts_everybody_there(tmp_path: Path) -> None:
    """A29: a block of a whole address cuts the WebSockets of all accounts at it, and no others."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port) as gateway,
        opened(gateway, server) as one,
        opened(gateway, server, DENTIST) as neighbour,
        opened(gateway, server, address=ELSEWHERE) as elsewhere,
    ):
        await put_in_force(gateway, block(EVERY_ACCOUNT))
        assert await closed(*one, *neighbour) == [CUT] * 4
        assert await goes_on(elsewhere)


async def test_who_goes_on_after_refusals_loses_the_open_ones(tmp_path: Path) -> None:
    """A24: the block that follows from a script's refusals cuts what the script has open."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port, REPEATED) as gateway,
        opened(gateway, server) as sides,
    ):
        headers = {"X-Forwarded-For": HERE}
        for _ in range(3):
            assert (await gateway.handshake("/runaway", **headers)).status_code == 429
        assert await closed(*sides) == [CUT, CUT]
        assert (await gateway.handshake("/ws", **headers)).status_code == 403


async def test_the_block_is_written_before_it_is_told(tmp_path: Path) -> None:
    """P6: whoever is told of a block by a cut finds it in force after a crash."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port) as gateway,
        opened(gateway, server) as (client, _),
    ):
        await put_in_force(gateway, block("salon"))
        assert await closed(client) == [CUT]
        with sqlite3.connect(tmp_path / "fairuse.db") as ledger:
            assert ledger.execute("SELECT account, rule FROM blocks").fetchall() == [
                ("salon", RULE)
            ]
        ledger.close()


async def test_what_is_never_blocked_is_never_cut(tmp_path: Path) -> None:
    """P9: an address that no block may hit keeps its WebSockets, though its neighbours are cut."""
    here, neighbour = "2001:db8::1", "2001:db8::2"
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        settings = gateway.front.config / "gateway.toml"
        never = f'[addresses]\nnever_block = ["{here}"]'
        settings.write_text(settings.read_text().replace("[addresses]", never))
        await gateway.run(reload(gateway))
        async with (
            opened(gateway, server, address=here) as kept,
            opened(gateway, server, address=neighbour) as cut,
        ):
            await put_in_force(gateway, block("salon", "2001:db8::/64"))
            assert await closed(*cut) == [CUT, CUT]
            assert await goes_on(kept)


async def reload(gateway: Relay) -> None:
    """Read the configuration again."""
    gateway.front.gateway.service.configuration.reload()


async def test_one_that_the_upstream_has_not_accepted(tmp_path: Path) -> None:
    """A29: a handshake that a block overtakes is refused as a blocked request is."""
    asked, let = asyncio.Event(), asyncio.Event()

    async def hang(_connection: ServerConnection, _request: Request) -> None:
        asked.set()
        await let.wait()

    async with (
        upstream(process_request=hang) as server,
        relay(tmp_path, server.port, REQUESTS) as gateway,
    ):
        asking = asyncio.create_task(gateway.handshake("/ws", **{"X-Forwarded-For": HERE}))
        await asked.wait()
        await put_in_force(gateway, block("salon"))
        let.set()
        refused = await asking
        assert (refused.status_code, refused.json()["rule"]) == (403, RULE)
        assert await gateway.used() == 1  # the upstream had accepted it


@pytest.mark.parametrize("rules", [SECONDS, BYTES, A_MINUTE])
async def test_one_that_went_over_its_limit(tmp_path: Path, rules: str) -> None:
    """B08: seconds or bytes over a hard limit end the WebSocket they are of, within a minute."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port, rules) as gateway,
        opened(gateway, server) as sides,
    ):
        gateway.front.clock.advance(60)
        await gateway.run(upkeep(gateway))
        assert await goes_on(sides)
        await sides[0].send("x" * 500)
        await sides[0].recv()
        gateway.front.clock.advance(180)
        await gateway.run(upkeep(gateway))
        assert await closed(*sides) == [(1008, "quota: one")] * 2
        assert (await gateway.handshake()).status_code == 429


@pytest.mark.parametrize("rules", [SOFT, REQUESTS, AT_ONCE])
async def test_nothing_else_cuts_one(tmp_path: Path, rules: str) -> None:
    """P4: a soft limit cuts nothing, however far it is gone over, nor one that takes no more."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port, rules) as gateway,
        opened(gateway, server) as sides,
    ):
        for _ in range(10):
            gateway.front.clock.advance(60)
            await gateway.run(upkeep(gateway))
        assert await goes_on(sides)


async def test_a_minute_of_every_minute_is_no_more_than_that(tmp_path: Path) -> None:
    """B08: what is counted once a minute is not held against a limit of one minute twice."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port, A_MINUTE) as gateway,
        opened(gateway, server) as sides,
    ):
        for _ in range(30):
            gateway.front.clock.advance(59)  # two of them lie within a minute, as they are counted
            await gateway.run(upkeep(gateway))
            assert await goes_on(sides)


async def upkeep(gateway: Relay) -> None:
    """Do what is done every minute."""
    pipeline_of(gateway).settle_lasting()


async def test_a_client_that_takes_nothing_is_cut_all_the_same(tmp_path: Path) -> None:
    """F-13: a block ends a WebSocket whose client reads nothing; the upstream is told at once."""
    written = asyncio.Event()

    async def flood(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                sending = asyncio.ensure_future(connection.send(bytes(60_000)))
                done, _ = await asyncio.wait([sending], timeout=0.1)
                if not done:
                    written.set()
                await sending

    async with upstream(flood) as server, relay(tmp_path, server.port) as gateway:
        client = await asyncio.to_thread(shake_hands, gateway, f"X-Forwarded-For: {HERE}\r\n")
        try:
            connection = await server.next()
            await written.wait()
            await put_in_force(gateway, block("salon"))
            assert await closed(connection) == [CUT]
        finally:
            client.close()
        await gateway.over()


async def test_nothing_is_left_of_those_that_are_over(tmp_path: Path) -> None:
    """F-46: a WebSocket that is over, cut or not, is watched by nobody and holds no place."""
    async with upstream() as server, relay(tmp_path, server.port, AT_ONCE) as gateway:
        async with (
            opened(gateway, server) as cut,
            opened(gateway, server, DENTIST),
            opened(gateway, server, address=ELSEWHERE),
        ):
            assert len(pipeline_of(gateway).cuts) == 3
            await put_in_force(gateway, block("salon"), block("salon", seconds=1_800))
            assert await closed(*cut) == [CUT, CUT]
        await gateway.over()
        assert pipeline_of(gateway).cuts == {}
        assert pipeline_of(gateway).blocks._watching == {}
        assert gateway.front.usage(address=ELSEWHERE)["limits"][0]["used"] == 0
