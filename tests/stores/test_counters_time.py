"""The promises of the counter protocol about time: which window a unit belongs to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.stores.support import claim, limit, refused, settled, take, taken, used
from tests.support import NOON

from fairuse.stores.protocol import Exceeded, Outcome, Receipt

if TYPE_CHECKING:
    from tests.stores.support import Store

    from fairuse.base.clock import ManualClock
    from fairuse.rules.terms import LimitTerms

MONTH, HOUR = "calendar month", 3_600


def end_of_month(terms: LimitTerms) -> int:
    """Give the end of the month that the tests begin in."""
    span = terms.span(NOON)
    assert span is not None
    return span.end


def test_a_window_lasts_as_long_as_it_was_to_last(counters: Store, clock: ManualClock) -> None:
    """F-35: a zone that moves while a month is open neither ends it early nor refills it."""
    one = limit("l", 1, MONTH)
    taken(counters, clock, claim(one, clock.wall))
    moved = replace(one, zone=ZoneInfo("Pacific/Honolulu"))
    assert isinstance(take(counters, clock, claim(moved, clock.wall)), Exceeded)


def test_a_longer_window_follows_a_shorter_one(counters: Store, clock: ManualClock) -> None:
    """F-35: a zone whose day is longer than the one that just ended begins a window that counts."""
    clock.wall = datetime(2026, 10, 25, 12, tzinfo=UTC).timestamp()
    day = replace(limit("l", 2, "calendar day"), zone=ZoneInfo("Africa/Johannesburg"))
    taken(counters, clock, claim(day, clock.wall))
    clock.wall = datetime(2026, 10, 25, 22, 30, tzinfo=UTC).timestamp()
    moved = replace(day, zone=ZoneInfo("Europe/Amsterdam"))
    decisions = [take(counters, clock, claim(moved, clock.wall)) for _ in range(4)]
    assert [isinstance(each, Receipt) for each in decisions] == [True, True, False, False]


def test_a_wall_clock_that_steps_changes_no_burst(counters: Store, clock: ManualClock) -> None:
    """F-31: a step of the wall clock neither locks a rolling window nor refills it."""
    one = limit("l", 1)
    taken(counters, clock, claim(one, clock.wall))
    clock.step_wall(86_400)
    assert isinstance(take(counters, clock, claim(one, clock.wall)), Exceeded)
    clock.step_wall(-2 * 86_400)
    clock.advance(60)
    assert isinstance(take(counters, clock, claim(one, clock.wall)), Receipt)


def test_a_calendar_window_never_goes_back(counters: Store, clock: ManualClock) -> None:
    """F-31: a wall clock that steps back over a month's end opens no second old month."""
    one = limit("l", 1, MONTH)
    clock.wall = end_of_month(one) + 5.0
    taken(counters, clock, claim(one, clock.wall))
    clock.step_wall(-HOUR)
    assert isinstance(take(counters, clock, claim(one, clock.wall)), Exceeded)


def test_what_is_settled_late_belongs_to_its_own_window(
    counters: Store, clock: ManualClock
) -> None:
    """A unit reserved before midnight and settled after it counts in the month it began in."""
    soft = limit("soft", 0, MONTH, over="case")
    end = end_of_month(soft)
    clock.wall = end - 1.0
    receipt = taken(counters, clock, claim(soft, clock.wall))
    clock.advance(2)
    taken(counters, clock, claim(soft, clock.wall))
    [crossing] = counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    assert crossing.ends_at == end
    assert used(counters, clock) == {"soft": 1}


def test_being_slow_is_no_way_around_a_short_limit(counters: Store, clock: ManualClock) -> None:
    """E17, E37: what a slow job came to counts when it is done, and the next one waits."""
    minute = limit("minute", 5)
    receipt = taken(counters, clock, claim(minute, clock.wall))
    clock.advance(90)
    taken(counters, clock, claim(minute, clock.wall))
    counters.settle(receipt, Outcome.ACCEPTED, {"m": 7}, clock.now())
    assert refused(counters, clock, claim(minute, clock.wall)) == (minute, 7, 60)
    clock.advance(60)
    assert used(counters, clock) == {}


