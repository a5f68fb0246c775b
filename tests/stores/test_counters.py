"""The promises of the counter protocol, kept by every store: what fits, what counts, what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.support import claim, limit, refused, settled, take, taken, used

from fairuse.stores.protocol import Exceeded, Outcome, Receipt

if TYPE_CHECKING:
    from tests.stores.support import Store

    from fairuse.base.clock import ManualClock
    from fairuse.rules.claims import Claim


def test_the_last_unit_is_within_and_the_next_is_refused(
    counters: Store, clock: ManualClock
) -> None:
    """A hard limit of 3 lets through 3 units, and says when there is room again."""
    three = limit("three", 3)
    for _ in range(3):
        receipt = taken(counters, clock, claim(three, clock.wall))
        counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
        clock.advance(10)
    assert refused(counters, clock, claim(three, clock.wall)) == (three, 3, 30)
    clock.advance(30)
    assert isinstance(take(counters, clock, claim(three, clock.wall)), Receipt)


def test_a_refused_request_burns_nothing(counters: Store, clock: ManualClock) -> None:
    """F-24, F-25: with one of several limits over, none of them is charged."""
    wide, narrow = limit("wide", 100, "calendar day"), limit("narrow", 1)
    claims = (claim(wide, clock.wall), claim(narrow, clock.wall))
    taken(counters, clock, *claims)
    for _ in range(5):
        assert refused(counters, clock, *claims)[0] is narrow
    assert used(counters, clock) == {"wide": 1, "narrow": 1}


def test_a_soft_limit_refuses_nothing(counters: Store, clock: ManualClock) -> None:
    """P4: a soft limit lets everything through and tells once per window that it was crossed."""
    soft = limit("soft", 2, "calendar month", over="case")
    told = []
    for _ in range(6):
        receipt = taken(counters, clock, claim(soft, clock.wall))
        told += counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    [crossing] = told
    assert (crossing.reading, crossing.amount) == (3, 2)


def test_a_soft_limit_of_a_short_window_is_crossed_each_time(
    counters: Store, clock: ManualClock
) -> None:
    """E32: over a rolling limit every unit is told, so that an episode lasts until the last one."""
    soft, told = limit("soft", 2, over="signal"), []
    for _ in range(4):
        receipt = taken(counters, clock, claim(soft, clock.wall))
        told += counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
        clock.advance(1)
    assert [crossing.reading for crossing in told] == [3, 4]


def test_a_soft_limit_is_crossed_by_what_is_settled(counters: Store, clock: ManualClock) -> None:
    """P4: units that are only reserved, or were given back, open no case."""
    soft = limit("soft", 1, "calendar month", over="case")
    receipts = [taken(counters, clock, claim(soft, clock.wall)) for _ in range(3)]
    outcomes = (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN)
    for receipt, outcome in zip(receipts, outcomes, strict=True):
        assert counters.settle(receipt, outcome, {}, clock.now()) == []
    assert used(counters, clock) == {"soft": 1}


def test_breaking_off_is_no_way_around_a_hard_limit(counters: Store, clock: ManualClock) -> None:
    """A request that its client broke off stays on hard limits, and off what is measured."""
    hard, soft = limit("hard", 1), limit("soft", 0, "calendar month", over="case")
    receipt = taken(counters, clock, claim(hard, clock.wall), claim(soft, clock.wall))
    assert counters.settle(receipt, Outcome.UNKNOWN, {}, clock.now()) == []
    assert {name: units for name, units in used(counters, clock).items() if units} == {"hard": 1}
    assert isinstance(take(counters, clock, claim(hard, clock.wall)), Exceeded)


@pytest.mark.parametrize("outcome", Outcome)
def test_what_is_used_whatever_the_answer_counts(
    counters: Store, clock: ManualClock, outcome: Outcome
) -> None:
    """C01: bytes went over the wire also where the API refused or the client broke off."""
    traffic = limit("traffic", 100, "calendar month", over="case", measure="bytes")
    receipt = taken(counters, clock, claim(traffic, clock.wall))
    counters.settle(receipt, outcome, {"m": 70}, clock.now())
    assert settled(counters, clock) == {"traffic": 70}


@pytest.mark.parametrize("window", ["1 minute", "calendar month"])
@pytest.mark.parametrize(
    ("reserved", "costs", "counted"),
    [
        (1, {"m": 7}, 7),
        (5, {"m": 2}, 2),
        (5, {"m": 0}, 0),
        (5, {"other": 9}, 5),
        (0, {"m": 3}, 3),
    ],
    ids=["more", "less", "nothing", "not told", "of none reserved"],
)
def test_a_receipt_counts_what_it_really_came_to(
    counters: Store,
    clock: ManualClock,
    window: str,
    reserved: int,
    costs: dict[str, int | None],
    counted: int,
) -> None:
    """E37: what a request really cost is settled, and what it was not told to cost as reserved."""
    receipt = taken(counters, clock, claim(limit("l", 10, window), clock.wall, reserved))
    counters.settle(receipt, Outcome.ACCEPTED, costs, clock.now())
    assert settled(counters, clock) == used(counters, clock) == {"l": counted}


def test_what_came_to_more_than_fits_is_waited_for(counters: Store, clock: ManualClock) -> None:
    """E17, E37: a request that cost more than was left is counted whole, and the next one waits."""
    pages = limit("pages", 10)
    receipt = taken(counters, clock, claim(pages, clock.wall))
    counters.settle(receipt, Outcome.ACCEPTED, {"m": 25}, clock.now())
    assert refused(counters, clock, claim(pages, clock.wall)) == (pages, 25, 60)


@pytest.mark.parametrize("settle", [True, False])
def test_a_job_larger_than_the_limit_is_done_while_nothing_else_is(
    counters: Store, clock: ManualClock, *, settle: bool
) -> None:
    """E17 (ambiguity 2): a job over a short window's amount is let in when it is empty."""
    minute = limit("minute", 2)
    job, page = claim(minute, clock.wall, 10), claim(minute, clock.wall)
    receipt = taken(counters, clock, job)
    if settle:
        counters.settle(receipt, Outcome.ACCEPTED, {"m": 10}, clock.now())
    for waiting in (page, job):
        assert refused(counters, clock, waiting) == (minute, 10, 60)
    clock.advance(59)
    assert isinstance(take(counters, clock, page), Exceeded)
    clock.advance(1)
    taken(counters, clock, page)
    assert refused(counters, clock, job) == (minute, 1, 60)


