"""F-38, F-44: a store that is back is not flooded, however much there is to be told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.faults import place, watched
from tests.stores.shared.support import PATIENCE, happens, node, reserved
from tests.stores.shared_store import new_namespace, patience
from tests.stores.support import claim, fits, limit

from fairuse.stores.protocol import Outcome
from fairuse.stores.shared import channel, teller

if TYPE_CHECKING:
    from tests.redis_servers import RedisServer
    from tests.stores.shared.support import Node

pytestmark = [*REDIS_MARKS, pytest.mark.anyio]

DAILY = limit("daily", 10, "calendar day")
SOFT = limit("soft", 10, "calendar day", over="case")
AT_ONCE = 20
TOLD = 50


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell little at a time, and often."""
    monkeypatch.setattr(teller, "MOST_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(teller, "MOST_TOLD", TOLD)
    monkeypatch.setattr(teller, "TELL_SECONDS", 0.01)


async def counted(node: Node, account: str, location: str = "") -> None:
    """Count a unit, while the store is away."""
    now = node.clock.now()
    asked = claim(DAILY, now.wall, place=location)
    receipt = fits(await reserved(node.counters, now, asked, account=account))
    node.counters.settle(receipt, Outcome.ACCEPTED, {}, now)


async def test_many_accounts_are_told_little_by_little(server: RedisServer) -> None:
    """F-38: after an outage a few shares a turn are told, in a few calls at a time."""
    accounts = [f"account-{number}" for number in range(300)]
    async with place(server) as at:
        with at.outage("refuse"):
            for account in accounts:
                await counted(at.node, account)
        with watched(at.node) as watch:
            watch.open.clear()
            at.node.counters.teller.away = ""  # found, before it has heard anything
            ready = at.node.counters.teller._telling
            await happens(lambda: watch.most_under_way == teller.CALLS_AT_ONCE)
            for _ in range(20):
                await asyncio.sleep(0.01)
                assert len(ready) <= TOLD
            watch.open.set()
            await at.back()
        assert max(watch.tallies) <= AT_ONCE
        assert watch.most_under_way <= teller.CALLS_AT_ONCE
        assert sum(watch.tallies) == len(accounts)
        for account in accounts[::60]:
            assert await at.other.used(account) == {"daily": 1}


async def test_a_large_account_is_told_little_by_little(server: RedisServer) -> None:
    """F-38, F-44: what one account has to be told in very many places takes several calls, too."""
    places = [f"place-{number}" for number in range(100)]
    async with place(server) as at:
        with at.outage("refuse"):
            for each in places:
                await counted(at.node, "anna", each)
        with watched(at.node) as watch:
            await at.back()
        assert max(watch.tallies) <= AT_ONCE
        readings = await at.other.counters.read("anna", at.other.clock.now())
        assert sorted(reading.scope for reading in readings) == sorted(
            (("location", each),) for each in places
        )
        assert {reading.used for reading in readings} == {1}


@pytest.mark.parametrize("most", [500, 100_000])
async def test_an_account_of_many_places_poisons_nothing(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """F-38, F-44: more tallies than a script takes at once can be told, asked and read."""
    monkeypatch.setattr(teller, "MOST_AT_ONCE", most)
    monkeypatch.setattr(channel, "ANSWER_SECONDS", PATIENCE)  # this is about much, not about fast
    with patience():
        async with node(server.url, new_namespace()) as one:
            now = one.clock.now()
            for number in range(8_500):
                soft = claim(SOFT, now.wall, place=f"place-{number}")
                one.counters.record("anna", soft, now.wall, now)
            await one.counters.flush()
            assert not one.counters.away
            assert len(await one.counters.read("anna", one.clock.now())) == 8_500


async def test_everybody_who_asks_at_once_is_answered(server: RedisServer) -> None:
    """F-23: more questions of one account than one call takes are all answered."""
    async with place(server) as at:
        asking = (at.node.reserve(limit("wide", 63, "1 hour")) for _ in range(3 * 500))
        decisions = await asyncio.gather(*asking)
        assert sum(hasattr(each, "slots") for each in decisions) == 63


async def test_who_only_tells_is_heard_while_many_ask(server: RedisServer) -> None:
    """F-26: what is held and counted is told in time, however many requests wait for an answer."""
    over = asyncio.Event()
    async with place(server) as at:

        async def ask_on_and_on(account: str) -> None:
            while not over.is_set():
                receipt = await at.node.take(DAILY, account=account)
                at.node.settle(receipt, Outcome.REFUSED)

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as asking:
            for number in range(80):
                asking.create_task(ask_on_and_on(f"account-{number}"))
            at.node.settle(await at.node.take(SOFT, account="quiet"))
            while await at.other.used("quiet") != {"soft": 1}:
                pass
            over.set()
