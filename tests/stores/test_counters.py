"""The promises of the counter protocol, kept by every store."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.rules.amounts import Amount
from fairuse.rules.terms import LimitTerms
from fairuse.rules.windows import parse_window
from fairuse.stores.journal import Journal
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.protocol import Claim, Counters, Exceeded, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable

ZONE = ZoneInfo("Europe/Amsterdam")


@pytest.fixture(params=["memory"])
def counters(request: pytest.FixtureRequest) -> Counters:
    """Give an empty store of each kind."""
    stores: dict[str, Callable[[], Counters]] = {"memory": lambda: MemoryCounters(Journal())}
    return stores[request.param]()


def limit(name: str, amount: int, window: str = "1 minute", *, hard: bool = True) -> LimitTerms:
    """Give a limit."""
    return LimitTerms(
        name=name,
        meter="m",
        unit="unit",
        scope=(),
        window=parse_window(window),
        window_text=window,
        hard=hard,
        then=None,
        zone=ZONE,
        agreed=Amount(amount, "policy"),
        override=None,
    )


def claim(terms: LimitTerms, clock: ManualClock, cost: int = 1, place: str = "") -> Claim:
    """Ask a limit for units, now."""
    scope = (("location", place),) if place else ()
    return Claim(terms, scope, terms.agreed.value, cost, terms.span(clock.wall))


def take(counters: Counters, clock: ManualClock, *claims: Claim) -> Receipt | Exceeded:
    """Reserve for one account."""
    return counters.reserve("anna", claims, clock.now())


def used(counters: Counters, clock: ManualClock) -> dict[str, int]:
    """Give what is used, limit by limit."""
    return {reading.limit: reading.used for reading in counters.read("anna", clock.now())}


def test_the_last_unit_is_within_and_the_next_is_refused(
    counters: Counters, clock: ManualClock
) -> None:
    """A hard limit of 3 lets through 3 units, and says when there is room again."""
    three = limit("three", 3)
    for _ in range(3):
        assert isinstance(take(counters, clock, claim(three, clock)), Receipt)
        clock.advance(10)
    refused = take(counters, clock, claim(three, clock))
    assert isinstance(refused, Exceeded)
    assert (refused.used, refused.frees_in) == (3, 30)
    clock.advance(30)
    assert isinstance(take(counters, clock, claim(three, clock)), Receipt)


def test_a_refused_request_burns_nothing(counters: Counters, clock: ManualClock) -> None:
    """F-24, F-25: with one of several limits over, none of them is charged."""
    wide, narrow = limit("wide", 100, "calendar day"), limit("narrow", 1)
    assert isinstance(take(counters, clock, claim(wide, clock), claim(narrow, clock)), Receipt)
    for _ in range(5):
        refused = take(counters, clock, claim(wide, clock), claim(narrow, clock))
        assert isinstance(refused, Exceeded)
        assert refused.claim.limit is narrow
    assert used(counters, clock) == {"wide": 1, "narrow": 1}


def test_a_soft_limit_refuses_nothing(counters: Counters, clock: ManualClock) -> None:
    """P4: a soft limit lets everything through and tells once per window that it was crossed."""
    soft = limit("soft", 2, "calendar month", hard=False)
    told = []
    for _ in range(6):
        receipt = take(counters, clock, claim(soft, clock))
        assert isinstance(receipt, Receipt)
        told += counters.settle(receipt, Outcome.ACCEPTED, clock.now())
    [crossing] = told
    assert (crossing.reading, crossing.amount) == (3, 2)


def test_a_soft_limit_is_crossed_by_what_is_settled(counters: Counters, clock: ManualClock) -> None:
    """P4: units that are only reserved, or were given back, open no case."""
    soft = limit("soft", 1, "calendar month", hard=False)
    receipts = [take(counters, clock, claim(soft, clock)) for _ in range(3)]
    outcomes = (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN)
    for receipt, outcome in zip(receipts, outcomes, strict=True):
        assert isinstance(receipt, Receipt)
        assert counters.settle(receipt, outcome, clock.now()) == []
    assert used(counters, clock) == {"soft": 1}


def test_breaking_off_is_no_way_around_a_hard_limit(counters: Counters, clock: ManualClock) -> None:
    """A request that its client broke off stays on hard limits, and off what is measured."""
    hard, soft = limit("hard", 1), limit("soft", 0, "calendar month", hard=False)
    receipt = take(counters, clock, claim(hard, clock), claim(soft, clock))
    assert isinstance(receipt, Receipt)
    assert counters.settle(receipt, Outcome.UNKNOWN, clock.now()) == []
    assert used(counters, clock) == {"hard": 1}
    assert isinstance(take(counters, clock, claim(hard, clock)), Exceeded)


def test_a_limit_of_nothing_names_no_time(counters: Counters, clock: ManualClock) -> None:
    """P10: what can never fit is refused without a promise of when it would."""
    refused = take(counters, clock, claim(limit("none", 0), clock))
    assert isinstance(refused, Exceeded)
    assert refused.frees_in is None


def test_a_window_lasts_as_long_as_it_was_to_last(counters: Counters, clock: ManualClock) -> None:
    """F-35: a zone that moves while a month is open neither ends it early nor refills it."""
    one = limit("l", 1, "calendar month")
    assert isinstance(take(counters, clock, claim(one, clock)), Receipt)
    moved = replace(one, zone=ZoneInfo("Pacific/Honolulu"))
    assert isinstance(take(counters, clock, claim(moved, clock)), Exceeded)


def test_a_longer_window_follows_a_shorter_one(counters: Counters, clock: ManualClock) -> None:
    """F-35: a zone whose day is longer than the one that just ended begins a window that counts."""
    clock.wall = datetime(2026, 10, 25, 12, tzinfo=UTC).timestamp()
    day = replace(limit("l", 2, "calendar day"), zone=ZoneInfo("Africa/Johannesburg"))
    assert isinstance(take(counters, clock, claim(day, clock)), Receipt)
    clock.wall = datetime(2026, 10, 25, 22, 30, tzinfo=UTC).timestamp()
    moved = replace(day, zone=ZoneInfo("Europe/Amsterdam"))
    kinds = [type(take(counters, clock, claim(moved, clock))) for _ in range(4)]
    assert kinds == [Receipt, Receipt, Exceeded, Exceeded]


def test_a_receipt_is_settled_once(counters: Counters, clock: ManualClock) -> None:
    """F-26: whatever settles a receipt a second time changes nothing."""
    receipt = take(counters, clock, claim(limit("l", 9), clock, cost=4))
    assert isinstance(receipt, Receipt)
    counters.settle(receipt, Outcome.REFUSED, clock.now())
    counters.settle(receipt, Outcome.ACCEPTED, clock.now())
    assert used(counters, clock) == {}


def test_a_changed_amount_keeps_the_usage(counters: Counters, clock: ManualClock) -> None:
    """F-28, P7: a raised or lowered amount counts on from what is used, never below zero."""
    for amount, admitted in ((3, 3), (5, 2), (2, 0), (6, 1)):
        kinds = [type(take(counters, clock, claim(limit("l", amount), clock))) for _ in range(9)]
        assert kinds.count(Receipt) == admitted


def test_scopes_count_apart(counters: Counters, clock: ManualClock) -> None:
    """Locations of an account, and accounts with names that look alike, never meet."""
    one = limit("l", 1)
    assert isinstance(take(counters, clock, claim(one, clock, place="a")), Receipt)
    assert isinstance(take(counters, clock, claim(one, clock, place="b")), Receipt)
    assert isinstance(take(counters, clock, claim(one, clock)), Receipt)
    assert isinstance(counters.reserve("ann", [claim(one, clock, place="a")], clock.now()), Receipt)
    assert isinstance(take(counters, clock, claim(one, clock, place="a")), Exceeded)


def test_a_wall_clock_that_steps_changes_no_burst(counters: Counters, clock: ManualClock) -> None:
    """F-31: a step of the wall clock neither locks a rolling window nor refills it."""
    one = limit("l", 1)
    assert isinstance(take(counters, clock, claim(one, clock)), Receipt)
    clock.step_wall(86_400)
    assert isinstance(take(counters, clock, claim(one, clock)), Exceeded)
    clock.step_wall(-2 * 86_400)
    clock.advance(60)
    assert isinstance(take(counters, clock, claim(one, clock)), Receipt)


def test_a_calendar_window_never_goes_back(counters: Counters, clock: ManualClock) -> None:
    """F-31: a wall clock that steps back over a month's end opens no second old month."""
    one = limit("l", 1, "calendar month")
    clock.wall = one.span(NOON).end + 5.0  # type: ignore[union-attr]
    assert isinstance(take(counters, clock, claim(one, clock)), Receipt)
    clock.step_wall(-3_600)
    assert isinstance(take(counters, clock, claim(one, clock)), Exceeded)


