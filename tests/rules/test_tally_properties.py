"""A rolling tally against the exact log of every unit, over any course of events.

All times are multiples of 1/64 s, so that sums of them are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from fairuse.base.clock import ManualClock
from fairuse.rules.calendar_tally import CalendarTally
from fairuse.rules.rolling import GRAINS, RollingTally
from fairuse.rules.tally import Slot, Tally, TallyKey
from fairuse.rules.windows import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = TallyKey("salon-anna", "burst", "1 minute", ())
SECONDS = st.sampled_from([1, 2, 60, 64, 3_600])
TICK = 1 / 64
DAY = 86_400


@dataclass
class Unit:
    """One reservation as the exact log has it: when, how much of it counts, and its slot."""

    taken_at: float
    units: int
    slot: Slot
    open: bool = True


Event = tuple[str, int]
AT_ONCE = st.one_of(
    st.tuples(st.just("take"), st.integers(0, 5)),
    st.tuples(st.just("accept"), st.integers(0, 9)),
    st.tuples(st.just("refuse"), st.integers(0, 9)),
    st.tuples(st.just("advance"), st.integers(1, 80)),
    st.tuples(st.just("step"), st.integers(-2 * DAY, 2 * DAY)),
)
EVENTS = st.lists(AT_ONCE, max_size=40)
LATE_TOO = st.lists(AT_ONCE | st.tuples(st.just("tell"), st.integers(0, 80)), max_size=40)


class Course:
    """Plays events on a tally and on the exact log beside it."""

    def __init__(self, tally: Tally, grain: float, *, steps: bool = True) -> None:
        self.tally = tally
        self.clock = ManualClock(100 * DAY)
        self.log: list[Unit] = []
        self._grain = grain
        self._steps = steps

    def play(self, events: list[Event]) -> Iterator[None]:
        """Play one event after another, and yield after each."""
        for name, number in events:
            getattr(self, f"_{name}")(number)
            self.tally.expire(self.clock.now())
            yield

    def exact(self, seconds: float) -> int:
        """Count the units of the last so many seconds."""
        now = self.clock.now().monotonic
        return sum(unit.units for unit in self.log if unit.taken_at + seconds > now)

    def _take(self, cost: int) -> None:
        now = self.clock.now()
        first = int(now.wall // DAY) * DAY
        slot = self.tally.take(cost, now, Span(first, first + DAY))
        self.log.append(Unit(now.monotonic, cost, slot))

    def _accept(self, index: int) -> None:
        for unit in self._open()[index : index + 1]:
            unit.open = False
            self.tally.settle(unit.slot, unit.units, unit.units)

    def _refuse(self, index: int) -> None:
        for unit in self._open()[index : index + 1]:
            unit.open = False
            self.tally.settle(unit.slot, unit.units, 0)
            unit.units = 0

    def _tell(self, count: int) -> None:
        now, late = self.clock.now(), self._seconds(count)
        first = int((now.wall - late) // DAY) * DAY
        slot = self.tally.slot_at(now.wall - late, now, Span(first, first + DAY))
        if slot is not None:
            self.tally.settle(slot, 0, count % 4)
            self.log.append(Unit(now.monotonic - late, count % 4, slot, open=False))

    def _advance(self, count: int) -> None:
        self.clock.advance(max(TICK, self._seconds(count)))

    def _seconds(self, count: int) -> float:
        """Give from a fraction of a grain to more than a window, in exact ticks."""
        return count * count * self._grain / GRAINS // TICK * TICK

    def _step(self, seconds: int) -> None:
        if self._steps:
            self.clock.step_wall(seconds)

    def _open(self) -> list[Unit]:
        return [unit for unit in self.log if unit.open]


def _rolling(seconds: int, *, steps: bool = True) -> Course:
    return Course(RollingTally(KEY, seconds), seconds / 64, steps=steps)


@given(SECONDS, EVENTS, LATE_TOO)
@settings(max_examples=200)
def test_never_more_than_the_exact_log(
    seconds: int, events: list[Event], late_too: list[Event]
) -> None:
    """A rolling tally counts all that the exact log counts, and holds on 1/64 of it too long."""
    _compare(_rolling(seconds), seconds, events)
    _compare(_rolling(seconds, steps=False), seconds, late_too)


def _compare(course: Course, seconds: int, events: list[Event]) -> None:
    for _ in course.play(events):
        assert course.exact(seconds) <= course.tally.used
        assert course.tally.used <= course.exact(seconds + seconds / GRAINS)


@given(SECONDS, LATE_TOO)
@settings(max_examples=100)
def test_a_window_after_the_last_unit_all_are_gone(seconds: int, events: list[Event]) -> None:
    """E18: one window length after the last unit, whatever came before, nothing is used."""
    course = _rolling(seconds)
    for _ in course.play(events):
        pass
    course.clock.advance(seconds)
    course.tally.expire(course.clock.now())
    assert (course.tally.used, len(course.tally.slots)) == (0, 0)


@given(st.sampled_from([None, 0, 3 * DAY]), LATE_TOO)
@settings(max_examples=300)
def test_used_is_settled_and_open(late: int | None, events: list[Event]) -> None:
    """F-26 (used == settled + open): over the slots in force, for any course of events."""
    course = _rolling(60) if late is None else Course(CalendarTally(KEY, late), DAY / 16)
    tally = course.tally
    for _ in course.play(events):
        live = [slot for slot in tally.slots if not slot.over]
        assert tally.live == bool(live)
        assert tally.used == sum(slot.settled + slot.open for slot in live) >= 0
        assert tally.resets_in(course.clock.now()) >= 0
        assert all(slot.open >= 0 and slot.settled >= 0 for slot in tally.slots)
        held = sum(unit.units for unit in course.log if not unit.slot.over)
        assert tally.used == held


@given(st.sampled_from([None, 0, 3 * DAY]), LATE_TOO)
@settings(max_examples=300)
def test_nothing_turns_before_a_tally_says_so(late: int | None, events: list[Event]) -> None:
    """F-31: until the moment that it names, on its own clock, looking again changes nothing."""
    course = _rolling(60) if late is None else Course(CalendarTally(KEY, late), DAY / 16)
    tally = course.tally

    def state() -> tuple[int, list[tuple[Slot, bool]]]:
        return tally.used, [(slot, slot.over) for slot in tally.slots]

    for name, number in events:
        if course.clock.now()[tally.clock] >= tally.turns_at:
            tally.expire(course.clock.now())
        getattr(course, f"_{name}")(number)
        if course.clock.now()[tally.clock] < tally.turns_at:
            before = state()
            tally.expire(course.clock.now())
            assert state() == before


@given(SECONDS, EVENTS)
@settings(max_examples=100)
def test_steps_of_the_wall_clock_change_nothing(seconds: int, events: list[Event]) -> None:
    """F-31: with and without steps of the wall clock a rolling tally says the same."""
    stepped, steady = _rolling(seconds), _rolling(seconds, steps=False)
    for _ in zip(stepped.play(events), steady.play(events), strict=True):
        one, other = stepped.clock.now(), steady.clock.now()
        assert stepped.tally.used == steady.tally.used
        assert stepped.tally.resets_in(one) == steady.tally.resets_in(other)
        assert stepped.tally.frees_in(3, one) == steady.tally.frees_in(3, other)


@given(EVENTS)
@settings(max_examples=100)
def test_an_open_calendar_window_stays(events: list[Event]) -> None:
    """F-31 (an open window): whatever the wall clock does, it is the only one until its end."""
    course = Course(CalendarTally(KEY), DAY / 16)
    known: list[Slot] = []
    for _ in course.play(events):
        slots = list(course.tally.slots)
        assert len(slots) <= 1
        if slots and known and not known[0].over:
            assert slots == known
        known = slots


@given(SECONDS, EVENTS, LATE_TOO)
@settings(max_examples=100)
def test_slots_stay_few_and_in_order(
    seconds: int, events: list[Event], late_too: list[Event]
) -> None:
    """F-31: slots have names of their own, in order, and there are about 64 of them at most."""
    for course, played in ((_rolling(seconds), events), (_rolling(seconds), late_too)):
        for _ in course.play(played):
            slots = list(course.tally.slots)
            keys = [slot.key for slot in slots]
            assert keys == sorted(set(keys))
            assert [slot.ends for slot in slots] == sorted(slot.ends for slot in slots)
            assert len(slots) <= GRAINS + 1


@given(SECONDS, LATE_TOO, st.integers(1, 12))
@settings(max_examples=200)
def test_units_are_free_when_promised(seconds: int, events: list[Event], units: int) -> None:
    """E18, F-29 (truth): after the announced wait so many units are free, and not before."""
    course = _rolling(seconds)
    tally, clock = course.tally, course.clock
    for _ in course.play(events):
        pass
    wanted, before = min(units, tally.used), tally.used
    wait = tally.frees_in(wanted, clock.now())
    assert wait is not None
    assert wait <= seconds
    assert wait <= tally.resets_in(clock.now())
    if wait > 0:
        clock.advance(wait - TICK / 2)
        tally.expire(clock.now())
        assert before - tally.used < wanted
        clock.advance(TICK / 2)
    tally.expire(clock.now())
    assert before - tally.used >= wanted
