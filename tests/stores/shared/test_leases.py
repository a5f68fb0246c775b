"""Leases: units that a process may spend without asking, in one window and for some seconds."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.faults import place
from tests.stores.shared.support import TURN, answered_late, asked_late, drain
from tests.stores.support import claim, limit, take, taken, used

from fairuse.rules.claims import Claims
from fairuse.stores.protocol import Exceeded, Outcome

if TYPE_CHECKING:
    from tests.redis_servers import RedisServer
    from tests.stores.shared.support import Opens, Pair

    from fairuse.base.clock import ManualClock

pytestmark = REDIS_MARKS

AMOUNT = 1_280
HOUR = limit("hour", AMOUNT, "1 hour")
DAILY = limit("daily", AMOUNT, "calendar day")
NARROW = limit("narrow", 63, "1 hour")
NONE = limit("none", 0, "calendar day")


def test_a_lease_is_spent_without_asking(relaxed: Pair, clock: ManualClock) -> None:
    """F-23: far from the amount a limit is decided here, and what is leased is nobody else's."""
    one, other = relaxed
    taken(one, clock, claim(HOUR, clock.wall))
    calls, spent = one.shared._channel.calls, 0
    while (
        one.shared.try_reserve("anna", Claims([claim(HOUR, clock.wall)]), clock.now()) is not None
    ):
        spent += 1
    assert (one.shared._channel.calls, spent) == (calls, 16)
    assert drain(other, clock, claim(HOUR, clock.wall)) == AMOUNT - 1 - spent


def test_nothing_is_leased_near_the_amount(relaxed: Pair, clock: ManualClock) -> None:
    """F-23: while fewer than 64 units are free, every one of them is asked for."""
    one, other = relaxed
    taken(one, clock, claim(NARROW, clock.wall))
    assert one.shared.try_reserve("anna", Claims([claim(NARROW, clock.wall)]), clock.now()) is None
    assert drain(other, clock, claim(NARROW, clock.wall)) == 62


def test_a_lease_that_nobody_spends_comes_back(relaxed: Pair, clock: ManualClock) -> None:
    """F-23: who is idle gives its lease back, though it goes on to hold what is open."""
    one, other = relaxed
    taken(one, clock, claim(HOUR, clock.wall))
    for _ in range(2):
        clock.advance(1)
        one.sweep(clock.now())
    assert drain(other, clock, claim(HOUR, clock.wall)) == AMOUNT - 1


def test_a_lease_comes_back_when_a_process_ends(relaxed: Pair, clock: ManualClock) -> None:
    """F-23: what a process leased and did not spend is free at once when it closes."""
    one, other = relaxed
    one.settle(taken(one, clock, claim(HOUR, clock.wall)), Outcome.ACCEPTED, {}, clock.now())
    one.close()
    assert drain(other, clock, claim(HOUR, clock.wall)) == AMOUNT - 1


def test_a_lease_that_is_being_spent_comes_back(relaxed: Pair, clock: ManualClock) -> None:
    """F-23: a process that ends in the middle of its work asks for no lease as it goes."""
    one, other = relaxed
    for _ in range(10):
        receipt = taken(one, clock, claim(HOUR, clock.wall))
        clock.advance(0.1)
        settled = partial(one.shared.settle, receipt, Outcome.ACCEPTED, {}, clock.now())
        one.unflushed(clock.now(), settled)
    one.close()
    assert drain(other, clock, claim(HOUR, clock.wall)) == AMOUNT - 10


def test_a_lease_of_a_crashed_process_comes_free(opens: Opens, clock: ManualClock) -> None:
    """F-26: after some silence the lease of a process that was killed is given to others."""
    one, other = opens(leased_at_once=2), opens(leased_at_once=2)
    one.settle(taken(one, clock, claim(HOUR, clock.wall)), Outcome.ACCEPTED, {}, clock.now())
    one.crash()
    assert drain(other, clock, claim(HOUR, clock.wall)) == AMOUNT - 1 - 16
    clock.advance(11)
    assert drain(other, clock, claim(HOUR, clock.wall)) == 16


def test_a_lease_ends_with_its_window(relaxed: Pair, clock: ManualClock) -> None:
    """F-23: what was leased yesterday is no unit of today, whatever is told in between."""
    one, other = relaxed
    clock.advance(TURN - 1)
    yesterday = taken(one, clock, claim(DAILY, clock.wall))
    clock.advance(2)
    assert drain(other, clock, claim(DAILY, clock.wall)) == AMOUNT
    one.settle(yesterday, Outcome.ACCEPTED, {}, clock.now())
    assert isinstance(take(one, clock, claim(DAILY, clock.wall)), Exceeded)