def test_what_happened_in_a_closed_month_is_counted_there(
    counters: Store, clock: ManualClock
) -> None:
    """S16: a late event raises its own month, over its amount too, and not the month that runs."""
    soft = limit("soft", 2, MONTH, over="case")
    end = end_of_month(soft)
    clock.wall = end + HOUR
    receipts = [taken(counters, clock, claim(soft, clock.wall)) for _ in range(3)]
    told = [
        counters.record("anna", claim(soft, end - HOUR), end - HOUR, clock.now()) for _ in range(4)
    ]
    assert [[crossing.reading for crossing in each] for each in told] == [[], [], [3], []]
    [crossing] = told[2]
    assert (crossing.starts_at, crossing.ends_at) == claim(soft, NOON).span
    assert used(counters, clock) == {"soft": 3}
    assert counters.settle(receipts[0], Outcome.ACCEPTED, {}, clock.now()) == []
    assert settled(counters, clock) == {"soft": 1}


def test_the_first_that_is_heard_of_an_account_may_be_late(
    counters: Store, clock: ManualClock
) -> None:
    """S16: an event of a closed month opens that month alone; the month that runs is unused."""
    soft = limit("soft", 0, MONTH, over="case")
    end = end_of_month(soft)
    clock.wall = end + HOUR
    [crossing] = counters.record("anna", claim(soft, end - HOUR, 7), end - HOUR, clock.now())
    assert (crossing.reading, crossing.ends_at) == (7, end)
    assert used(counters, clock) == {}
    receipt = taken(counters, clock, claim(soft, clock.wall))
    [now] = counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    assert (now.reading, now.starts_at) == (1, end)


def test_what_happened_in_the_month_that_runs_is_counted_in_it(
    counters: Store, clock: ManualClock
) -> None:
    """S16: out of order or not, events of this month add up, and are never refused."""
    hard = limit("hard", 5, MONTH)
    for moment in (NOON - 86_400, NOON, NOON - HOUR):
        assert counters.record("anna", claim(hard, moment, 3), moment, clock.now()) == []
    assert settled(counters, clock) == {"hard": 9}
    assert isinstance(take(counters, clock, claim(hard, clock.wall)), Exceeded)


def test_what_happened_within_a_short_window_ends_when_it_would_have(
    counters: Store, clock: ManualClock
) -> None:
    """S16, E18: an event of 40 minutes ago counts for 20 minutes more in a rolling hour."""
    hour = limit("hour", 5, "1 hour")
    taken(counters, clock, claim(hour, clock.wall))
    told = clock.wall - 2_400
    assert counters.record("anna", claim(hour, told, 4), told, clock.now()) == []
    assert refused(counters, clock, claim(hour, clock.wall)) == (hour, 5, 1_200)
    clock.advance(1_200)
    assert used(counters, clock) == {"hour": 1}


def test_what_happened_before_a_short_window_is_not_counted_in_it(
    counters: Store, clock: ManualClock
) -> None:
    """S16: an event of an hour ago is nothing to a rolling hour any more."""
    hour = limit("hour", 5, "1 hour")
    told = clock.wall - HOUR
    assert counters.record("anna", claim(hour, told, 4), told, clock.now()) == []
    assert used(counters, clock) == {}
    assert isinstance(take(counters, clock, claim(hour, clock.wall, 5)), Receipt)


def test_a_long_request_counts_while_it_is_open(counters: Store, clock: ManualClock) -> None:
    """B08: what a stream has come to so far counts at once, and its end adds only the rest."""
    minutes = limit("minutes", 5, MONTH, over="case", measure="seconds open")
    receipt = taken(counters, clock, claim(minutes, clock.wall, 0))
    told = []
    for _ in range(3):
        clock.advance(180)
        told += counters.accrue(receipt, {"m": 3, "other": 9}, clock.now())
    assert [crossing.reading for crossing in told] == [6]
    assert counters.settle(receipt, Outcome.REFUSED, {"m": 1}, clock.now()) == []
    assert settled(counters, clock) == used(counters, clock) == {"minutes": 10}


def test_what_is_reserved_for_a_long_request_is_counted_once(
    counters: Store, clock: ManualClock
) -> None:
    """B08: the unit that a long request reserved at its start is part of what it comes to."""
    long = limit("long", 2, MONTH)
    receipt = taken(counters, clock, claim(long, clock.wall))
    assert used(counters, clock) == {"long": 1}
    counters.accrue(receipt, {"m": 1}, clock.now())
    assert used(counters, clock) == settled(counters, clock) == {"long": 1}
    taken(counters, clock, claim(long, clock.wall))
    counters.settle(receipt, Outcome.ACCEPTED, {"m": 0}, clock.now())
    assert (settled(counters, clock), used(counters, clock)) == ({"long": 1}, {"long": 2})
