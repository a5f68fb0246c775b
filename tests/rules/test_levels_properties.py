"""Levels and members against the plainest models of them, over any course of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from fairuse.base.clock import ManualClock
from fairuse.rules.levels import GaugeTally, InFlightTally
from fairuse.rules.members import MembersTally
from fairuse.rules.tally import Slot, TallyKey
from fairuse.rules.windows import Span

if TYPE_CHECKING:
    from fairuse.rules.calendar_tally import CalendarTally

KEY = TallyKey("salon-anna", "limit", "calendar day", ())
DAY = 86_400
LATE = 3 * DAY
HOURS = st.integers(0, 60)
STEPS = st.integers(-2 * DAY, 2 * DAY)
AGO = st.integers(0, LATE)


class Course(RuleBasedStateMachine):
    """A tally, a clock that goes on and is set, and windows of a day or without an end."""

    tally: CalendarTally
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(100 * DAY)
        self.endless = False

    @initialize(endless=st.booleans(), late=st.sampled_from([0, LATE]))
    def begin(self, endless: bool, late: int) -> None:
        """Begin with nothing."""
        self.endless = endless
        self.tally = self.made(late)

    def made(self, late: int) -> Any:
        """Make a tally."""
        raise NotImplementedError

    def span(self, moment: float) -> Span | None:
        """Give the window of a moment."""
        first = int(moment // DAY) * DAY
        return None if self.endless else Span(first, first + DAY)

    def take(self, member: str = "") -> Slot:
        """Reserve as the stores do."""
        now = self.clock.now()
        self.tally.expire(now)
        return self.tally.take(1, now, self.span(now.wall), member)

    def told(self, ago: float) -> Slot:
        """Find the slot of an earlier moment as the stores do."""
        now = self.clock.now()
        self.tally.expire(now)
        slot = self.tally.slot_at(now.wall - ago, now, self.span(now.wall - ago))
        assert slot is not None
        return slot

    @rule(hours=HOURS)
    def advance(self, hours: int) -> None:
        """Let time pass."""
        self.clock.advance(hours * 3_600)

    @rule(seconds=STEPS)
    def step(self, seconds: int) -> None:
        """Set the wall clock."""
        self.clock.step_wall(seconds)

    @invariant()
    def slots_are_apart(self) -> None:
        """F-31: slots have names of their own, and only the last one may be open."""
        self.tally.expire(self.clock.now())
        slots = [*self.tally.slots]
        assert len({slot.key for slot in slots}) == len(slots)
        assert all(slot.over for slot in slots[:-1])
        assert self.tally.live == (bool(self.tally.level) or (bool(slots) and not slots[-1].over))


class InFlight(Course):
    """E11, E12, F-26: what is used is what is under way, and a peak the most there was at once."""

    def __init__(self) -> None:
        super().__init__()
        self.open = 0
        self.peaks: dict[Slot, int] = {}

    def made(self, late: int) -> CalendarTally:
        """Count requests in flight."""
        return InFlightTally(KEY, late)

    @rule(target=Course.held)
    def start(self) -> Slot:
        """Let a request begin."""
        slot = self.take()
        self.open += 1
        self.peaks[slot] = max(self.peaks.get(slot, 0), self.open)
        return slot

    @rule(slot=consumes(Course.held), actual=st.sampled_from([None, 0, 1]))
    def end(self, slot: Slot, actual: int | None) -> None:
        """Let a request end, whatever became of it."""
        self.tally.settle(slot, 1, actual)
        self.open -= 1

    @invariant()
    def used_is_what_is_open(self) -> None:
        """E11, F-26: the level is the number of requests that began and did not end."""
        assert self.tally.used == self.tally.level == self.open

    @invariant()
    def peaks_are_what_they_were(self) -> None:
        """E12, S16: no peak changes but by a request that begins in its window."""
        assert {slot: slot.settled for slot in self.peaks} == self.peaks


class Gauge(Course):
    """E22, S16: of all words the one of the latest moment holds, and no peak is below any."""

    def __init__(self) -> None:
        super().__init__()
        self.latest = (-1.0, 0)
        self.asked = -1.0
        self.words: dict[Slot, list[int]] = {}

    def made(self, late: int) -> CalendarTally:
        """Count what is stored."""
        return GaugeTally(KEY, late)

    @rule(target=Course.held)
    def ask(self) -> Slot:
        """Let a request begin whose answer may tell the level."""
        self.asked = max(self.asked, self.clock.wall)
        return self.take()

    @rule(slot=consumes(Course.held), level=st.none() | st.integers(0, 9))
    def answer(self, slot: Slot, level: int | None) -> None:
        """Let it be answered."""
        self.tally.settle(slot, 1, level)
        if level is not None:
            self.latest = max(self.latest[0], self.asked), level
            self.words.setdefault(slot, []).append(level)

    @rule(ago=AGO, level=st.integers(0, 9))
    def tell(self, ago: int, level: int) -> None:
        """Tell of a level, perhaps late."""
        assert isinstance(self.tally, GaugeTally)
        slot, moment = self.told(ago), self.clock.wall - ago
        self.tally.tell(slot, level, moment)
        self.words.setdefault(slot, []).append(level)
        if moment >= self.latest[0]:
            self.latest = moment, level

    @invariant()
    def used_is_the_latest_word(self) -> None:
        """E22: the level is what the latest word said, whichever window it is."""
        assert self.tally.used == self.tally.level == self.latest[1]

    @invariant()
    def peaks_hold_all_words(self) -> None:
        """E22, S16: a peak is as high as each word of its window; the last one's as the level."""
        for slot, levels in self.words.items():
            assert slot.settled >= max(levels)
        assert not self.tally.live or self.tally.slots[-1].settled >= self.latest[1]


