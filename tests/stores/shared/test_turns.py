"""The turn of a window, while processes tell of the old one and ask for the new one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.support import TURN, asked_late, count, drain
from tests.stores.support import DAY, claim, limit, settled, take, taken, used

from fairuse.rules.claims import Claims
from fairuse.stores.protocol import Exceeded, Outcome

if TYPE_CHECKING:
    from tests.stores.shared.support import Pair

    from fairuse.base.clock import ManualClock

pytestmark = REDIS_MARKS

THREE = limit("three", 3, "calendar day")
SOFT = limit("soft", 3, "calendar day", over="case")
SEATS = limit("seats", 2, "calendar day", over="deny user", measure="users")


def test_a_new_day_is_new_for_both(pair: Pair, clock: ManualClock) -> None:
    """F-32: one window ends for every process, and the next begins."""
    one, other = pair
    for _ in range(3):
        assert drain(one, clock, claim(THREE, clock.wall)) == 3
        assert isinstance(take(other, clock, claim(THREE, clock.wall)), Exceeded)
        clock.advance(DAY)


def test_what_was_reserved_yesterday_counts_yesterday(pair: Pair, clock: ManualClock) -> None:
    """F-26: a request counts in the window it was let in in, whoever else begins the next one."""
    one, other = pair
    clock.advance(TURN - 1)
    request = taken(one, clock, claim(THREE, clock.wall, 2))
    clock.advance(2)
    assert drain(other, clock, claim(THREE, clock.wall)) == 3
    one.settle(request, Outcome.ACCEPTED, {"m": 3}, clock.now())
    assert used(one, clock) == used(other, clock) == {"three": 3}


def test_what_is_decided_after_midnight_counts_there(pair: Pair, clock: ManualClock) -> None:
    """F-23, F-26: what is asked before midnight and heard after it takes a unit of the new day."""
    one, other = pair
    clock.advance(TURN - 1)
    before = claim(THREE, clock.wall)
    with asked_late(one, clock, 2):
        request = taken(one, clock, before)
    one.sweep(clock.now())
    assert used(other, clock) == {"three": 1}
    assert drain(other, clock, claim(THREE, clock.wall)) == 2
    one.settle(request, Outcome.ACCEPTED, {}, clock.now())
    assert settled(other, clock) == {"three": 3}
    assert isinstance(take(other, clock, claim(THREE, clock.wall)), Exceeded)


def test_an_open_request_of_yesterday_holds_nothing_today(pair: Pair, clock: ManualClock) -> None:
    """F-26: who renews what it holds since yesterday takes nothing from today."""
    one, other = pair
    clock.advance(TURN - 1)
    taken(one, clock, claim(THREE, clock.wall, 3))
    for _ in range(3):
        clock.advance(4)
        one.sweep(clock.now())
    assert drain(other, clock, claim(THREE, clock.wall)) == 3


def test_what_is_let_in_today_is_read_at_once(pair: Pair, clock: ManualClock) -> None:
    """F-26: a soft limit's open units of a new day are in the first reading of the day."""
    one, other = pair
    count(one, clock, claim(SOFT, clock.wall, 2))
    clock.advance(DAY)
    taken(one, clock, claim(SOFT, clock.wall))
    assert used(one, clock) == {"soft": 1}
    assert used(other, clock) == {"soft": 1}


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "told"])
def test_who_was_seen_yesterday_is_not_known_today(
    pair: Pair, clock: ManualClock, *, begun: bool
) -> None:
    """F-23, E21: a member that is told of after midnight has its seat of yesterday, and no more."""
    one, other = pair
    clock.advance(TURN - 1)
    request = taken(one, clock, claim(SEATS, clock.wall, member="anna"))
    clock.advance(2)
    if begun:
        count(other, clock, claim(SEATS, clock.wall, member="bert"))
    one.settle(request, Outcome.ACCEPTED, {}, clock.now())
    for member in "bert", "carl":
        count(other, clock, claim(SEATS, clock.wall, member=member))
    assert isinstance(take(one, clock, claim(SEATS, clock.wall, member="anna")), Exceeded)
    assert used(one, clock) == {"seats": 2}


def test_what_is_told_after_midnight_is_no_usage_of_today(pair: Pair, clock: ManualClock) -> None:
    """F-26, S16: an event of yesterday that one process records is no unit of today for another."""
    one, other = pair
    yesterday = clock.wall
    clock.advance(DAY)
    taken(other, clock, claim(THREE, clock.wall))
    one.record("anna", claim(THREE, yesterday, 3), yesterday, clock.now())
    assert drain(other, clock, claim(THREE, clock.wall)) == 2


def test_a_request_is_decided_by_its_own_amount(pair: Pair, clock: ManualClock) -> None:
    """F-28: what another claim on the same count allows does not decide about this one."""
    one, _ = pair
    large = claim(limit("three", 100, "calendar day"), clock.wall, 0)

    async def asked_and_recorded() -> object:
        asking = one.shared.reserve("anna", Claims([claim(THREE, clock.wall, 4)]), clock.now())
        task = asyncio.ensure_future(asking)
        await asyncio.sleep(0)
        one.shared.record("anna", large, clock.wall, clock.now())
        return await task

    one.before(clock.now())
    assert isinstance(one.run(asked_and_recorded()), Exceeded)
