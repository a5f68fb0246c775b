"""F-37: an answer that is late or lost, where nobody knows whether the question was heard."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.faults import place
from tests.stores.shared.support import PATIENCE, happens
from tests.stores.support import limit

from fairuse.base.errors import StoreError
from fairuse.stores.protocol import Exceeded, Outcome, Receipt, StoreAway

if TYPE_CHECKING:
    from tests.fault_proxy import Mode
    from tests.redis_servers import RedisServer
    from tests.stores.shared.faults import Place

    from fairuse.rules.terms import LimitTerms

pytestmark = [*REDIS_MARKS, pytest.mark.anyio]

NEVER = 1_000.0
TEN = limit("ten", 10, "1 hour")
CLOSED = replace(TEN, store_away="closed")
DAILY = limit("ten", 10, "calendar day")
STRICT = pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])


async def has(at: Place, settled: int, used: int) -> None:
    """Wait until the store has so many units."""
    async with asyncio.timeout(PATIENCE):
        while True:
            readings = await at.other.counters.read("anna", at.other.clock.now())
            if [(each.settled, each.used) for each in readings] == [(settled, used)]:
                return


@STRICT
@pytest.mark.parametrize("terms", [TEN, DAILY], ids=["rolling", "calendar"])
async def test_a_charge_whose_answer_is_lost_counts_once(
    server: RedisServer, terms: LimitTerms, *, strict: bool
) -> None:
    """F-37: what the store counted and could not say so is told again, and counts once."""
    async with place(server, strict=strict, late=NEVER) as at:
        receipt = await at.node.take(terms, 3)
        with at.outage("late"):
            at.node.settle(receipt)
            await has(at, 3, 3)
            await happens(lambda: bool(at.node.counters.away))
            at.proxy.mode = "reset"
        await at.back()
        assert await at.used() == {"ten": 3}
        await at.node.count(terms, 2)
        assert await at.used() == {"ten": 5}


@STRICT
@pytest.mark.parametrize("mode", ["refuse", "blackhole", "late"])
async def test_who_waits_for_a_charge_hears_that_it_is_lost(
    server: RedisServer, mode: Mode, *, strict: bool
) -> None:
    """F-37, S15: nobody is told that something is kept which the store has not said it has."""
    async with place(server, strict=strict) as at:
        receipt = await at.node.take(TEN, 3)
        with at.outage(mode):
            at.node.settle(receipt)
            with pytest.raises(StoreError):
                await at.node.counters.flush()
        await at.back()
        assert await at.used() == {"ten": 3}


@STRICT
async def test_a_grant_whose_answer_is_lost_holds_nothing(
    server: RedisServer, *, strict: bool
) -> None:
    """F-37, F-26: units that the store granted and nobody heard of are not held, nor counted."""
    async with place(server, strict=strict, late=NEVER) as at:
        await at.node.count(CLOSED)
        with at.outage("late"):
            assert isinstance(await at.node.reserve(CLOSED, 4), StoreAway)
            await has(at, 1, 5)
            at.proxy.mode = "reset"
        await at.back()
        assert await at.used() == {"ten": 1}


@STRICT
async def test_a_grant_that_comes_late_holds_nothing(server: RedisServer, *, strict: bool) -> None:
    """F-26: an answer that comes after the requester gave up leaves nothing open."""
    async with place(server, strict=strict) as at:
        await at.node.count(CLOSED)
        with at.outage("late"):
            assert isinstance(await at.node.reserve(CLOSED, 4), StoreAway)
        await at.back()
        assert await at.used() == {"ten": 1}
        assert isinstance(await at.other.reserve(CLOSED, 9), Receipt)


@STRICT
async def test_what_is_decided_alone_and_granted_counts_once(
    server: RedisServer, *, strict: bool
) -> None:
    """F-37: a request that was let in alone, and late by the store, too, is one request."""
    async with place(server, strict=strict) as at:
        await at.node.count(TEN)
        with at.outage("late"):
            receipt = await at.node.take(TEN, 4)
        await at.back()
        at.node.settle(receipt)
        await at.back()
        assert await at.used() == {"ten": 5}


@STRICT
async def test_one_hang_is_one_outage(server: RedisServer, *, strict: bool) -> None:
    """F-37: a question that is found late is not found lost, too, once the store is back."""
    async with place(server, strict=strict) as at:
        with at.outage("blackhole"):
            receipt = await at.node.take(TEN)
        await happens(lambda: not at.node.counters.away)
        await happens(lambda: not at.node.counters.teller._calls)
        assert at.node.counters.teller.outages == 1
        at.node.settle(receipt)
        await at.back()
        assert await at.used() == {"ten": 1}


@STRICT
async def test_what_happens_in_an_outage_to_what_was_open(
    server: RedisServer, *, strict: bool
) -> None:
    """F-26, F-37: requests that were let in before it and end in it count as they ended."""
    async with place(server, strict=strict) as at:
        receipts = [await at.node.take(TEN, cost) for cost in (1, 2, 3)]
        with at.outage("refuse"):
            at.node.settle(receipts[0])
            at.node.settle(receipts[1], Outcome.REFUSED)
            await at.node.reserve(TEN)
            at.node.settle(receipts[2])
        await at.back()
        readings = await at.other.counters.read("anna", at.other.clock.now())
        assert [each.settled for each in readings] == [4]


async def test_a_lease_that_was_granted_too_late_is_no_harm(server: RedisServer) -> None:
    """F-23, F-37: units of a lease whose answer was lost come back, and none is let out twice."""
    wide = limit("ten", 1_280, "1 hour")
    async with place(server, late=NEVER) as at:
        with at.outage("late"):
            receipt = await at.node.take(wide)
            at.proxy.mode = "reset"
        at.node.settle(receipt)
        await at.back()
        admitted = 1
        while isinstance(each := await at.other.reserve(wide), Receipt):
            at.other.settle(each)
            admitted += 1
        assert isinstance(await at.node.reserve(wide), Exceeded)
        assert admitted == 1_280
