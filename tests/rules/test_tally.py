"""Counting in one window: rolling and calendar, told once, free again in time."""

from __future__ import annotations

import pytest

from fairuse.base.clock import ManualClock
from fairuse.base.instant import Instant
from fairuse.rules.calendar_tally import CalendarTally
from fairuse.rules.headers import retry_after
from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import Tally, TallyKey
from fairuse.rules.windows import Span

KEY = TallyKey("salon-anna", "burst", "1 minute", ())
DAY = Span(0, 86_400)
NEXT_DAY = Span(86_400, 172_800)


def _used(tally: Tally, clock: ManualClock) -> int:
    tally.expire(clock.now())
    return tally.used


def _wait(tally: Tally, clock: ManualClock) -> tuple[bytes, bytes]:
    """Give the header that says how long a unit must wait."""
    wait = tally.frees_in(1, clock.now())
    assert wait is not None
    return retry_after(wait)


def _settle(tally: Tally, units: int, clock: ManualClock, span: Span | None = None) -> None:
    tally.expire(clock.now())
    tally.settle(tally.take(units, clock.now(), span), units, units)


def test_a_tally_lives_on_one_clock() -> None:
    """F-31: a rolling one on monotonic time, any other on wall time; without a kind on none."""
    now = Instant(wall=1.0, monotonic=2.0)
    assert [now[kind.clock] for kind in (RollingTally, CalendarTally)] == [2.0, 1.0]
    with pytest.raises(AttributeError):
        _ = Tally(KEY).clock
    with pytest.raises(NotImplementedError):
        Tally(KEY).current(now, None)
    with pytest.raises(NotImplementedError):
        Tally(KEY).slot_at(0.0, now, None)
    with pytest.raises(NotImplementedError):
        Tally(KEY).expire(now)


def test_a_plain_tally_keeps_no_level() -> None:
    """What is added up has no level; one unit more is one more, whoever it is from."""
    clock = ManualClock()
    for tally, span in ((RollingTally(KEY, 60), None), (CalendarTally(KEY), DAY)):
        _settle(tally, 5, clock, span)
        assert (tally.level, tally.after(2, ""), tally.after(2, "anna")) == (None, 7, 7)


def test_keys_keep_their_parts_apart() -> None:
    """F-21: an account `a/b` isn't the account `a` with a limit `b`; a place isn't an address."""
    one = TallyKey("a/b", "c", "1 minute", (("location", "x"),))
    other = TallyKey("a", "b/c", "1 minute", (("location", "x"),))
    assert len({one, other, one._replace(scope=(("address", "x"),)), one._replace(scope=())}) == 4


@pytest.mark.parametrize("seconds", [60, 3_600, 86_400])
def test_a_breach_ends_with_its_window(seconds: int) -> None:
    """E18: a minute's breach is over in 60 s, an hour's in 3,600, a day's in 86,400, not later."""
    clock = ManualClock()
    tally = RollingTally(KEY, seconds)
    _settle(tally, 10, clock)
    assert _wait(tally, clock) == (b"retry-after", b"%d" % seconds)
    clock.advance(seconds - 0.5)
    assert _used(tally, clock) == 10
    assert _wait(tally, clock) == (b"retry-after", b"1")
    clock.advance(0.5)
    assert (_used(tally, clock), tally.resets_in(clock.now())) == (0, 0.0)


def test_units_leave_in_the_order_they_came() -> None:
    """E18: a tally says how long until so many units are gone, the oldest first."""
    clock = ManualClock()
    tally = RollingTally(KEY, 64)
    for units in (3, 2, 1):
        _settle(tally, units, clock)
        clock.advance(10)
    waits = [tally.frees_in(units, clock.now()) for units in (0, 1, 3, 4, 5, 6, 7)]
    assert waits == [0, 34, 34, 44, 44, 54, 54]
    assert tally.resets_in(clock.now()) == 54


def test_a_given_back_unit_is_free_at_once() -> None:
    """F-26 (settled or given back): a reservation that comes to nothing leaves nothing used."""
    clock = ManualClock()
    tally = RollingTally(KEY, 60)
    slot = tally.take(5, clock.now(), None)
    assert (tally.used, slot.open) == (5, 5)
    tally.settle(slot, 5, None)
    assert (tally.used, slot.open, slot.settled) == (0, 0, 0)


def test_a_reservation_settles_for_what_it_came_to() -> None:
    """E37, F-26: what was reserved is given back, and what it really came to counts instead."""
    clock = ManualClock()
    tally = RollingTally(KEY, 60)
    for reserved, actual in ((5, 7), (5, 0), (0, 3)):
        slot = tally.take(reserved, clock.now(), None)
        tally.settle(slot, reserved, actual)
    assert (tally.used, tally.reading(tally.slots[-1])) == (10, 10)


def test_a_late_settlement_changes_no_new_window() -> None:
    """F-26 (late): units settled after their window is over count in no window that is open."""
    clock = ManualClock()
    tally = CalendarTally(KEY)
    late = tally.take(5, clock.now(), DAY)
    clock.advance(86_400)
    _settle(tally, 1, clock, NEXT_DAY)
    tally.settle(late, 5, 5)
    assert (tally.used, late.settled, late.over) == (1, 5, True)
    assert tally.crosses(late, 4)


