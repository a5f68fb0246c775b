"""Units that are told late: they count as of their own moment, where that still counts."""

from __future__ import annotations

import pytest

from fairuse.base.clock import ManualClock
from fairuse.rules.calendar_tally import CalendarTally
from fairuse.rules.rolling import GRAINS, RollingTally
from fairuse.rules.tally import Slot, Tally, TallyKey
from fairuse.rules.windows import Span

KEY = TallyKey("salon-anna", "pages", "calendar day", ())
DAY = 86_400
LATE = 3 * DAY


def _day(number: int) -> Span:
    return Span(number * DAY, (number + 1) * DAY)


def _tell(tally: Tally, units: int, late: float, clock: ManualClock) -> Slot | None:
    """Tell of units so many seconds after they were used."""
    now = clock.now()
    tally.expire(now)
    moment = now.wall - late
    slot = tally.slot_at(moment, now, _day(int(moment // DAY)))
    if slot is not None:
        tally.settle(slot, 0, units)
    return slot


def _use(tally: Tally, units: int, clock: ManualClock) -> Slot:
    now = clock.now()
    tally.expire(now)
    slot = tally.take(units, now, _day(int(now.wall // DAY)))
    tally.settle(slot, units, units)
    return slot


def _used(tally: Tally, clock: ManualClock) -> int:
    tally.expire(clock.now())
    return tally.used


@pytest.mark.parametrize("late", [0, 0.5, 30, 59.5])
@pytest.mark.parametrize("others", [[], [40], [0], [40, 0], [50, 40, 20, 0]], ids=str)
def test_a_late_unit_leaves_when_it_would_have(late: float, others: list[float]) -> None:
    """S16, E18: a unit told late leaves one window length after it was used, whoever else does."""
    clock = ManualClock(10 * DAY)
    tally = RollingTally(KEY, 60)
    age = 50.0
    for other in others:
        clock.advance(age - other)
        age = other
        _use(tally, 0, clock)
    clock.advance(age)
    slot = _tell(tally, 7, late, clock)
    assert slot is not None
    assert _used(tally, clock) == 7
    clock.advance(60 - late - 1 / 64)
    assert _used(tally, clock) == 7
    clock.advance(60 / GRAINS + 1 / 64)
    assert _used(tally, clock) == 0


def test_late_units_share_a_grain() -> None:
    """S16, E18: units of one grain leave together, one window length after the latest of them."""
    clock = ManualClock(10 * DAY)
    tally = RollingTally(KEY, 64)
    slot = _use(tally, 1, clock)
    clock.advance(10)
    for late in (9.5, 9.25, 9.75):
        assert _tell(tally, 1, late, clock) is slot
    later = _tell(tally, 1, 8.75, clock)
    assert later is not slot
    assert _tell(tally, 1, 8.25, clock) is later
    clock.advance(54.74)
    assert _used(tally, clock) == 6
    clock.advance(0.01)
    assert _used(tally, clock) == 2
    clock.advance(1)
    assert _used(tally, clock) == 0


@pytest.mark.parametrize("late", [60, 60.5, 86_400])
def test_a_unit_of_a_window_gone_by_counts_nowhere(late: float) -> None:
    """S16, E18: a unit that would have left a rolling window by now is not counted in it."""
    clock = ManualClock(10 * DAY)
    tally = RollingTally(KEY, 60)
    _use(tally, 3, clock)
    assert _tell(tally, 7, late, clock) is None
    assert (_used(tally, clock), len(tally.slots)) == (3, 1)


def test_a_late_unit_keeps_nobody_elses() -> None:
    """E18: a unit that is told late holds back no unit that was used long before it."""
    clock = ManualClock(10 * DAY)
    tally = RollingTally(KEY, 60)
    _use(tally, 3, clock)
    clock.advance(59)
    _tell(tally, 5, 1, clock)
    assert (_used(tally, clock), tally.frees_in(1, clock.now())) == (8, 1)
    clock.advance(1)
    assert (_used(tally, clock), tally.frees_in(5, clock.now())) == (5, 58)


def test_a_unit_of_the_future_counts_now() -> None:
    """S16: a sender whose clock is ahead tells of units that count as of now."""
    clock = ManualClock(10 * DAY)
    tally = RollingTally(KEY, 60)
    _tell(tally, 5, -30, clock)
    assert (_used(tally, clock), tally.resets_in(clock.now())) == (5, 60)


@pytest.mark.parametrize("order", [1, -1])
def test_late_units_fill_no_memory(order: int) -> None:
    """F-44 (bounded): in whatever order late units are told, about 128 slots hold them all."""
    clock = ManualClock(10 * DAY)
    tally = RollingTally(KEY, 64)
    _use(tally, 1, clock)
    clock.advance(63)
    for number in range(2_000)[::order]:
        _tell(tally, 1, number / 32, clock)
    assert _used(tally, clock) == 2_001
    assert len(tally.slots) <= 2 * (GRAINS + 1)
    assert len({slot.key for slot in tally.slots}) == len(tally.slots)


def test_a_name_is_never_given_twice() -> None:
    """F-31: where the clock left no name for another slot, a late unit leaves a little later."""
    clock = ManualClock(10 * DAY)
    tally = RollingTally(KEY, 64)
    _use(tally, 1, clock)
    clock.advance(10)
    clock.step_wall(-3_600)
    later = _use(tally, 1, clock)
    assert _tell(tally, 5, 5, clock) is later
    assert [slot.key for slot in tally.slots] == [10 * DAY * 1_000, 10 * DAY * 1_000 + 1]
    clock.advance(59.5)
    assert _used(tally, clock) == 6


def test_a_late_unit_counts_in_its_own_window() -> None:
    """S16 (late): a unit of yesterday counts yesterday, with what was used then, and not today."""
    clock = ManualClock(10.5 * DAY)
    tally = CalendarTally(KEY, LATE)
    yesterday = _use(tally, 3, clock)
    clock.advance(DAY)
    today = _use(tally, 1, clock)
    assert _tell(tally, 5, DAY, clock) is yesterday
    assert (yesterday.settled, today.settled, _used(tally, clock)) == (8, 1, 1)
    assert (tally.reading(yesterday), tally.reading(today)) == (8, 1)
    assert (tally.opened_at, tally.frees_in(1, clock.now())) == (11 * DAY, DAY / 2)
    assert _tell(tally, 5, 3_600, clock) is today
    assert (yesterday.settled, _used(tally, clock)) == (8, 6)


def test_a_late_unit_may_take_its_window_over() -> None:
    """S16 (may raise): a late unit takes its own window over its amount once, and no other."""
    clock = ManualClock(10.5 * DAY)
    tally = CalendarTally(KEY, LATE)
    yesterday = _use(tally, 5, clock)
    assert not tally.crosses(yesterday, 5)
    clock.advance(DAY)
    today = _use(tally, 5, clock)
    _tell(tally, 1, DAY, clock)
    assert [tally.crosses(slot, 5) for slot in (yesterday, today, yesterday)] == [
        True,
        False,
        False,
    ]


def test_late_units_of_days_that_nothing_was_used_in() -> None:
    """S16 (out of order): days told of backwards have a window each, in their order."""
    clock = ManualClock(10.5 * DAY)
    tally = CalendarTally(KEY, LATE)
    today = _use(tally, 1, clock)
    for late in (1, 3, 2, 3, 1):
        _tell(tally, late, late * DAY, clock)
        assert tally.used == 1
    assert [(slot.key, slot.settled) for slot in tally.slots] == [
        (7 * DAY * 1_000, 6),
        (8 * DAY * 1_000, 2),
        (9 * DAY * 1_000, 2),
        (10 * DAY * 1_000, 1),
    ]
    assert [slot.over for slot in tally.slots] == [True, True, True, False]
    assert (tally.slots[-1], _used(tally, clock), tally.live) == (today, 1, True)


def test_a_late_unit_of_an_unused_tally() -> None:
    """S16: a tally may begin with a window that is over; today is not used, and begins anew."""
    clock = ManualClock(10.5 * DAY)
    tally = CalendarTally(KEY, LATE)
    yesterday = _tell(tally, 5, DAY, clock)
    assert yesterday is not None
    assert (yesterday.settled, _used(tally, clock), tally.live) == (5, 0, False)
    assert tally.resets_in(clock.now()) == 0
    today = _use(tally, 1, clock)
    assert ([*tally.slots], _used(tally, clock)) == ([yesterday, today], 1)


def test_a_unit_of_an_hour_ago_opens_todays_window() -> None:
    """S16: what was used earlier in the window of this moment counts in it, also as the first."""
    clock = ManualClock(10.5 * DAY)
    tally = CalendarTally(KEY, LATE)
    slot = _tell(tally, 5, 3_600, clock)
    assert slot is not None
    assert (tally.used, slot.over, slot.key) == (5, False, 10 * DAY * 1_000)
    assert _use(tally, 1, clock) is slot


@pytest.mark.parametrize(("waited", "kept"), [(2.5 * DAY, True), (3.5 * DAY, False)])
def test_a_window_is_kept_as_long_as_it_may_be_told_of(waited: float, kept: bool) -> None:
    """S16 (3 days), F-44: a window that is over is kept while units may be told late, no longer."""
    clock = ManualClock(10.5 * DAY)
    tally = CalendarTally(KEY, LATE)
    first = _use(tally, 3, clock)
    assert tally.forgotten_in(clock.now()) == 0.5 * DAY + LATE
    clock.advance(waited + 0.5 * DAY)
    assert (tally.forgotten_in(clock.now()) > 0) == kept
    _use(tally, 1, clock)
    assert (first in tally.slots) == kept


def test_a_clock_set_back_opens_no_earlier_window() -> None:
    """F-31, F-26: where the wall clock goes back, an earlier window that is kept stays over."""
    clock = ManualClock(10.5 * DAY)
    tally = CalendarTally(KEY, LATE)
    early = tally.take(4, clock.now(), _day(10))
    clock.advance(DAY)
    _use(tally, 1, clock)
    clock.step_wall(-DAY)
    assert _used(tally, clock) == 1
    tally.settle(early, 4, 7)
    assert (tally.used, early.settled, _used(tally, clock)) == (1, 7, 1)


@pytest.mark.parametrize("span", [None, _day(9)])
def test_a_late_unit_needs_the_window_of_its_moment(span: Span | None) -> None:
    """A calendar tally that is not told the moment's window is a mistake of ours, and says so."""
    clock = ManualClock(10.5 * DAY)
    with pytest.raises(ValueError, match="needs the window of the moment"):
        CalendarTally(KEY).slot_at(10.25 * DAY, clock.now(), span)
