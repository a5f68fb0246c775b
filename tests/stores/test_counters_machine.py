"""F-26: whatever happens in whatever order, what is used is what is settled and what is open."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.stores.support import DAY, claim, limit, take
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.stores.journal import Journal
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.protocol import Outcome, Reading, Receipt

if TYPE_CHECKING:
    from fairuse.stores.rows import MemberRow, SlotRow

LATE = 7 * DAY
BURST = limit("burst", 7)
DAILY = limit("daily", 25, "calendar day")
MONTHLY = limit("monthly", 25, "calendar month", over="case")
AT_ONCE = limit("at-once", 4, "always", measure="in flight", meter="f")
SEATS = limit("seats", 2, "calendar day", over="deny user", measure="users", meter="s")
FLOWS = (BURST, DAILY, MONTHLY)
UNITS = st.integers(0, 12)
INDEX = st.integers(0, 20)
USERS = st.sampled_from("abcd")


class Counting(RuleBasedStateMachine):
    """Reserves, settles, counts on and on, hears of the past, lets time pass, and crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(NOON)
        self.journal = Journal()
        self.counters = MemoryCounters(self.journal)
        self.open: list[Receipt] = []
        self.settled: Counter[tuple[str, int]] = Counter()
        self.seen: defaultdict[int, set[str]] = defaultdict(set)
        self.slots: dict[object, SlotRow] = {}
        self.members: dict[MemberRow, None] = {}

    @rule(units=UNITS, user=USERS)
    def reserve(self, units: int, user: str) -> None:
        """Begin a request, if it fits."""
        flows = [claim(terms, self.clock.wall, units) for terms in FLOWS]
        seat = claim(SEATS, self.clock.wall, member=user)
        receipt = take(self.counters, self.clock, *flows, claim(AT_ONCE, self.clock.wall), seat)
        if isinstance(receipt, Receipt):
            self.open.append(receipt)

    @precondition(lambda self: self.open)
    @rule(index=INDEX, outcome=st.sampled_from(Outcome), units=st.none() | UNITS)
    def settle(self, index: int, outcome: Outcome, units: int | None) -> None:
        """End a request, with what it was told to cost, or as reserved."""
        receipt = self.open.pop(index % len(self.open))
        for held, _, slot in receipt.holds:
            if not outcome.counts(hard=held.limit.hard):
                continue
            if held.limit in FLOWS:
                cost = held.cost if units is None else units
                self.settled[held.limit.name, slot.key // 1_000] += cost
            elif held.limit is SEATS:
                self.seen[slot.key // 1_000].add(held.member)
        costs = {} if units is None else {"m": units}
        self.counters.settle(receipt, outcome, costs, self.clock.now())

    @precondition(lambda self: self.open)
    @rule(index=INDEX, units=UNITS)
    def accrue(self, index: int, units: int) -> None:
        """Count what an open request has come to."""
        self.counters.accrue(self.open[index % len(self.open)], {"m": units}, self.clock.now())
        self._count(units, self.clock.wall)

    @rule(units=UNITS, user=USERS, ago=st.integers(0, 10 * DAY))
    def record(self, units: int, user: str, ago: int) -> None:
        """Hear of something that happened earlier."""
        moment = self.clock.wall - ago
        for terms in FLOWS:
            self.counters.record("anna", claim(terms, moment, units), moment, self.clock.now())
        self._count(units, moment)
        seat = claim(SEATS, moment, member=user)
        self.counters.record("anna", seat, moment, self.clock.now())
        assert seat.span is not None
        self.seen[seat.span.start].add(user)

    @rule(seconds=st.sampled_from([1, 20, 59, 61, 3_600, DAY, 3 * DAY]), sweep=st.booleans())
    def expire(self, seconds: int, *, sweep: bool) -> None:
        """Let time pass, and forget what is over."""
        self.clock.advance(seconds)
        if sweep:
            self.counters.sweep(self.clock.now())

    @rule()
    def crash(self) -> None:
        """Begin again with what was written; what was open is over."""
        at = self.clock.now()
        batch = self.journal._changes.batch(at)
        self.slots |= {(row.key, row.slot): row for row in batch.slots}
        self.members |= dict.fromkeys(batch.members)
        self.journal = Journal()
        self.counters = MemoryCounters(self.journal)
        rows = [row for row in self.slots.values() if row.ends_at > at.wall - LATE]
        self.counters.restore(sorted(rows, key=lambda row: row.slot), at, self.members)
        self.open.clear()

    @invariant()
    def nothing_is_lost_and_nothing_counts_twice(self) -> None:
        """Compare with what was settled, window by window, and with what is open."""
        readings = self.counters.read("anna", self.clock.now())
        for reading in readings:
            self._compare(reading)
        names = {reading.limit for reading in readings}
        for terms in (DAILY, MONTHLY):
            assert terms.name in names or not self._expected(terms.name, terms)

    def _compare(self, reading: Reading) -> None:
        held = [
            (claim, slot)
            for receipt in self.open
            for claim, _, slot in receipt.holds
            if claim.limit.name == reading.limit
        ]
        if reading.limit == "at-once":
            assert reading.used == len(held) <= 4
        elif reading.limit == "seats":
            seen = self.seen[int(reading.starts_at)]
            assert reading.settled == len(seen)
            # Who came in before midnight and is not done yet may hold a seat today, too.
            today = seen | {claim.member for claim, slot in held if not slot.over}
            assert len(today) <= reading.used <= len(today | {claim.member for claim, _ in held})
        else:
            assert reading.used == reading.settled + sum(
                claim.cost for claim, slot in held if not slot.over
            )
        for terms in (DAILY, MONTHLY):
            if terms.name == reading.limit:
                assert reading.settled == self._expected(terms.name, terms)

    def _expected(self, name: str, terms: object) -> int:
        assert terms in (DAILY, MONTHLY)
        span = (DAILY if terms is DAILY else MONTHLY).span(self.clock.wall)
        assert span is not None
        return self.settled[name, span.start]

    def _count(self, units: int, moment: float) -> None:
        for terms in (DAILY, MONTHLY):
            span = terms.span(moment)
            assert span is not None
            self.settled[terms.name, span.start] += units


Counting.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestCounting = Counting.TestCase

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


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_no_more_is_ever_used_than_agreed(steps: list[tuple[str, int]]) -> None:
    """F-26: through any order of reserve, settle, give back and time no hard limit is passed.

    What is settled after its own minute is of the minute it is settled in, and may be too much.
    """
    clock, counters = ManualClock(NOON), MemoryCounters(Journal())
    limits = [limit("burst", 7), limit("month", 25, "calendar month")]
    open_receipts: list[Receipt] = []
    slow = 0
    for step, number in steps:
        if step == "reserve":
            claims = (claim(terms, clock.wall, number) for terms in limits)
            receipt = take(counters, clock, *claims)
            if isinstance(receipt, Receipt):
                open_receipts.append(receipt)
        elif step == "wait":
            clock.advance(number)
            counters.sweep(clock.now())
            slow = slow if number < 60 else 0
        elif open_receipts:
            receipt = open_receipts.pop(number % len(open_receipts))
            slow += sum(hold.claim.cost for hold in receipt.holds if hold.slot.over)
            counters.settle(receipt, OUTCOMES[step], {}, clock.now())
        for reading in counters.read("anna", clock.now()):
            opened = sum(
                hold.claim.cost
                for receipt in open_receipts
                for hold in receipt.holds
                if hold.claim.limit.name == reading.limit and not hold.slot.over
            )
            assert reading.used == reading.settled + opened
            assert reading.used <= {"burst": 7 + slow, "month": 25}[reading.limit]
