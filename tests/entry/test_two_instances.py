"""Two instances with one ledger, in either database: each thing is done once, by one of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.redis_servers import REDIS_MARKS, redis_server
from tests.support import Recorder, call, told, write_config

from fairuse import FairUse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.ledgers import Place
    from tests.redis_servers import RedisServer

    from fairuse.stores.ledger import Ledger

pytestmark = [*REDIS_MARKS, pytest.mark.anyio]

POLICY = """
title = "Fair use policy: calls"
[counts]
locations = "locations"
[packages.standard]
title = "Subscription"
[meters.calls]
unit  = "call"
count = ["POST /calls"]
[limits.calls-per-month]
meter  = "calls"
amount = "2"
window = "calendar month"
over   = "case"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a store of counters."""
    with redis_server(tmp_path / "redis") as running:
        yield running


@asynccontextmanager
async def instances(folder: Path, place: Place, server: RedisServer) -> AsyncIterator[list[Any]]:
    """Run two instances, with all but the ledger and the counters of their own."""
    async with AsyncExitStack() as stack:
        found = []
        for name in ("one", "two"):
            config = write_config(folder / name, policy=POLICY)
            settings = (config / "gateway.toml").read_text()
            settings = settings.replace(f"sqlite:///{folder / name}/fairuse.db", place.url)
            (config / "gateway.toml").write_text(f'{settings}[counters]\nstore = "{server.url}"\n')
            fair = FairUse(Recorder(), config, access_stream=None)
            await fair.service.start()
            stack.push_async_callback(fair.service.stop)
            found.append(fair)
        yield found


async def test_a_limit_that_two_instances_saw_gone_over_is_one_case(
    tmp_path: Path, place: Place, server: RedisServer
) -> None:
    """P8: whoever counted the call that was too many, one case and one notice is written."""
    async with instances(tmp_path, place, server) as (one, two):
        answers = await asyncio.gather(
            *(call(fair, path="/calls") for fair in (one, two) for _ in range(5))
        )
        assert {answer.status for answer in answers} == {201}
        for fair in (one, two):
            await fair.service.pipeline.counters.flush()
        await told(one.service)
        ledger = await told(two.service)
        assert len(await ledger.cases("salon")) == 1
        assert len(await ledger.notices("salon")) == 1
        assert sum((await ledger.usage("salon")).values()) == 10


async def test_what_is_due_is_done_by_one_instance_at_a_time(
    tmp_path: Path, place: Place, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4, P8: while one is at what is due every minute the other passes, and then has its turn."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    def pruned(name: str, ledger: Ledger) -> None:
        async def prune(_moment: float) -> None:
            done.append(name)
            begun.set()
            await go_on.wait()

        monkeypatch.setattr(ledger, "prune", prune)

    async with instances(tmp_path, place, server) as (one, two):
        for name, fair in (("one", one), ("two", two)):
            await fair.service.upkeep.run()  # the one that runs by itself is through
            pruned(name, fair.service.ledger)
        first = asyncio.create_task(one.service.upkeep.run())
        async with asyncio.timeout(30):
            await begun.wait()
            await two.service.upkeep.run()
            assert done == ["one"]
            go_on.set()
            await first
            await two.service.upkeep.run()
        assert done == ["one", "two"]
