"""Counters in memory find their count at once where a claim is known, and count as for a new one.

A claim remembers its count, and the count when it has to be looked at again (F-31): whatever the
clocks do meanwhile, it is what one would find by looking.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stores.support import DAY, MemoryStore, claim, limit, settled, take, taken, used
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.rules.claims import Claims
from fairuse.stores.protocol import Exceeded, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairuse.rules.claims import Claim
    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.protocol import Decision, Reading

DAILY = limit("daily", 3, "calendar day")
MIDNIGHT = 39_600
"""From noon, 13:00 in Amsterdam."""


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """Give an empty store."""
    with MemoryStore() as store:
        yield store


class Known:
    """Claims that are made once for each window, as a plan has them."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._claims: dict[object, Claim] = {}

    def of(self, terms: LimitTerms, cost: int = 1, member: str = "") -> Claim:
        """Give the claim of this moment."""
        name = (terms.name, terms.span(self._clock.wall), cost, member)
        if name not in self._claims:
            self._claims[name] = claim(terms, self._clock.wall, cost, member=member)
        return self._claims[name]


def test_a_clock_that_steps_over_midnight_and_back_refills_nothing(
    store: MemoryStore, clock: ManualClock
) -> None:
    """F-31: today's units are there again after a step into tomorrow that nobody used."""
    known = Known(clock)
    for _ in range(3):
        taken(store, clock, known.of(DAILY))
    clock.step_wall(MIDNIGHT)
    assert used(store, clock) == {}
    store.sweep(clock.now())
    clock.step_wall(-1)
    assert isinstance(take(store, clock, known.of(DAILY)), Exceeded)
    assert used(store, clock) == {"daily": 3}
    clock.step_wall(1)
    taken(store, clock, known.of(DAILY))
    assert used(store, clock) == {"daily": 1}


def test_a_day_that_was_begun_stays_when_the_clock_steps_back(
    store: MemoryStore, clock: ManualClock
) -> None:
    """F-31: who used tomorrow already goes on in it, back today and forward again."""
    known = Known(clock)
    taken(store, clock, known.of(DAILY, 2))
    clock.step_wall(MIDNIGHT)
    taken(store, clock, known.of(DAILY, 2))
    clock.step_wall(-3_600)
    assert used(store, clock) == {"daily": 2}
    taken(store, clock, known.of(DAILY))
    assert isinstance(take(store, clock, known.of(DAILY)), Exceeded)
    clock.step_wall(3_600)
    assert used(store, clock) == {"daily": 3}
    clock.step_wall(DAY)
    taken(store, clock, known.of(DAILY))
    assert used(store, clock) == {"daily": 1}


def test_a_request_that_was_open_over_such_a_step_is_settled_once(
    store: MemoryStore, clock: ManualClock
) -> None:
    """F-31, F-26: units reserved today and settled tomorrow are today's, which may come again."""
    known = Known(clock)
    receipts = [taken(store, clock, known.of(DAILY)) for _ in range(2)]
    clock.step_wall(MIDNIGHT)
    store.settle(receipts[0], Outcome.ACCEPTED, {}, clock.now())
    store.settle(receipts[1], Outcome.REFUSED, {}, clock.now())
    assert used(store, clock) == {}
    clock.step_wall(-MIDNIGHT)
    assert used(store, clock) == settled(store, clock) == {"daily": 1}


def test_a_rolling_window_turns_with_its_oldest_unit(
    store: MemoryStore, clock: ManualClock
) -> None:
    """E18: a known claim fits when its oldest unit is a minute old, whatever the wall says."""
    minute, known = limit("minute", 2), Known(clock)
    taken(store, clock, known.of(minute))
    clock.advance(30)
    taken(store, clock, known.of(minute))
    clock.step_wall(-DAY)
    clock.advance(29)
    assert isinstance(take(store, clock, known.of(minute)), Exceeded)
    clock.step_wall(3 * DAY)
    clock.advance(1)
    taken(store, clock, known.of(minute))
    assert isinstance(take(store, clock, known.of(minute)), Exceeded)


def test_a_count_that_was_forgotten_is_not_counted_on(
    store: MemoryStore, clock: ManualClock
) -> None:
    """F-26: a known claim whose count was swept, or given back, finds where others count now."""
    known, other = Known(clock), Known(clock)
    for outcome in (Outcome.REFUSED, Outcome.ACCEPTED):
        store.settle(taken(store, clock, known.of(DAILY)), outcome, {}, clock.now())
    clock.advance(9 * DAY)
    store.sweep(clock.now())
    assert len(store) == 0
    taken(store, clock, other.of(DAILY, 2))
    taken(store, clock, known.of(DAILY))
    assert isinstance(take(store, clock, other.of(DAILY)), Exceeded)
    assert isinstance(take(store, clock, known.of(DAILY)), Exceeded)