class Members(Course):
    """A25, E21, F-26: who is used are those seen in the open window, and those let in now."""

    names = st.sampled_from("abcd")

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[Slot, set[str]] = {}
        self.inside: list[str] = []

    def made(self, late: int) -> CalendarTally:
        """Tell members apart."""
        return MembersTally(KEY, late)

    @rule(target=Course.held, name=names)
    def let_in(self, name: str) -> tuple[Slot, str]:
        """Let a request of a member begin."""
        self.inside.append(name)
        return self.take(name), name

    @rule(held=consumes(Course.held), actual=st.sampled_from([None, 0, 1]))
    def settle(self, held: tuple[Slot, str], actual: int | None) -> None:
        """Let it be accepted or refused."""
        slot, name = held
        self.tally.settle(slot, 1, actual, name)
        self.inside.remove(name)
        if actual:
            self.seen.setdefault(slot, set()).add(name)

    @rule(name=names, ago=AGO)
    def tell(self, name: str, ago: int) -> None:
        """Tell of a member, perhaps late."""
        slot = self.told(ago)
        self.tally.settle(slot, 0, 1, name)
        self.seen.setdefault(slot, set()).add(name)

    @invariant()
    def used_are_seen_or_inside(self) -> None:
        """A25, E21: each counts once, and one more would count where it is not among them."""
        slots = self.tally.slots
        current = self.seen.get(slots[-1], set()) if self.tally.live else set()
        known = current | set(self.inside)
        assert self.tally.used == len(known)
        for name in "abcde":
            assert self.tally.after(1, name) == len(known | {name})

    @invariant()
    def readings_are_who_was_accepted(self) -> None:
        """A25, S16: each window has settled exactly those that were accepted in it."""
        for slot, names in self.seen.items():
            assert (slot.settled, self.tally.reading(slot)) == (len(names), len(names))


SETTINGS = settings(max_examples=100, stateful_step_count=30)
TestInFlight = InFlight.TestCase
TestGauge = Gauge.TestCase
TestMembers = Members.TestCase
TestInFlight.settings = TestGauge.settings = TestMembers.settings = SETTINGS