def test_a_lease_ends_with_its_window_though_the_answer_was_slow(
    relaxed: Pair, clock: ManualClock
) -> None:
    """F-23, F-32: until when a lease holds is reckoned from the question, not from its answer."""
    one, other = relaxed
    clock.advance(TURN - 1)
    with answered_late(one, clock, 0.8):
        taken(one, clock, claim(DAILY, clock.wall))
    clock.advance(0.5)
    assert drain(other, clock, claim(DAILY, clock.wall)) == AMOUNT
    assert isinstance(take(one, clock, claim(DAILY, clock.wall)), Exceeded)


def test_what_is_not_spent_after_all_is_no_unit_of_the_next_window(
    relaxed: Pair, clock: ManualClock
) -> None:
    """F-23, F-25: a lease that another limit's refusal brings back at midnight is over by then."""
    one, other = relaxed
    clock.advance(TURN - 1)
    taken(one, clock, claim(DAILY, clock.wall))
    with asked_late(one, clock, 2):
        assert isinstance(
            take(one, clock, claim(DAILY, clock.wall), claim(NONE, clock.wall)), Exceeded
        )
    assert drain(other, clock, claim(DAILY, clock.wall)) == AMOUNT
    one.run(one.shared.flush())
    assert isinstance(take(one, clock, claim(DAILY, clock.wall)), Exceeded)


def test_a_lease_that_was_given_up_is_not_spent(relaxed: Pair, clock: ManualClock) -> None:
    """F-23: a process that was silent for long has no lease left, as others may have it."""
    one, other = relaxed
    slow = taken(one, clock, claim(HOUR, clock.wall))
    clock.advance(11)
    assert drain(other, clock, claim(HOUR, clock.wall)) == AMOUNT
    one.settle(slow, Outcome.ACCEPTED, {}, clock.now())
    assert isinstance(take(one, clock, claim(HOUR, clock.wall)), Exceeded)
    assert used(one, clock) == {"hour": AMOUNT + 1}


@pytest.mark.parametrize("seconds", [9, 11])
def test_a_silent_process_spends_no_lease(
    relaxed: Pair, clock: ManualClock, seconds: float
) -> None:
    """F-23: who has not heard from the store for some seconds asks, though it has units left."""
    one, other = relaxed
    taken(one, clock, claim(HOUR, clock.wall))
    clock.advance(seconds)
    assert one.shared.try_reserve("anna", Claims([claim(HOUR, clock.wall)]), clock.now()) is None
    assert (
        drain(one, clock, claim(HOUR, clock.wall)) + drain(other, clock, claim(HOUR, clock.wall))
        == AMOUNT - 1
    )


def test_a_refused_request_spends_nothing_of_a_lease(relaxed: Pair, clock: ManualClock) -> None:
    """F-25: what a lease affords is put back when another limit of the request refuses."""
    one, other = relaxed
    taken(one, clock, claim(DAILY, clock.wall))
    for _ in range(5):
        assert isinstance(
            take(one, clock, claim(DAILY, clock.wall), claim(NONE, clock.wall)), Exceeded
        )
    assert used(one, clock)["daily"] == 1
    one.sweep(clock.now())
    one.sweep(clock.now())
    assert drain(other, clock, claim(DAILY, clock.wall)) == AMOUNT - 1


def test_a_lease_counts_in_no_reading(relaxed: Pair, clock: ManualClock) -> None:
    """F-26: what is only leased is not used."""
    one, other = relaxed
    taken(one, clock, claim(HOUR, clock.wall, 3))
    assert used(other, clock) == {"hour": 3}


@pytest.mark.anyio
async def test_who_waits_is_let_in_from_a_lease_that_came(server: RedisServer) -> None:
    """F-37: hundreds of requests at once, far from the limit, ask the store a few times alone."""
    wide = limit("wide", 1_000_000, "1 hour")
    async with place(server) as at:

        async def used_again_and_again() -> None:
            for _ in range(20):
                at.node.settle(await at.node.take(wide))
                await asyncio.sleep(0)

        asked = at.node.channel.calls
        await asyncio.gather(*(used_again_and_again() for _ in range(40)))
        assert at.node.channel.calls - asked < 80
        await at.node.counters.flush()
        assert await at.used() == {"wide": 800}
