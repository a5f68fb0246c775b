"""Two nodes that share a ledger and count together: what one writes holds on the other."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.measures import configured, ended, measured, status
from tests.redis_servers import REDIS_MARKS, redis_server
from tests.rules.support_grants import grant

from fairuse import FairUse
from fairuse.rules.granting import checked
from fairuse.stores.grants import add

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.redis_servers import RedisServer
    from tests.support import Recorder

    from fairuse.stores.ledger import Ledger

pytestmark = [*REDIS_MARKS, pytest.mark.anyio]

CENTRUM = "/locations/centrum/appointments"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Run a store of counters."""
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@asynccontextmanager
async def nodes(folder: Path, app: Recorder, server: RedisServer) -> AsyncIterator[list[FairUse]]:
    """Run two nodes with one ledger, on the time of the machine."""
    server.client().flushall()
    async with AsyncExitStack() as stack:
        found = []
        for name in ("one", "two"):
            database = f"sqlite:///{folder}/shared.db"
            config = configured(folder / name, database, server.url)
            fair = FairUse(app, config, access_stream=None)
            await fair.service.start()
            stack.push_async_callback(fair.service.stop)
            found.append(fair)
        yield found


def ledger_of(fair: FairUse) -> tuple[Ledger, float]:
    """Give the ledger as a node has it, and the time."""
    assert fair.service.ledger is not None
    return fair.service.ledger, fair.service.clock.now().wall


async def becomes(fair: FairUse, path: str, wanted: int) -> bool:
    """Wait until a request is answered like that, as it is to be within a second."""
    async with asyncio.timeout(20):
        while await status(fair, path) != wanted:  # noqa: ASYNC110  another node sets no event
            await asyncio.sleep(0.05)
    return True


async def test_a_measure_of_one_node_holds_on_the_other(
    tmp_path: Path, recorder: Recorder, server: RedisServer
) -> None:
    """B14, B15, C21: what one node writes refuses on both, until the other ends it."""
    async with nodes(tmp_path, recorder, server) as (one, two):
        ledger, moment = ledger_of(one)
        assert [await status(node, "/export") for node in (one, two)] == [201, 201]
        measure = await measured(ledger, "suspend", moment, routes=("* /export",))
        assert [await becomes(node, "/export", 403) for node in (one, two)] == [True, True]
        assert [await status(node, CENTRUM) for node in (one, two)] == [201, 201]
        await ended(ledger_of(two)[0], measure, moment + 60)
        assert [await becomes(node, "/export", 201) for node in (one, two)] == [True, True]


async def test_a_top_up_through_one_node_is_there_on_the_other(
    tmp_path: Path, recorder: Recorder, server: RedisServer
) -> None:
    """D20: five of five are used on one node; two more are bought, and served by the other."""
    async with nodes(tmp_path, recorder, server) as (one, two):
        assert [await status(one, "/sms") for _ in range(6)] == [201] * 5 + [429]
        assert await status(two, "/sms") == 429
        ledger, moment = ledger_of(one)
        terms = one.service.configuration.current.accounts["salon"]
        wanted = grant("top-up", "2", 0.0, limit="sms", once="order-1")
        assert await add(ledger, checked(wanted, terms, moment))
        assert await becomes(two, "/sms", 201)
        assert [await status(two, "/sms") for _ in range(2)] == [201, 429]