LIMITS = (
    limit("minute", 8),
    limit("day", 9, "calendar day"),
    limit("soft", 4, "calendar month", over="case"),
    limit("at-once", 7, "always", measure="in flight", meter="f"),
    limit("peak", 2, "calendar day", over="charge", measure="in flight", meter="f"),
    limit("stored", 6, "always", measure="gauge", meter="g"),
    limit("seats", 3, "calendar day", over="deny user", measure="users", meter="s"),
)


UNITS = (
    limit("minute", 18),
    limit("hour", 25, "1 hour"),
    limit("day", 22, "calendar day"),
    limit("soft", 14, "calendar month", over="case"),
)
"""Of these, many requests go on one tab."""


class Step(NamedTuple):
    """One thing that happens."""

    what: str
    number: int
    user: str
    outcome: Outcome


WHAT = [
    *["reserve"] * 6,
    *["settle"] * 3,
    *["accrue", "record", "wait", "step", "peek"],
]
STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(WHAT),
        st.integers(0, 40),
        st.sampled_from("abcd"),
        st.sampled_from(Outcome),
    ),
    max_size=40,
)
WAITS = (0.25, 1, 20, 39, 59, 60, 3_600, MIDNIGHT)
JUMPS = (MIDNIGHT, -MIDNIGHT, DAY, -DAY)


class Side:
    """A store, with the claims it is asked for: each made once, or each time."""

    def __init__(
        self,
        store: MemoryStore,
        clock: ManualClock,
        limits: Sequence[LimitTerms],
        *,
        known: bool,
    ) -> None:
        self.store = store
        self._limits = limits
        self.told: list[object] = []
        self._clock = clock
        self._known = Known(clock) if known else None
        self._open: list[Receipt] = []

    def do(self, step: Step) -> object:
        """Do something, and say what came of it."""
        now = self._clock.now()
        if step.what == "reserve":
            known = self._known or Known(self._clock)
            claims = [known.of(terms, 1, step.user) for terms in self._limits]
            plan = claims if self._known is not None else Claims(claims)
            return self._noted(self.store.reserve("anna", plan, now))
        if step.what == "peek":
            return self.readings()
        if step.what == "record":
            moment = now.wall - step.number * 1_800
            for terms in self._limits[:3]:
                told = claim(terms, moment, step.number % 4)
                self.told += self.store.record("anna", told, moment, now)
        elif self._open and step.what in ("settle", "accrue"):
            index = step.number % len(self._open)
            costs = {} if step.user in "ab" else {"m": step.number % 5, "g": step.number % 9}
            if step.what == "settle":
                receipt = self._open.pop(index)
                self.told += self.store.settle(receipt, step.outcome, costs, now)
            else:
                self.told += self.store.accrue(self._open[index], {"m": step.number % 5}, now)
        return None

    def readings(self) -> list[Reading]:
        """Give what is used."""
        return sorted(self.store.read("anna", self._clock.now()))

    def _noted(self, decision: Decision) -> object:
        if isinstance(decision, Receipt):
            self._open.append(decision)
            standings = decision.standings(self._clock.now())
            return [(claim.limit.name, used, wait) for claim, used, wait in standings]
        assert isinstance(decision, Exceeded)
        others = {claim.limit.name for claim in decision.others}
        return decision.claim.limit.name, decision.used, decision.frees_in, others


@pytest.mark.parametrize("strict", [False, True], ids=["relaxed", "strict"])
@pytest.mark.parametrize("limits", [LIMITS, UNITS], ids=["of all kinds", "units alone"])
@settings(max_examples=300)
@given(steps=STEPS)
def test_a_known_claim_counts_as_a_new_one(
    limits: Sequence[LimitTerms], steps: list[Step], *, strict: bool
) -> None:
    """F-31, F-26: over any course, clocks that step too, what is remembered is what one finds."""
    clock = ManualClock(NOON)
    with ExitStack() as stack:
        sides = [
            Side(stack.enter_context(MemoryStore(strict=strict)), clock, limits, known=known)
            for known in (True, False)
        ]
        for step in steps:
            if step.what == "wait":
                clock.advance(WAITS[step.number % len(WAITS)])
            elif step.what == "step":
                clock.step_wall(JUMPS[step.number % len(JUMPS)])
            else:
                away = JUMPS[step.number % len(JUMPS)] if step.what == "peek" else 0
                clock.step_wall(away)  # and back again
                one, other = (side.do(step) for side in sides)
                clock.step_wall(-away)
                assert one == other
            if step.number % 8 == 0:
                one, other = (side.store.write(clock.now()) for side in sides)
                assert one == other
        one, other = (side.readings() for side in sides)
        assert one == other
        assert sides[0].told == sides[1].told