def test_what_is_settled_late_belongs_to_its_own_window(
    counters: Counters, clock: ManualClock
) -> None:
    """A unit reserved before midnight and settled after it counts in the month it began in."""
    soft = limit("soft", 0, "calendar month", hard=False)
    end = soft.span(NOON).end  # type: ignore[union-attr]
    clock.wall = end - 1.0
    receipt = take(counters, clock, claim(soft, clock))
    clock.advance(2)
    assert isinstance(take(counters, clock, claim(soft, clock)), Receipt)
    assert isinstance(receipt, Receipt)
    [crossing] = counters.settle(receipt, Outcome.ACCEPTED, clock.now())
    assert crossing.ends_at == end
    assert used(counters, clock) == {"soft": 1}


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


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_settled_and_open_units_are_all_there_is(steps: list[tuple[str, int]]) -> None:
    """F-26: through any order of reserve, settle, give back and time, used = settled + open."""
    clock, counters = ManualClock(NOON), MemoryCounters(Journal())
    limits = [limit("burst", 7), limit("month", 25, "calendar month")]
    open_receipts: list[Receipt] = []
    for step, number in steps:
        if step == "reserve":
            receipt = take(counters, clock, *(claim(terms, clock, number) for terms in limits))
            if isinstance(receipt, Receipt):
                open_receipts.append(receipt)
        elif step == "wait":
            clock.advance(number)
            counters.sweep(clock.now())
        elif open_receipts:
            receipt = open_receipts.pop(number % len(open_receipts))
            counters.settle(receipt, OUTCOMES[step], clock.now())
        for reading in counters.read("anna", clock.now()):
            opened = sum(
                hold.claim.cost
                for receipt in open_receipts
                for hold in receipt.holds
                if hold.claim.limit.name == reading.limit and not hold.slot.over
            )
            assert reading.used == reading.settled + opened
            assert reading.used <= {"burst": 7, "month": 25}[reading.limit]


def test_what_is_over_is_forgotten() -> None:
    """F-44 (in part): windows that are over leave nothing behind, and neither do refused ids."""
    clock, counters = ManualClock(NOON), MemoryCounters(Journal())
    minute, month = limit("minute", 5), limit("month", 5, "calendar month")
    for number in range(500):
        receipt = take(
            counters, clock, *(claim(t, clock, place=f"{number}") for t in (minute, month))
        )
        assert isinstance(receipt, Receipt)
        outcome = Outcome.REFUSED if number % 5 else Outcome.ACCEPTED
        counters.settle(receipt, outcome, clock.now())
    assert len(counters) == 200
    clock.advance(121)
    counters.sweep(clock.now())
    assert len(counters) == 100
    clock.advance(40 * 86_400)
    counters.sweep(clock.now())
    assert len(counters) == 0
    assert sys.getsizeof(counters._due) < 1_000
