"""The promises of the counter protocol about levels: what is under way, and what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.support import DAY, claim, limit, refused, settled, take, taken, used
from tests.support import NOON

from fairuse.stores.protocol import Exceeded, Outcome

if TYPE_CHECKING:
    from tests.stores.support import Store

    from fairuse.base.clock import ManualClock
    from fairuse.rules.windows import Span
    from fairuse.stores.protocol import Receipt

MONTH = "calendar month"
AT_ONCE = limit("at-once", 2, "always", measure="in flight")
PEAK = limit("peak", 5, MONTH, over="charge", measure="in flight")
STORED = limit("stored", 10, "always", measure="gauge")
HIGHEST = limit("highest", 10, MONTH, over="charge", measure="gauge")


def month_of(moment: float) -> Span:
    """Give the month that holds a moment."""
    span = PEAK.span(moment)
    assert span is not None
    return span


@pytest.mark.parametrize("outcome", Outcome)
def test_who_is_done_makes_room(counters: Store, clock: ManualClock, outcome: Outcome) -> None:
    """E11, E13: with 2 under way the third is refused, until one is done, whatever became of it."""
    first, _ = (taken(counters, clock, claim(AT_ONCE, clock.wall)) for _ in range(2))
    for _ in range(3):
        assert refused(counters, clock, claim(AT_ONCE, clock.wall)) == (AT_ONCE, 2, None)
    clock.advance(10 * DAY)
    assert isinstance(take(counters, clock, claim(AT_ONCE, clock.wall)), Exceeded)
    counters.settle(first, outcome, {}, clock.now())
    taken(counters, clock, claim(AT_ONCE, clock.wall))
    assert used(counters, clock) == {"at-once": 2}


def test_the_most_at_once_is_recorded_and_nobody_is_refused(
    counters: Store, clock: ManualClock
) -> None:
    """S9, E12, E14: 7 under way where 5 are agreed are all served, and a peak of 7 is told once."""
    receipts = [taken(counters, clock, claim(PEAK, clock.wall)) for _ in range(7)]
    told = []
    for receipt in receipts:
        told += counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    # A store that others ask, too, tells of it as soon as the sixth comes.
    assert [(crossing.reading in {6, 7}, crossing.amount) for crossing in told] == [(True, 5)]
    assert (used(counters, clock), settled(counters, clock)) == ({"peak": 0}, {"peak": 7})
    later = taken(counters, clock, claim(PEAK, clock.wall))
    assert counters.settle(later, Outcome.ACCEPTED, {}, clock.now()) == []
    assert settled(counters, clock) == {"peak": 7}


def test_what_ends_in_the_next_month_raises_no_earlier_peak(
    counters: Store, clock: ManualClock
) -> None:
    """E12: a request that outlives its month adds nothing to the peak of the month it began in."""
    held = [taken(counters, clock, claim(PEAK, clock.wall)) for _ in range(5)]
    clock.advance(30 * DAY)
    new = [taken(counters, clock, claim(PEAK, clock.wall)) for _ in range(3)]
    told = []
    for receipt in (*held, *new):
        told += counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    assert [(crossing.reading > 5, crossing.starts_at) for crossing in told] == [
        (True, month_of(clock.wall).start)
    ]
    assert (used(counters, clock), settled(counters, clock)) == ({"peak": 0}, {"peak": 8})


def test_a_new_month_begins_with_what_is_under_way(counters: Store, clock: ManualClock) -> None:
    """E12: what is still under way when a month begins is part of that month's peak."""
    held = [taken(counters, clock, claim(PEAK, clock.wall)) for _ in range(4)]
    clock.advance(30 * DAY)
    receipt = taken(counters, clock, claim(PEAK, clock.wall))
    for each in (*held, receipt):
        assert counters.settle(each, Outcome.ACCEPTED, {}, clock.now()) == []
    assert settled(counters, clock) == {"peak": 5}


def put(counters: Store, clock: ManualClock, level: int | None) -> Receipt:
    """Do something after which so much is stored, as the answer says."""
    receipt = taken(counters, clock, claim(STORED, clock.wall, 1), claim(HIGHEST, clock.wall, 1))
    counters.settle(receipt, Outcome.ACCEPTED, {"m": level}, clock.now())
    return receipt


