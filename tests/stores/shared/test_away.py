"""F-37: the store fails in every way a network knows, and requests are decided all the same."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.faults import BUDGET, FAULTS, place, watched
from tests.stores.shared.support import Gate, happens, ignore, reserved
from tests.stores.shared_store import new_namespace, patience
from tests.stores.support import claim, limit

from fairuse.base.clock import SystemClock
from fairuse.base.errors import StoreError
from fairuse.stores.protocol import Exceeded, Outcome, Receipt, StoreAway
from fairuse.stores.shared import teller
from fairuse.stores.shared.channel import Channel
from fairuse.stores.shared.clock import StoreClock
from fairuse.stores.shared.counters import SharedCounters

if TYPE_CHECKING:
    from tests.fault_proxy import Mode
    from tests.redis_servers import RedisServer

    from fairuse.rules.policy import StoreAway as Rule
    from fairuse.rules.terms import LimitTerms

pytestmark = [*REDIS_MARKS, pytest.mark.anyio]

THREE = limit("three", 3, "1 hour")
SOFT = limit("soft", 3, "1 hour", over="case")
RULES: dict[Rule, tuple[int, type]] = {
    "open-local": (3, Exceeded),
    "last-known": (1, Exceeded),
    "closed": (0, StoreAway),
}
"""How many of the limit of three are let in where two were used before, and what the rest hears."""


def by(rule: Rule, terms: LimitTerms = THREE) -> LimitTerms:
    """Give a limit with what holds while the store is away."""
    return replace(terms, store_away=rule)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("mode", FAULTS)
async def test_each_limit_has_its_rule(server: RedisServer, mode: Mode, rule: Rule) -> None:
    """F-37: whatever fails, a limit decides as it says: from nothing, from what was, or not."""
    terms = by(rule)
    let_in, refusal = RULES[rule]
    async with place(server) as at:
        await at.node.count(terms, 2)
        with at.outage(mode):
            decisions = [await at.node.reserve(terms) for _ in range(5)]
            assert at.node.counters.away
        assert [isinstance(each, Receipt) for each in decisions] == [
            *[True] * let_in,
            *[False] * (5 - let_in),
        ]
        assert {type(each) for each in decisions[let_in:]} == {refusal}


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])
@pytest.mark.parametrize("mode", FAULTS)
async def test_nobody_waits_for_ever(server: RedisServer, mode: Mode, *, strict: bool) -> None:
    """F-37: who asks while a question of the same account is under way is answered, too."""
    wide = limit("wide", 60, "1 hour")
    async with place(server, strict=strict) as at:
        with at.outage(mode):
            asking = []
            for _ in range(20):
                asking.append(asyncio.create_task(at.node.reserve(wide)))
                await asyncio.sleep(0.001)
            decisions = await asyncio.gather(*asking)
            assert all(isinstance(each, Receipt) for each in decisions)
            assert at.node.counters.away
        await at.back()
        assert isinstance(await at.node.reserve(wide), Receipt)


async def test_a_slow_line_is_no_outage(server: RedisServer) -> None:
    """F-37: answers that come byte by byte are answers, as long as they come in time."""
    async with place(server) as at:
        at.proxy.mode = "slice"
        await at.other.count(THREE, 2)
        assert isinstance(await at.node.reserve(THREE), Receipt)
        assert isinstance(await at.node.reserve(THREE), Exceeded)
        assert not at.node.counters.away


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])
async def test_a_soft_limit_refuses_nobody(server: RedisServer, *, strict: bool) -> None:
    """F-37, P4: a soft limit lets everything in, also where it says closed."""
    soft = by("closed", SOFT)
    async with place(server, strict=strict) as at:
        with at.outage("blackhole"):
            for _ in range(5):
                at.node.settle(await at.node.take(soft))
        await at.back()
        assert await at.used() == {"soft": 5}


async def test_one_closed_limit_closes_the_request(server: RedisServer) -> None:
    """F-25, F-37: where one limit of a request may not be decided alone, none is charged."""
    async with place(server) as at:
        with at.outage("refuse"):
            now = at.node.clock.now()
            claims = [
                claim(by("open-local"), now.wall),
                claim(by("closed", limit("x", 9)), now.wall),
            ]
            decision = await reserved(at.node.counters, now, *claims)
            assert isinstance(decision, StoreAway)
            assert decision.claim is claims[1]
            for _ in range(3):
                await at.node.take(by("open-local"))


@pytest.mark.parametrize("mode", ["refuse", "blackhole"])
async def test_one_probe_at_a_time(server: RedisServer, mode: Mode) -> None:
    """F-37: while the store is away nobody is sent to it but one probe, and never two at once."""
    async with place(server) as at:
        with at.outage(mode):
            await at.node.reserve(THREE)
            connections = at.proxy.connections
            with watched(at.node) as watch:
                for _ in range(50):
                    asking = (at.node.reserve(THREE, account=f"a{n}") for n in range(9))
                    await asyncio.gather(*asking)
                await happens(lambda: len(watch.tallies) >= 2)
            assert at.proxy.open_connections <= 2  # the proxy may not have heard of an end yet
            assert at.proxy.connections - connections <= len(watch.tallies)
        assert {*watch.tallies} == {0}
        assert watch.most_under_way <= 1


async def test_a_store_that_answers_late_is_not_back(server: RedisServer) -> None:
    """F-37: a probe that is answered, but late, finds no store that requests could wait for."""
    async with place(server) as at:
        with at.outage("late"):
            await at.node.reserve(THREE)
            with watched(at.node) as watch:
                await happens(lambda: len(watch.tallies) >= 3)
            assert at.node.counters.away
        assert at.node.counters.teller.outages == 1


async def test_a_process_that_stood_still_blames_nobody(server: RedisServer) -> None:
    """F-37: time in which this process did nothing at all is no time the store took to answer."""
    async with place(server) as at:
        await at.node.count(THREE)
        with (
            patch.object(teller, "BUDGET_SECONDS", BUDGET),
            patch.object(teller, "STOOD_STILL_SECONDS", BUDGET / 2),
        ):
            with Gate(at.node) as gate:
                asking = asyncio.create_task(at.node.reserve(THREE))
                await gate.reached()
            time.sleep(2 * BUDGET)  # noqa: ASYNC251  as a pause of the whole process does
            assert isinstance(await asking, Receipt)
        assert at.node.counters.teller.outages == 0


async def test_the_first_start_needs_no_store(server: RedisServer) -> None:
    """F-37: a process that starts while the store is away counts alone, and finds it later."""
    async with place(server) as at:
        at.proxy.mode = "refuse"
        url = f"redis://127.0.0.1:{at.proxy.port}/0"
        clock = StoreClock(SystemClock())
        late = SharedCounters(Channel(url), new_namespace(), clock, ignore, strict=True)
        with pytest.raises(StoreError):
            await late.start()
        now = clock.now()
        receipt = await reserved(late, now, claim(THREE, now.wall))
        assert isinstance(receipt, Receipt)
        assert isinstance(await reserved(late, now, claim(by("closed"), now.wall)), StoreAway)
        late.settle(receipt, Outcome.ACCEPTED, {}, now)
        at.proxy.mode = "pass"
        await happens(lambda: not late.away)
        await late.flush()
        [reading] = await late.read("anna", clock.now())
        assert reading.used == 1
        await late.close()


async def test_a_lease_in_hand_is_spent_in_an_outage(server: RedisServer) -> None:
    """F-37, F-23: what was leased is this process's own, and is told once the store is back."""
    wide = limit("wide", 6_400, "1 hour")
    async with place(server) as at:
        await at.node.count(by("closed", wide))
        with at.outage("refuse"):
            for _ in range(3):
                at.node.settle(await at.node.take(by("closed", wide)))
            await happens(lambda: bool(at.node.counters.away))
            at.node.settle(await at.node.take(by("closed", wide)))
        await at.back()
        assert await at.used() == {"wide": 5}


async def test_reading_says_that_nobody_knows(server: RedisServer) -> None:
    """F-37: usage that can't be looked up is an error with a reason, and no zero."""
    async with place(server) as at:
        await at.node.count(THREE)
        with at.outage("refuse"):
            for _ in range(2):
                with pytest.raises(StoreError, match="redis:"):
                    await at.node.used()
        await at.back()
        assert await at.node.used() == {"three": 1}


def test_patience_ends() -> None:
    """The budget is what it was once the last who waits long is through."""
    budget = teller.BUDGET_SECONDS
    with patience(), patience():
        assert budget < teller.BUDGET_SECONDS
    assert budget == teller.BUDGET_SECONDS
