"""What a strict journal hears of counters in memory: what is reserved, besides what is settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.support import MemoryStore, claim, limit, take, taken
from tests.support import NOON

from fairuse.stores.protocol import Exceeded, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.base.clock import ManualClock

MONTH = limit("month", 10, "calendar month")
MINUTE = limit("minute", 10)


@pytest.fixture
def strict() -> Iterator[MemoryStore]:
    """Give an empty store whose journal is strict."""
    with MemoryStore(strict=True) as store:
        yield store


@pytest.fixture
def relaxed() -> Iterator[MemoryStore]:
    """Give an empty store whose journal is not."""
    with MemoryStore() as store:
        yield store


def written(store: MemoryStore, clock: ManualClock) -> dict[str, int]:
    """Write what was noted since the last time, limit by limit."""
    return {key.limit: units for (key, _), units in store.write(clock.now()).items()}


def test_what_is_reserved_is_written_where_strict(
    strict: MemoryStore, relaxed: MemoryStore, clock: ManualClock
) -> None:
    """S15: a strict row has the open units in it, so that a crash forgets none of them."""
    for store in (strict, relaxed):
        first = taken(store, clock, claim(MONTH, NOON, 2), claim(MINUTE, NOON, 2))
        store.settle(first, Outcome.ACCEPTED, {}, clock.now())
        taken(store, clock, claim(MONTH, NOON, 3), claim(MINUTE, NOON, 3))
    assert written(strict, clock) == {"month": 5, "minute": 5}
    assert written(relaxed, clock) == {"month": 2, "minute": 2}


def test_what_is_only_reserved_is_nothing_to_a_relaxed_journal(
    relaxed: MemoryStore, clock: ManualClock
) -> None:
    """S15: a relaxed journal is not told before a request is settled, and then at once."""
    receipt = taken(relaxed, clock, claim(MONTH, NOON, 3))
    assert written(relaxed, clock) == {}
    relaxed.settle(receipt, Outcome.REFUSED, {}, clock.now())
    assert written(relaxed, clock) == {}


ENDS = [
    (Outcome.ACCEPTED, {}, 5),
    (Outcome.ACCEPTED, {"m": 4}, 6),
    (Outcome.ACCEPTED, {"m": 1}, 3),
    (Outcome.UNKNOWN, {}, 5),
    (Outcome.REFUSED, {}, 2),
]


@pytest.mark.parametrize(("outcome", "costs", "units"), ENDS)
def test_what_a_request_came_to_is_written_again(
    strict: MemoryStore, clock: ManualClock, outcome: Outcome, costs: dict[str, int], units: int
) -> None:
    """F-26: what was written as reserved is written again once it is settled or given back.

    Otherwise a crash would bring back what a refused request never used.
    """
    first = taken(strict, clock, claim(MONTH, NOON, 2))
    strict.settle(first, Outcome.ACCEPTED, {}, clock.now())
    receipt = taken(strict, clock, claim(MONTH, NOON, 3))
    assert written(strict, clock) == {"month": 5}
    strict.settle(receipt, outcome, dict(costs), clock.now())
    assert written(strict, clock) == {"month": units}
    assert written(strict, clock) == {}


def test_what_is_given_back_by_the_first_to_come_is_written(
    strict: MemoryStore, clock: ManualClock
) -> None:
    """F-26: a row of a window in which nothing stays used says so."""
    receipt = taken(strict, clock, claim(MONTH, NOON, 3))
    assert written(strict, clock) == {"month": 3}
    strict.settle(receipt, Outcome.REFUSED, {}, clock.now())
    assert len(strict) == 0
    assert written(strict, clock) == {"month": 0}


def test_who_is_refused_has_nothing_written(strict: MemoryStore, clock: ManualClock) -> None:
    """F-24, F-25: a request that one limit refuses is written for none of them."""
    never = limit("never", 0)
    assert isinstance(take(strict, clock, claim(MONTH, NOON), claim(never, NOON)), Exceeded)
    assert written(strict, clock) == {}


def test_places_and_members_are_written_once_they_are_settled(
    strict: MemoryStore, clock: ManualClock
) -> None:
    """E11, E21: what is under way is over with the process; a seat is had by who was let in."""
    at_once = limit("at-once", 2, "always", measure="in flight")
    seats = limit("seats", 2, "calendar month", over="deny user", measure="users")
    receipt = taken(strict, clock, claim(at_once, NOON), claim(seats, NOON, member="anna"))
    assert written(strict, clock) == {}
    strict.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    assert written(strict, clock) == {"seats": 1}


def test_a_long_request_is_written_as_it_goes_on(strict: MemoryStore, clock: ManualClock) -> None:
    """B08: what a stream has come to so far is written in place of what it had reserved."""
    seconds = limit("seconds", 100, "calendar month", measure="seconds open")
    receipt = taken(strict, clock, claim(seconds, NOON, 1))
    assert written(strict, clock) == {"seconds": 1}
    for total in (30, 60):
        clock.advance(30)
        strict.accrue(receipt, {"m": 30}, clock.now())
        assert written(strict, clock) == {"seconds": total}
    strict.settle(receipt, Outcome.ACCEPTED, {"m": 5}, clock.now())
    assert written(strict, clock) == {"seconds": 65}


def test_a_long_request_leaves_no_reserved_unit_behind(
    strict: MemoryStore, clock: ManualClock
) -> None:
    """B08, F-26: what a stream had reserved at its start is not counted besides what it came to."""
    receipt = taken(strict, clock, claim(MINUTE, NOON, 5))
    rows = strict.write(clock.now())
    clock.advance(10)
    strict.accrue(receipt, {"m": 3}, clock.now())
    rows |= strict.write(clock.now())
    assert sum(rows.values()) == 3