@pytest.mark.parametrize(
    ("window", "amount"), [("calendar month", 2), ("calendar day", 0), ("1 minute", 0)]
)
def test_a_job_that_never_fits_is_refused_without_a_time(
    counters: Store, clock: ManualClock, window: str, amount: int
) -> None:
    """E09, E17, P10: nothing is promised to a job over a month's amount, or where none is."""
    job = claim(limit("l", amount, window), clock.wall, 3)
    assert refused(counters, clock, job) == (job.limit, 0, None)


def test_a_limit_of_nothing_names_no_time(counters: Store, clock: ManualClock) -> None:
    """P10: what can never fit is refused without a promise of when it would."""
    none = limit("none", 0)
    assert refused(counters, clock, claim(none, clock.wall)) == (none, 0, None)


def test_of_several_limits_the_one_that_takes_longest_is_named(
    counters: Store, clock: ManualClock
) -> None:
    """E18: where minute and hour are both over, the wait is the hour's, in whatever order."""
    minute, hour, never = limit("minute", 1), limit("hour", 1, "1 hour"), limit("never", 0)

    def claims(*limits: object) -> list[Claim]:
        return [claim(terms, clock.wall) for terms in (minute, hour, never) if terms in limits]

    receipt = taken(counters, clock, *claims(minute, hour))
    counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    clock.advance(20)
    for order in (claims(minute, hour), claims(minute, hour)[::-1]):
        assert refused(counters, clock, *order) == (hour, 1, 3_580)
    for order in (claims(minute, hour, never), claims(minute, hour, never)[::-1]):
        assert refused(counters, clock, *order) == (never, 0, None)
        exceeded = take(counters, clock, *order)
        assert isinstance(exceeded, Exceeded)
        assert {each.limit.name for each in exceeded.others} == {"minute", "hour"}
    clock.advance(40)
    assert refused(counters, clock, *claims(minute, hour)) == (hour, 1, 3_540)


def test_a_receipt_is_settled_once(counters: Store, clock: ManualClock) -> None:
    """F-26: whatever settles a receipt a second time changes nothing."""
    receipt = taken(counters, clock, claim(limit("l", 9), clock.wall, cost=4))
    counters.settle(receipt, Outcome.REFUSED, {}, clock.now())
    counters.settle(receipt, Outcome.ACCEPTED, {"m": 3}, clock.now())
    assert counters.accrue(receipt, {"m": 3}, clock.now()) == []
    assert used(counters, clock) == {}


def test_a_changed_amount_keeps_the_usage(counters: Store, clock: ManualClock) -> None:
    """F-28, P7: a raised or lowered amount counts on from what is used, never below zero."""
    for amount, admitted in ((3, 3), (5, 2), (2, 0), (6, 1)):
        decisions = [take(counters, clock, claim(limit("l", amount), clock.wall)) for _ in range(9)]
        assert sum(isinstance(decision, Receipt) for decision in decisions) == admitted


def test_scopes_count_apart(counters: Store, clock: ManualClock) -> None:
    """Locations of an account, and accounts with names that look alike, never meet."""
    one = limit("l", 1)
    taken(counters, clock, claim(one, clock.wall, place="a"))
    taken(counters, clock, claim(one, clock.wall, place="b"))
    taken(counters, clock, claim(one, clock.wall))
    other = counters.reserve("ann", [claim(one, clock.wall, place="a")], clock.now())
    assert isinstance(other, Receipt)
    assert isinstance(take(counters, clock, claim(one, clock.wall, place="a")), Exceeded)
