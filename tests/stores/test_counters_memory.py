"""What counters in memory forget while they run, and what they keep."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from tests.stores.support import DAY, MemoryStore, claim, limit, take, taken, used
from tests.support import NOON

from fairuse.stores.protocol import Exceeded, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.base.clock import ManualClock

MONTH = "calendar month"


@pytest.fixture
def counters() -> Iterator[MemoryStore]:
    """Give an empty store in memory."""
    with MemoryStore() as store:
        yield store


def test_what_is_over_is_forgotten(counters: MemoryStore, clock: ManualClock) -> None:
    """F-44 (in part): windows that are over leave nothing behind, and neither do refused ids."""
    minute, month = limit("minute", 5), limit("month", 5, MONTH)
    for number in range(500):
        claims = [claim(terms, clock.wall, place=f"{number}") for terms in (minute, month)]
        receipt = taken(counters, clock, *claims)
        outcome = Outcome.REFUSED if number % 5 else Outcome.ACCEPTED
        counters.settle(receipt, outcome, {}, clock.now())
    assert len(counters) == 200
    clock.advance(121)
    counters.sweep(clock.now())
    assert len(counters) == 100
    clock.advance(40 * DAY)
    counters.sweep(clock.now())
    assert len(counters) == 0
    assert sys.getsizeof(counters.memory._due) < 1_000


def test_who_is_done_is_forgotten(counters: MemoryStore, clock: ManualClock) -> None:
    """F-44 (in part): places that are free again leave nothing behind; those in use stay."""
    at_once = limit("at-once", 1, "always", measure="in flight")
    held = taken(counters, clock, claim(at_once, NOON, place="held"))
    for number in range(100):
        receipt = taken(counters, clock, claim(at_once, NOON, place=f"{number}"))
        counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    clock.advance(121)
    counters.sweep(clock.now())
    assert len(counters) == 1
    refused = take(counters, clock, claim(at_once, NOON, place="held"))
    assert isinstance(refused, Exceeded)
    counters.settle(held, Outcome.ACCEPTED, {}, clock.now())
    clock.advance(121)
    counters.sweep(clock.now())
    assert len(counters) == 0


def test_what_is_needed_is_not_forgotten(counters: MemoryStore, clock: ManualClock) -> None:
    """E22, S16: a level, and a month that may still be raised, are kept beyond their windows."""
    stored = limit("stored", 10, MONTH, over="charge", measure="gauge")
    late = limit("late", 10, MONTH, over="case")
    for terms in (stored, late):
        receipt = taken(counters, clock, claim(terms, NOON))
        counters.settle(receipt, Outcome.ACCEPTED, {"m": 4}, clock.now())
    span = late.span(NOON)
    assert span is not None
    for moment, known in ((span.end + 6 * DAY, 2), (span.end + 8 * DAY, 1)):
        clock.advance(moment - clock.wall)
        counters.sweep(clock.now())
        assert len(counters) == known


def test_what_a_request_would_need_is_told_without_counting(
    counters: MemoryStore, clock: ManualClock
) -> None:
    """E21: one who has a seat needs none; asking takes up no room and leaves nothing behind."""
    seats = limit("seats", 2, MONTH, over="deny user", measure="users")
    receipt = taken(counters, clock, claim(seats, NOON, member="a"))
    counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    other = limit("other", 2, MONTH)
    needs = [
        counters.memory.needs("anna", asked, clock.now())
        for asked in (
            claim(seats, NOON, member="a"),
            claim(seats, NOON, member="b"),
            claim(other, NOON, 7),
        )
    ]
    assert needs == [0, 1, 7]
    assert used(counters, clock) == {"seats": 1}
    assert len(counters) == 1