def test_a_store_that_is_full_takes_no_more_until_something_is_deleted(
    counters: Store, clock: ManualClock
) -> None:
    """E26, E27: at its amount new storage is refused, a deletion never is, and it makes room."""
    put(counters, clock, 10)
    assert refused(counters, clock, claim(STORED, clock.wall)) == (STORED, 10, None)
    clock.advance(40 * DAY)
    assert isinstance(take(counters, clock, claim(STORED, clock.wall)), Exceeded)
    deletion = taken(counters, clock, claim(STORED, clock.wall, 0, refusable=False))
    counters.settle(deletion, Outcome.ACCEPTED, {"m": 9}, clock.now())
    put(counters, clock, 10)
    assert used(counters, clock) == {"stored": 10, "highest": 10}


def test_what_is_over_already_can_still_be_lowered(counters: Store, clock: ManualClock) -> None:
    """E27: while more is stored than agreed, what only lowers it is let through."""
    put(counters, clock, 50)
    deletion = taken(counters, clock, claim(STORED, clock.wall, 0, refusable=False))
    assert counters.settle(deletion, Outcome.ACCEPTED, {"m": 40}, clock.now()) == []
    assert used(counters, clock)["stored"] == 40


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN])
def test_a_level_that_nobody_told_stays(
    counters: Store, clock: ManualClock, outcome: Outcome
) -> None:
    """E22: an answer that says nothing, or a request that failed, leaves the level as it was."""
    put(counters, clock, 4)
    put(counters, clock, None)
    receipt = taken(counters, clock, claim(HIGHEST, clock.wall))
    counters.settle(receipt, outcome, {"m": 9}, clock.now())
    assert used(counters, clock) == {"stored": 4, "highest": 4}


def test_the_highest_level_of_a_month_is_what_is_measured(
    counters: Store, clock: ManualClock
) -> None:
    """E22, E23: the most that was stored stays the month's figure; the next begins with what is."""
    for level in (3, 9, 2):
        put(counters, clock, level)
    assert (used(counters, clock)["highest"], settled(counters, clock)["highest"]) == (2, 9)
    clock.advance(30 * DAY)
    assert (used(counters, clock)["highest"], settled(counters, clock)["highest"]) == (2, 2)
    put(counters, clock, 4)
    assert (used(counters, clock)["highest"], settled(counters, clock)["highest"]) == (4, 4)


def test_a_level_that_outlasts_its_month_is_no_figure_of_it(
    counters: Store, clock: ManualClock
) -> None:
    """E23: what is stored when a month is over takes nothing from that month's highest."""
    put(counters, clock, 9)
    put(counters, clock, 2)
    clock.advance(30 * DAY)
    [reading] = [each for each in counters.read("anna", clock.now()) if each.limit == "highest"]
    assert (reading.settled, reading.starts_at) == (2, 0)


def test_a_level_over_its_amount_is_told_once_a_month(counters: Store, clock: ManualClock) -> None:
    """E23: storage over its amount refuses nothing where it is charged, and is told once."""
    told = []
    for level in (11, 12, 3, 13):
        receipt = taken(counters, clock, claim(HIGHEST, clock.wall))
        told += counters.settle(receipt, Outcome.ACCEPTED, {"m": level}, clock.now())
    assert [crossing.reading for crossing in told] == [11]


def test_the_latest_word_about_a_level_holds(counters: Store, clock: ManualClock) -> None:
    """S16, E22: an older level that arrives later raises the highest at most, not the level."""
    for moment, level in ((NOON, 6), (NOON - 60, 9), (NOON - 30, 1)):
        for terms in (STORED, HIGHEST):
            assert counters.record("anna", claim(terms, moment, level), moment, clock.now()) == []
    assert used(counters, clock) == {"stored": 6, "highest": 6}
    assert settled(counters, clock)["highest"] == 9


def test_a_level_of_a_closed_month_raises_that_month(counters: Store, clock: ManualClock) -> None:
    """S16: what was stored last month, and told now, is that month's highest and the level now."""
    clock.advance(30 * DAY)
    [crossing] = counters.record("anna", claim(HIGHEST, NOON, 12), NOON, clock.now())
    assert (crossing.reading, crossing.ends_at) == (12, month_of(NOON).end)
    later = taken(counters, clock, claim(HIGHEST, clock.wall))
    counters.settle(later, Outcome.REFUSED, {}, clock.now())
    assert used(counters, clock) == settled(counters, clock) == {"highest": 12}


def test_levels_of_places_are_apart(counters: Store, clock: ManualClock) -> None:
    """E22: what is stored at one place takes no room from another."""
    receipt = taken(counters, clock, claim(STORED, clock.wall, place="a"))
    counters.settle(receipt, Outcome.ACCEPTED, {"m": 10}, clock.now())
    assert isinstance(take(counters, clock, claim(STORED, clock.wall, place="a")), Exceeded)
    taken(counters, clock, claim(STORED, clock.wall, place="b"))
