"""F-26: whatever happens in whatever order, what is used is what is settled and what is open."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.stores.support import DAY, STORES, MemoryStore, claim, limit, take
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.rules.rolling import GRAINS
from fairuse.stores.protocol import Outcome, Reading, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.stores.support import Store

    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.rows import Batch, MemberRow, SlotRow

LATE = 7 * DAY
MINUTE = 60
BURST = limit("burst", 7)
DAILY = limit("daily", 25, "calendar day")
MONTHLY = limit("monthly", 25, "calendar month", over="case")
AT_ONCE = limit("at-once", 4, "always", measure="in flight", meter="f")
SEATS = limit("seats", 2, "calendar day", over="deny user", measure="users", meter="s")
FLOWS = (BURST, DAILY, MONTHLY)
CALENDAR = {terms.name: terms for terms in (DAILY, MONTHLY)}
UNITS = st.integers(0, 12)
INDEX = st.integers(0, 20)
USERS = st.sampled_from("abcd")


@dataclass
class Open:
    """A request that is open: what it holds of every flow, of when, and whose seat since when."""

    receipt: Receipt
    units: int
    since: float
    user: str
    came: float


@dataclass
class Used:
    """Units of the burst that are settled, as of a moment between two."""

    units: int
    first: float
    last: float


def window_of(terms: LimitTerms, moment: float) -> int:
    """Give the start of the window that holds a moment."""
    span = terms.span(moment)
    assert span is not None
    return span.start


class Counting(RuleBasedStateMachine):
    """Reserves, settles, counts on and on, hears of the past and lets time pass, on any store."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(NOON)
        self.store = self.begun()
        self.held_on = MINUTE / GRAINS
        self.open: list[Open] = []
        self.burst: list[Used] = []
        self.settled: Counter[tuple[str, int]] = Counter()
        self.seen: defaultdict[int, set[str]] = defaultdict(set)

    def begun(self) -> Store:
        """Give an empty store."""
        raise NotImplementedError

    def teardown(self) -> None:
        """Give up the store."""
        self.store.close()

    @rule(units=UNITS, user=USERS)
    def reserve(self, units: int, user: str) -> None:
        """Begin a request, if it fits."""
        now = self.clock.wall
        flows = [claim(terms, now, units) for terms in FLOWS]
        seat = claim(SEATS, now, member=user)
        receipt = take(self.store, self.clock, *flows, claim(AT_ONCE, now), seat)
        if isinstance(receipt, Receipt):
            self.open.append(Open(receipt, units, now, user, now))

    @precondition(lambda self: self.open)
    @rule(index=INDEX, outcome=st.sampled_from(Outcome), units=st.none() | UNITS)
    def settle(self, index: int, outcome: Outcome, units: int | None) -> None:
        """End a request, with what it was told to cost, or as reserved."""
        held = self.open.pop(index % len(self.open))
        costs = {} if units is None else {"m": units}
        self.store.settle(held.receipt, outcome, costs, self.clock.now())
        cost = held.units if units is None else units
        if outcome.counts(hard=True):
            self._settle_burst(held, cost)
            self.settled["daily", window_of(DAILY, held.since)] += cost
            self.seen[window_of(SEATS, held.came)].add(held.user)
        if outcome.counts(hard=False):
            self.settled["monthly", window_of(MONTHLY, held.since)] += cost

    def _settle_burst(self, held: Open, cost: int) -> None:
        """Count what was reserved as of then; what came to more may be of now, where that is over.

        It is of now once the window is over, and that may be a grain later than to the second.
        """
        now, ends = self.clock.wall, held.since + MINUTE
        self.burst.append(Used(min(held.units, cost), held.since, held.since))
        beyond = max(0, cost - held.units)
        first = now if now >= ends + self.held_on else held.since
        self.burst.append(Used(beyond, first, now if now >= ends else held.since))

    @precondition(lambda self: self.open)
    @rule(index=INDEX, units=UNITS)
    def accrue(self, index: int, units: int) -> None:
        """Count what an open request has come to; what it had reserved is part of that."""
        held = self.open[index % len(self.open)]
        self.store.accrue(held.receipt, {"m": units}, self.clock.now())
        if units:
            held.units, held.since = 0, self.clock.wall
            self._count(units, self.clock.wall)

    @rule(units=UNITS, user=USERS, ago=st.integers(0, 90) | st.integers(0, 10 * DAY))
    def record(self, units: int, user: str, ago: int) -> None:
        """Hear of something that happened earlier."""
        moment = self.clock.wall - ago
        for terms in FLOWS:
            self.store.record("anna", claim(terms, moment, units), moment, self.clock.now())
        self._count(units, moment)
        seat = claim(SEATS, moment, member=user)
        self.store.record("anna", seat, moment, self.clock.now())
        self.seen[window_of(SEATS, moment)].add(user)

    @rule(seconds=st.sampled_from([1, 20, 59, 61, 3_600, DAY, 3 * DAY]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        """Keep up with it."""
        self.store.sweep(self.clock.now())

    @invariant()
    def nothing_is_lost_and_nothing_counts_twice(self) -> None:
        """Compare with what was settled, window by window, and with what is open."""
        now = self.clock.wall
        readings = {reading.limit: reading for reading in self.store.read("anna", self.clock.now())}
        self._compare_burst(readings.get("burst"))
        self._compare_seats(readings.get("seats"))
        at_once = readings.get("at-once")
        assert (at_once.used if at_once else 0) == len(self.open) <= 4
        for name, terms in CALENDAR.items():
            window, reading = window_of(terms, now), readings.get(name)
            held = sum(held.units for held in self.open if window_of(terms, held.since) == window)
            expected = (self.settled[name, window], self.settled[name, window] + held)
            assert ((reading.settled, reading.used) if reading else (0, 0)) == expected

    def _compare_burst(self, reading: Reading | None) -> None:
        settled = reading.settled if reading else 0
        used = reading.used if reading else 0
        held = [Used(held.units, held.since, held.since) for held in self.open]
        for counted, units in ((settled, self.burst), (used - settled, held)):
            assert self._surely(units) <= counted <= self._maybe(units)

    def _surely(self, units: Iterable[Used]) -> int:
        """Add up what the last minute surely has."""
        return sum(each.units for each in units if each.first + MINUTE > self.clock.wall)

    def _maybe(self, units: Iterable[Used]) -> int:
        """Add up what may be held on to for a grain more."""
        ends = MINUTE + self.held_on
        return sum(each.units for each in units if each.last + ends > self.clock.wall)

    def _compare_seats(self, reading: Reading | None) -> None:
        window = window_of(SEATS, self.clock.wall)
        seen = self.seen[window]
        assert (reading.settled if reading else 0) == len(seen)
        # Who came in before midnight and is not done yet may hold a seat today, too.
        today = seen | {held.user for held in self.open if window_of(SEATS, held.came) == window}
        most = len(today | {held.user for held in self.open})
        assert len(today) <= (reading.used if reading else 0) <= most

    def _count(self, units: int, moment: float) -> None:
        self.burst.append(Used(units, moment, moment))
        for name, terms in CALENDAR.items():
            self.settled[name, window_of(terms, moment)] += units


class CountingInMemory(Counting):
    """Writes and crashes besides."""

    strict = False

    def __init__(self) -> None:
        self.slots: dict[object, SlotRow] = {}
        self.members: dict[MemberRow, None] = {}
        super().__init__()

    def begun(self) -> Store:
        """Give an empty store."""
        self.remembers = MemoryStore(strict=self.strict)
        return self.remembers

    @rule()
    def write_down(self) -> None:
        """Write what was counted so far."""
        ledger: Any = self
        assert self.store.run(self.remembers.journal.flush(ledger, self.clock.now()))

    async def write(self, batch: Batch) -> None:
        """Take rows, as a ledger does."""
        self.slots |= {(row.key, row.slot): row for row in batch.slots}
        self.members |= dict.fromkeys(batch.members)

    @rule()
    def crash(self) -> None:
        """Begin again with what was written; what was open is over, or counts where strict."""
        self.write_down()
        self.store.close()
        self.store, at = self.begun(), self.clock.now()
        rows = [row for row in self.slots.values() if row.ends_at > at.wall - LATE]
        rows.sort(key=lambda row: row.slot)
        self.remembers.memory.restore(rows, at, self.members)
        self.held_on += MINUTE / GRAINS
        if self.strict:
            for held in self.open:
                self._count(held.units, held.since)
        self.open.clear()


class CountingStrictly(CountingInMemory):
    """Writes what is reserved, too."""

    strict = True


for machine in (CountingInMemory, CountingStrictly):
    machine.TestCase.settings = settings(max_examples=80, stateful_step_count=30)
TestCounting = CountingInMemory.TestCase
TestCountingStrictly = CountingStrictly.TestCase

OUTCOMES = {
    "settle": Outcome.ACCEPTED,
    "give back": Outcome.REFUSED,
    "break off": Outcome.UNKNOWN,
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 5)),
        st.tuples(st.just("settle"), st.integers(0, 20)),
        st.tuples(st.just("give back"), st.integers(0, 20)),
        st.tuples(st.just("break off"), st.integers(0, 20)),
        st.tuples(st.just("wait"), st.integers(0, 90)),
    ),
    max_size=60,
)


@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=150)
@given(steps=STEPS)
def test_no_more_is_ever_used_than_agreed(kind: str, steps: list[tuple[str, int]]) -> None:
    """F-26: through any order of reserve, settle, give back and time no hard limit is passed."""
    limits = [limit("burst", 7), limit("month", 25, "calendar month")]
    clock, receipts = ManualClock(NOON), list[Receipt]()
    with STORES[kind]() as store:
        for step, number in steps:
            if step == "reserve":
                decision = take(store, clock, *(claim(each, clock.wall, number) for each in limits))
                if isinstance(decision, Receipt):
                    receipts.append(decision)
            elif step == "wait":
                clock.advance(number)
                store.sweep(clock.now())
            elif receipts:
                receipt = receipts.pop(number % len(receipts))
                store.settle(receipt, OUTCOMES[step], {}, clock.now())
            for reading in store.read("anna", clock.now()):
                assert 0 <= reading.settled <= reading.used
                assert reading.used <= {"burst": 7, "month": 25}[reading.limit]