def test_a_calendar_window_ends_at_its_end() -> None:
    """A05 (the count resets): the last second belongs to the old window, the end to the new."""
    clock = ManualClock(86_399.5)
    tally = CalendarTally(KEY)
    _settle(tally, 5_000, clock, DAY)
    assert (_used(tally, clock), tally.resets_in(clock.now())) == (5_000, 0.5)
    clock.advance(0.5)
    assert (_used(tally, clock), tally.resets_in(clock.now())) == (0, 0.0)
    _settle(tally, 1, clock, NEXT_DAY)
    assert (tally.used, tally.slots[0].key) == (1, 86_400_000)


def test_a_calendar_tally_needs_its_window() -> None:
    """A calendar tally without a window is a mistake of ours, and says so."""
    with pytest.raises(ValueError, match="needs its window"):
        CalendarTally(KEY).take(1, ManualClock().now(), None)


@pytest.mark.parametrize("step", [-3_600, -86_400, -86_400 * 40])
def test_a_calendar_window_never_goes_back(step: int) -> None:
    """F-31: a wall clock set back reopens no earlier window and refills nothing."""
    clock = ManualClock(86_400 * 100)
    tally = CalendarTally(KEY)
    begun = Span(86_400 * 100, 86_400 * 101)
    _settle(tally, 5, clock, begun)
    clock.step_wall(step)
    _settle(tally, 1, clock, Span(begun.start + step, begun.end + step))
    assert (tally.used, [slot.key for slot in tally.slots]) == (6, [begun.start * 1_000])


def test_a_calendar_window_that_is_over_stays_over() -> None:
    """F-31: a wall clock that runs past a window's end and is set back refills nothing."""
    clock = ManualClock(86_390.0)
    tally = CalendarTally(KEY)
    _settle(tally, 5, clock, DAY)
    clock.step_wall(11)
    tally.expire(clock.now())  # a page is read, or the store swept
    clock.step_wall(-11)
    _settle(tally, 1, clock, DAY)
    assert tally.used == 6 or tally.slots[0].key > DAY.start


@pytest.mark.parametrize("shift", [1, 3_600, 50_000])
def test_a_calendar_window_lasts_as_it_was_begun(shift: int) -> None:
    """F-35: where the zone changes meanwhile, the open window goes on to its end and no further."""
    clock = ManualClock(60_000.0)
    tally = CalendarTally(KEY)
    _settle(tally, 5, clock, DAY)
    moved = Span(DAY.start + shift, DAY.end + shift)
    _settle(tally, 1, clock, moved)
    assert (tally.used, [slot.key for slot in tally.slots]) == (6, [DAY.start * 1_000])
    assert tally.resets_in(clock.now()) == 26_400
    clock.advance(26_399.5)
    _settle(tally, 1, clock, moved)
    assert (tally.used, tally.resets_in(clock.now())) == (7, 0.5)
    old = tally.slots[0]
    clock.advance(0.5)
    assert _used(tally, clock) == 0
    _settle(tally, 1, clock, moved)
    (slot,) = tally.slots
    assert (tally.used, slot.key, slot.ends) == (1, moved.start * 1_000, moved.end)
    assert (old.over, old.settled) == (True, 7)


def test_a_wall_clock_step_frees_nothing_rolling() -> None:
    """F-31: a wall clock stepped back or forward neither locks out nor refills a burst limit."""
    clock = ManualClock(86_400.0)
    tally = RollingTally(KEY, 60)
    for step in (-3_600, 86_400, 0):
        _settle(tally, 1, clock)
        clock.step_wall(step)
        clock.advance(10)
    assert (_used(tally, clock), tally.frees_in(3, clock.now())) == (3, 50)
    assert len({slot.key for slot in tally.slots}) == 3
    clock.advance(50)
    assert _used(tally, clock) == 0


def test_units_at_once_share_a_slot() -> None:
    """A rolling tally keeps about 64 slots, however many units it counts."""
    clock = ManualClock()
    tally = RollingTally(KEY, 64)
    for _ in range(2_000):
        _settle(tally, 1, clock)
        clock.advance(0.125)
    assert _used(tally, clock) >= 64 * 8 - 1
    assert len(tally.slots) <= 65


def test_going_over_is_told_once_per_window() -> None:
    """A05 (strictly over): unit 5,000 crosses nothing, 5,001 does, once in a calendar window."""
    clock = ManualClock()
    tally = CalendarTally(KEY)
    told = []
    for units in (4_999, 1, 1, 1):
        _settle(tally, units, clock, DAY)
        told.append(tally.crosses(tally.slots[-1], 5_000))
    assert told == [False, False, True, False]
    clock.advance(86_400)
    _settle(tally, 5_001, clock, NEXT_DAY)
    assert tally.crosses(tally.slots[-1], 5_000)


def test_a_rolling_tally_crosses_on_its_sum() -> None:
    """B25: a rolling window is over when all of its units are, and says so as long as it is."""
    clock = ManualClock()
    tally = RollingTally(KEY, 64)
    told = []
    for _ in range(4):
        _settle(tally, 2, clock)
        told.append(tally.crosses(tally.slots[-1], 3))
        clock.advance(2)
    assert told == [False, True, True, True]
    clock.advance(64)
    _settle(tally, 3, clock)
    assert not tally.crosses(tally.slots[-1], 3)


def test_open_units_cross_nothing() -> None:
    """A05 (accepted only): units that are reserved and not yet accepted open no case."""
    clock = ManualClock()
    tally = CalendarTally(KEY)
    slot = tally.take(6, clock.now(), DAY)
    assert not tally.crosses(slot, 5)
    tally.settle(slot, 6, 6)
    assert tally.crosses(slot, 5)
