"""F-44: counters in memory when names are made up: who is held to a limit stays held to it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from tests.stores.support import MemoryStore, claim, limit, settled, take, taken, used

from fairuse.rules.tally import Tally
from fairuse.stores.protocol import Exceeded, Outcome, Receipt

if TYPE_CHECKING:
    from fairuse.base.clock import ManualClock
    from fairuse.rules.terms import LimitTerms

MOST = 20
TEN = limit("ten", 10, "calendar month")
ONE = limit("one", 1, "calendar month")


def accept(store: MemoryStore, clock: ManualClock, terms: LimitTerms, place: str) -> None:
    """Have a request accepted that surely fits."""
    receipt = taken(store, clock, claim(terms, clock.wall, place=place))
    store.settle(receipt, Outcome.ACCEPTED, {}, clock.now())


def make_up(store: MemoryStore, clock: ManualClock, count: int) -> None:
    """Have made-up names use a unit each."""
    for number in range(count):
        accept(store, clock, TEN, f"made-up-{number}")
        assert len(store) <= 2 * MOST


def test_made_up_names_are_served_and_forgotten(clock: ManualClock) -> None:
    """F-44: a thousand names are all served, and no more of them remembered than have room."""
    with MemoryStore(most=MOST) as store:
        make_up(store, clock, 1_000)
        room = store.memory.room
        assert room.evicted + room.turned_away == 1_000 - len(store)


@pytest.mark.parametrize("units", [5, 9, 10])
def test_who_is_near_a_limit_is_held_to_it(clock: ManualClock, units: int) -> None:
    """F-44: making up names is no way to have one's own count forgotten."""
    with MemoryStore(most=MOST) as store:
        for _ in range(units):
            accept(store, clock, TEN, "own")
        make_up(store, clock, 1_000)
        own = [take(store, clock, claim(TEN, clock.wall, place="own")) for _ in range(11 - units)]
        assert [isinstance(each, Receipt) for each in own] == [True] * (10 - units) + [False]


def test_what_is_under_way_is_not_forgotten(clock: ManualClock) -> None:
    """F-44, E11: who holds a place holds it, however many names are made up meanwhile."""
    at_once = limit("at-once", 3, "always", measure="in flight")
    with MemoryStore(most=MOST) as store:
        held = [taken(store, clock, claim(at_once, clock.wall, place="own")) for _ in range(3)]
        make_up(store, clock, 1_000)
        assert isinstance(take(store, clock, claim(at_once, clock.wall, place="own")), Exceeded)
        store.settle(held[0], Outcome.ACCEPTED, {}, clock.now())
        assert used(store, clock)["at-once"] == 2


def test_who_comes_back_goes_on_with_the_same_claim(clock: ManualClock) -> None:
    """F-44, F-26: a claim whose count was forgotten meanwhile begins anew, and is found again."""
    with MemoryStore(most=MOST) as store:
        own = claim(TEN, clock.wall, 2, place="own")
        for receipt in [taken(store, clock, own)]:
            store.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
        make_up(store, clock, 1_000)
        again = taken(store, clock, own)
        store.settle(again, Outcome.ACCEPTED, {}, clock.now())
        [reading] = [
            reading
            for reading in store.read("anna", clock.now())
            if dict(reading.scope) == {"location": "own"}
        ]
        assert (reading.settled, reading.used) == (2, 2)


def test_room_for_one_claim_takes_nothing_from_another(clock: ManualClock) -> None:
    """F-25, F-44: a request that needs room for one limit loses no unit of its other limits."""
    wide = limit("wide", 10_000, "calendar month")
    with MemoryStore(most=MOST) as store:
        accept(store, clock, wide, "")
        for number in range(1_000):
            claims = claim(TEN, clock.wall, place=f"{number}"), claim(wide, clock.wall)
            store.settle(taken(store, clock, *claims), Outcome.ACCEPTED, {}, clock.now())
        assert settled(store, clock)["wide"] == 1_001


def test_who_is_forgotten_takes_no_memory(clock: ManualClock) -> None:
    """F-44: of a count that was forgotten nothing is left, however long its window goes on."""
    with MemoryStore(most=MOST) as store:
        make_up(store, clock, 1_000)
        store.write(clock.now())
        gc.collect()
        left = [each for each in gc.get_objects() if isinstance(each, Tally)]
        assert len([tally for tally in left if tally.key.limit == TEN.name]) <= 2 * MOST


def full(store: MemoryStore, clock: ManualClock) -> None:
    """Fill twice the room with names that are all at their limits."""
    for number in range(2 * MOST):
        accept(store, clock, ONE, f"{number}")
    assert len(store) == 2 * MOST


def test_who_finds_no_room_is_served_and_not_counted(clock: ManualClock) -> None:
    """F-44, P4: beyond the bound nobody is refused for want of room, and nobody else forgotten."""
    with MemoryStore(most=MOST) as store:
        full(store, clock)
        for _ in range(3):
            accept(store, clock, ONE, "beyond")
        assert (len(store), store.memory.room.turned_away) == (2 * MOST, 3)
        for number in range(2 * MOST):
            assert isinstance(
                take(store, clock, claim(ONE, clock.wall, place=f"{number}")), Exceeded
            )


def test_who_finds_no_room_is_told_of_nothing_and_written_nowhere(clock: ManualClock) -> None:
    """F-44: what is not remembered opens no case, and takes no row in the ledger."""
    soft = limit("soft", 0, "calendar month", over="case")
    with MemoryStore(most=MOST) as store:
        full(store, clock)
        receipt = taken(store, clock, claim(soft, clock.wall, place="beyond"))
        assert store.settle(receipt, Outcome.ACCEPTED, {}, clock.now()) == []
        assert len(store.write(clock.now())) == 2 * MOST


def test_who_finds_no_room_leaves_nothing_written(clock: ManualClock) -> None:
    """F-44, F-26 (strict): a refused request of one who found no room is no unit after a crash."""
    with MemoryStore(most=MOST, strict=True) as store:
        full(store, clock)
        store.write(clock.now())
        receipt = taken(store, clock, claim(ONE, clock.wall, place="beyond"))
        rows = store.write(clock.now())
        store.settle(receipt, Outcome.REFUSED, {}, clock.now())
        rows |= store.write(clock.now())
        assert sum(rows.values()) == 0


def test_there_is_room_again_when_windows_are_over(clock: ManualClock) -> None:
    """F-44: who found no room is counted as soon as there is some."""
    with MemoryStore(most=MOST) as store:
        full(store, clock)
        clock.advance(40 * 86_400)
        store.sweep(clock.now())
        assert len(store) == 0
        accept(store, clock, ONE, "beyond")
        assert isinstance(take(store, clock, claim(ONE, clock.wall, place="beyond")), Exceeded)
