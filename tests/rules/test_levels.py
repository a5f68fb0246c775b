"""Levels: what goes up and down, and the highest it was in each calendar window."""

from __future__ import annotations

import math

import pytest

from fairuse.base.clock import ManualClock
from fairuse.rules.levels import GaugeTally, InFlightTally, LevelTally
from fairuse.rules.tally import Slot, TallyKey
from fairuse.rules.windows import Span

KEY = TallyKey("salon-anna", "calls", "calendar day", ())
DAY = 86_400
LATE = 3 * DAY
NOON = 10.5 * DAY


def _span(moment: float) -> Span:
    first = int(moment // DAY) * DAY
    return Span(first, first + DAY)


def _begin(tally: LevelTally, clock: ManualClock, *, endless: bool = False) -> Slot:
    now = clock.now()
    tally.expire(now)
    return tally.take(1, now, None if endless else _span(now.wall))


def _tell(tally: GaugeTally, level: int, ago: float, clock: ManualClock) -> Slot:
    """Tell of a level as it was so many seconds ago."""
    now = clock.now()
    tally.expire(now)
    slot = tally.slot_at(now.wall - ago, now, _span(now.wall - ago))
    assert slot is not None
    tally.tell(slot, level, now.wall - ago)
    return slot


def _answer(tally: GaugeTally, slot: Slot, level: int | None) -> int:
    """Settle a request whose answer tells the level, or doesn't."""
    tally.settle(slot, 1, level)
    return tally.level


def test_requests_in_flight_go_up_and_down() -> None:
    """E11: what is under way counts while it is, and no longer, whatever became of it."""
    clock = ManualClock(NOON)
    tally = InFlightTally(KEY)
    slots = [_begin(tally, clock) for _ in range(3)]
    assert (tally.used, tally.level, tally.after(1, "")) == (3, 3, 4)
    for slot, came_to in zip(slots, (1, 0, None), strict=True):
        tally.settle(slot, 1, came_to)
    assert (tally.used, tally.level) == (0, 0)


def test_the_peak_of_a_window_is_recorded() -> None:
    """E12: seven at once with five agreed are served, and the peak of the month is seven."""
    clock = ManualClock(NOON)
    tally = InFlightTally(KEY)
    slots = [_begin(tally, clock) for _ in range(7)]
    assert [tally.crosses(slots[0], 5) for _ in range(2)] == [True, False]
    for slot in slots:
        tally.settle(slot, 1, 1)
    assert (tally.level, tally.reading(slots[0])) == (0, 7)
    tally.settle(_begin(tally, clock), 1, 1)
    assert tally.reading(tally.slots[-1]) == 7


def test_an_earlier_peak_is_within_what_was_agreed_then() -> None:
    """S17, P7, E12: seven of ten were fine; with five agreed since, one more is no breach yet."""
    clock = ManualClock(NOON)
    tally = InFlightTally(KEY)
    for slot in [_begin(tally, clock) for _ in range(7)]:
        tally.settle(slot, 1, 1)
        assert not tally.crosses(slot, 10)
    tally.settle(_begin(tally, clock), 1, 1)
    assert not tally.crosses(tally.slots[-1], 5)
    [*_, slot] = [_begin(tally, clock) for _ in range(8)]
    assert tally.crosses(slot, 5)


def test_a_window_begins_with_the_level_as_it_stands() -> None:
    """E12: what is under way at midnight is part of the new day's peak, and of the old one's."""
    clock = ManualClock(NOON)
    tally = InFlightTally(KEY, LATE)
    old = [_begin(tally, clock) for _ in range(3)]
    clock.advance(DAY)
    tally.settle(old[0], 1, 1)
    new = _begin(tally, clock)
    assert (tally.level, new.settled, old[0].settled) == (3, 3, 3)
    assert (new.over, old[0].over) == (False, True)


def test_what_ends_late_raises_no_peak() -> None:
    """S16 (never rewrite a closed one): what ends today leaves yesterday's peak as it was."""
    clock = ManualClock(NOON)
    tally = InFlightTally(KEY)
    yesterday = _begin(tally, clock)
    clock.advance(DAY)
    today = [_begin(tally, clock) for _ in range(3)]
    tally.settle(yesterday, 1, 1)
    assert (yesterday.settled, today[0].settled, tally.level) == (1, 4, 3)


@pytest.mark.parametrize("kind", [InFlightTally, GaugeTally])
def test_a_level_without_a_window_has_no_end(kind: type[LevelTally]) -> None:
    """E11 (hard): without a window the level holds at any moment, and never resets by itself."""
    clock = ManualClock(NOON)
    tally = kind(KEY)
    slot = _begin(tally, clock, endless=True)
    tally.settle(slot, 0, 4)
    clock.advance(400 * DAY)
    assert _begin(tally, clock, endless=True) is slot
    assert (slot.over, tally.live, len(tally.slots)) == (False, True, 1)
    assert tally.slot_at(clock.wall - DAY, clock.now(), None) is slot
    assert math.isinf(tally.resets_in(clock.now()))


@pytest.mark.parametrize("endless", [True, False])
def test_nothing_leaves_a_level_with_time(endless: bool) -> None:
    """E18 (Retry-After): nobody is promised a moment at which there is room again."""
    clock = ManualClock(NOON)
    tally = InFlightTally(KEY)
    assert tally.frees_in(1, clock.now()) is None
    _begin(tally, clock, endless=endless)
    assert tally.frees_in(1, clock.now()) is None


def test_a_level_is_remembered_while_there_is_one() -> None:
    """F-44 (bounded): a level is kept as long as it is one, and a peak as long as its window is."""
    clock = ManualClock(NOON)
    tally, endless = InFlightTally(KEY, LATE), InFlightTally(KEY)
    slots = _begin(tally, clock), _begin(endless, clock, endless=True)
    assert math.isinf(tally.forgotten_in(clock.now()))
    assert math.isinf(endless.forgotten_in(clock.now()))
    tally.settle(slots[0], 1, 1)
    endless.settle(slots[1], 1, 1)
    assert tally.forgotten_in(clock.now()) == 0.5 * DAY + LATE
    assert endless.forgotten_in(clock.now()) == 0
    assert InFlightTally(KEY).forgotten_in(clock.now()) == 0


def test_a_gauge_is_what_it_was_told_to_be() -> None:
    """E22: a level that the API tells is reserved by nobody; the latest answer is the level."""
    clock = ManualClock(NOON)
    tally = GaugeTally(KEY)
    slots = [_begin(tally, clock) for _ in range(3)]
    assert (tally.used, tally.level) == (0, 0)
    levels = [_answer(tally, slot, told) for slot, told in zip(slots, (7, 3, None), strict=True)]
    assert (levels, tally.used, tally.reading(slots[0])) == ([7, 3, 3], 3, 7)
    assert (_answer(tally, slots[0], 0), tally.reading(slots[0])) == (0, 7)


def test_a_level_outlives_its_window() -> None:
    """E22: what is stored at midnight is still stored in the new day, and is its first peak."""
    clock = ManualClock(NOON)
    tally = GaugeTally(KEY)
    _tell(tally, 7, 0, clock)
    clock.advance(DAY)
    tally.expire(clock.now())
    assert (tally.used, tally.level, tally.live) == (7, 7, True)
    today = _begin(tally, clock)
    assert (tally.level, tally.reading(today), tally.live) == (7, 7, True)
    _answer(tally, today, 2)
    assert (tally.level, tally.reading(today)) == (2, 7)


def test_an_older_word_only_raises_a_peak() -> None:
    """E22, S16 (out of order): of two words the later moment's holds, whenever it is told."""
    clock = ManualClock(NOON)
    tally = GaugeTally(KEY)
    slot = _tell(tally, 3, 60, clock)
    assert _tell(tally, 7, 120, clock) is slot
    assert (tally.level, tally.reading(slot)) == (3, 7)
    _tell(tally, 1, 90, clock)
    assert (tally.level, tally.reading(slot)) == (3, 7)
    _tell(tally, 2, 60, clock)
    assert (tally.level, tally.reading(slot)) == (2, 7)
    _tell(tally, 9, 0, clock)
    assert (tally.level, tally.reading(slot)) == (9, 9)


def test_an_answer_is_a_word_of_now() -> None:
    """E22, S16 (out of order): an event of before doesn't undo what an answer said since."""
    clock = ManualClock(NOON)
    tally = GaugeTally(KEY)
    _tell(tally, 3, 3_600, clock)
    slot = _begin(tally, clock)
    clock.advance(1)
    assert _answer(tally, slot, 8) == 8
    _tell(tally, 5, 600, clock)
    assert (tally.level, tally.reading(slot)) == (8, 8)
    _tell(tally, 5, 0, clock)
    assert tally.level == 5


def test_an_answer_that_says_nothing_is_no_word() -> None:
    """E22: a request whose answer tells no level leaves the level to whoever told it last."""
    clock = ManualClock(NOON)
    tally = GaugeTally(KEY)
    _tell(tally, 3, 3_600, clock)
    assert _answer(tally, _begin(tally, clock), None) == 3
    _tell(tally, 5, 600, clock)
    assert tally.level == 5


def test_a_word_of_yesterday_is_yesterdays_peak() -> None:
    """S16: a word of yesterday raises yesterday's peak; the latest word holds today too."""
    clock = ManualClock(NOON)
    tally = GaugeTally(KEY, LATE)
    yesterday = _tell(tally, 4, 0, clock)
    clock.advance(DAY)
    today = _begin(tally, clock)
    assert _tell(tally, 6, 0.75 * DAY, clock) is yesterday
    assert (yesterday.settled, today.settled, tally.level) == (6, 6, 6)
    _answer(tally, today, 1)
    assert _tell(tally, 9, 0.75 * DAY, clock) is yesterday
    assert (yesterday.settled, today.settled, tally.level) == (9, 6, 1)


def test_a_level_is_never_below_none() -> None:
    """F-26 (never negative): a level that is given back twice is none, and no credit."""
    clock = ManualClock(NOON)
    flight, gauge = InFlightTally(KEY), GaugeTally(KEY)
    slot = _begin(flight, clock)
    flight.settle(slot, 1, 1)
    flight.settle(slot, 1, 1)
    assert (flight.level, flight.used) == (0, 0)
    assert _answer(gauge, _begin(gauge, clock), -5) == 0
