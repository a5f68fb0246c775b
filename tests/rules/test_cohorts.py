"""Cohorts: averages of the accounts on the same packages, frozen until the next one is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import product
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import DOCUMENTS, PAGES, agreement, at_most, utc

from fairuse.rules.cohorts import (
    CohortKey,
    Member,
    Method,
    Refresh,
    Snapshot,
    due,
    enough,
)
from fairuse.rules.unreachable import never_over

KEY = CohortKey("hosting", "shared", "traffic")


def average_of(snapshot: Snapshot) -> Fraction:
    """Give a snapshot's average."""
    return snapshot.average


def _snapshot(method: Method, *monthly: int, shares: int = 1) -> Snapshot:
    members = {f"a{n}": Member(Fraction(used), shares) for n, used in enumerate(monthly)}
    return Snapshot(KEY, utc("2026-01-01T05:00"), method, members)


AVERAGES: dict[str, tuple[Method, tuple[int, ...], Fraction]] = {
    "mean": ("mean", (100, 200, 600), Fraction(300)),
    "who uses nothing counts": ("mean", (0, 0, 300), Fraction(100)),
    "no rounding": ("mean", (1, 0, 0), Fraction(1, 3)),
    "one alone": ("mean", (70,), Fraction(70)),
    "median, odd": ("median", (1, 900, 30), Fraction(30)),
    "median, even": ("median", (1, 900, 30, 31), Fraction(61, 2)),
    "trimmed, ten": ("trimmed mean", (0, *[50] * 8, 9_000), Fraction(50)),
    "trimmed, nine: nobody left out": ("trimmed mean", (0, *[50] * 7, 1_000), Fraction(150)),
    "trimmed, twenty": ("trimmed mean", (0, 0, *[50] * 16, 9_000, 9_000), Fraction(50)),
    "excluding self, of everybody": ("mean excluding self", (100, 200, 600), Fraction(300)),
}


@pytest.mark.parametrize(("method", "monthly", "average"), AVERAGES.values(), ids=AVERAGES)
def test_a_known_set_has_a_known_average(
    method: Method, monthly: tuple[int, ...], average: Fraction
) -> None:
    """B22, C07: each method gives what one works out by hand, in any order, exactly."""
    assert average_of(_snapshot(method, *monthly)) == average
    assert average_of(_snapshot(method, *reversed(monthly))) == average


def test_an_average_may_leave_out_the_account_itself() -> None:
    """C07 (mean_excluding_self): an account is compared with the others, and they with it too."""
    taken = _snapshot("mean excluding self", 100, 200, 600)
    found = {account: taken.average_for(account) for account in ("a0", "a1", "a2", "newcomer")}
    assert found == {"a0": 400, "a1": 350, "a2": 150, "newcomer": 300}
    assert _snapshot("mean excluding self", 70).average_for("a0") == 70


@pytest.mark.parametrize("method", ["mean", "median", "trimmed mean"])
def test_other_averages_are_the_same_for_all(method: Method) -> None:
    """C07: only one method gives each account an average of its own."""
    taken = _snapshot(method, 100, 200, 600)
    assert {taken.average_for(name) for name in ("a0", "a2", "newcomer")} == {average_of(taken)}


def test_use_is_spread_over_users() -> None:
    """B22 (per user): a mean is one of users, however they are divided over accounts."""
    even = {"small": Member(Fraction(100), 1), "large": Member(Fraction(900), 9)}
    uneven = {"small": Member(Fraction(500), 1), "large": Member(Fraction(0), 9)}
    found = {
        (method, int(average_of(Snapshot(KEY, 0.0, method, members))))
        for method in ("mean", "median")
        for members in (even, uneven)
    }
    assert found == {("mean", 100), ("median", 100), ("mean", 50), ("median", 250)}


def test_a_snapshot_says_how_many_and_when() -> None:
    """B23 (id, date, n): an average says over how many accounts it was taken, and on which day."""
    taken = Snapshot(KEY, utc("2025-12-31T23:59:59"), "mean", {"a": Member(Fraction(1))})
    assert (taken.n, taken.day) == (1, "2025-12-31")
    assert enough(taken, 1)
    assert not enough(taken, 2)
    assert not enough(None, 1)


DUE: dict[str, tuple[Refresh, str, str, bool]] = {
    "yearly, the same year": ("yearly", "2026-01-01T00:00:00", "2026-12-31T23:59:59", False),
    "yearly, the next year": ("yearly", "2026-12-31T23:59:59", "2027-01-01T00:00:00", True),
    "yearly, years later": ("yearly", "2026-06-01T00:00:00", "2030-01-01T00:00:00", True),
    "monthly, the same month": ("monthly", "2026-06-01T00:00:00", "2026-06-30T23:59:59", False),
    "monthly, the next month": ("monthly", "2026-06-30T23:59:59", "2026-07-01T00:00:00", True),
    "monthly, turn of the year": ("monthly", "2026-12-31T23:59:59", "2027-01-01T00:00:00", True),
    "monthly, a year later": ("monthly", "2026-06-01T00:00:00", "2027-06-01T00:00:00", True),
    "manual, years later": ("manual", "2026-06-01T00:00:00", "2030-06-01T00:00:00", False),
    "yearly, a clock that went back": (
        "yearly",
        "2027-01-01T00:00:00",
        "2026-12-31T23:59:59",
        False,
    ),
    "a clock that went back": ("monthly", "2027-01-01T00:00:00", "2026-12-31T23:59:59", False),
}


@pytest.mark.parametrize(("refresh", "latest", "moment", "wanted"), DUE.values(), ids=DUE)
def test_an_average_is_frozen_until_the_next(
    refresh: Refresh, latest: str, moment: str, wanted: bool
) -> None:
    """B23, C (ambiguity 3): once a year, once a month, or when somebody takes it."""
    assert due(refresh, utc(latest), utc(moment)) is wanted


def test_the_first_average_is_due_at_once() -> None:
    """B23: who has no average yet takes one, unless that is done by hand."""
    first: list[tuple[Refresh, bool]] = [("yearly", True), ("monthly", True), ("manual", False)]
    assert [due(refresh, None, 0.0) for refresh, _ in first] == [wanted for _, wanted in first]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_an_average_lies_between(monthly: list[int]) -> None:
    """C07: an average is never below the least or above the most that anybody uses."""
    for method in ("mean", "mean excluding self", "trimmed mean", "median"):
        average = average_of(_snapshot(method, *monthly))
        assert min(monthly) <= average <= max(monthly)


NEEDED = {6: 25, 10: 9, 105: 5.2}


@pytest.mark.parametrize(("n", "times"), NEEDED.items(), ids=map(str, NEEDED))
def test_what_it_takes_to_be_over(n: int, times: float) -> None:
    """C07 (cohort maths): six accounts need 25 times the others' use, ten need 9 times."""
    others = [1_000] * (n - 1)
    just = int(times * 1_000)
    assert 5 * average_of(_snapshot("mean", just, *others)) == just
    assert 5 * average_of(_snapshot("mean", just + n, *others)) < just + n


def _never(amount: str, shares: list[int], mine: int = 0, **average: Any) -> bool:
    """Say what `never_over` says of one account among those with so many users each."""
    meter = PAGES | {"average": {"at_least": 2} | average}
    rules = DOCUMENTS | {"meters": {"pages": meter}, "limits": {"pages": at_most(amount)}}
    members = {("salon" if n == mine else f"a{n}"): each for n, each in enumerate(shares)}
    agreed = agreement(rules, packages={"advanced": {"users": shares[mine]}})
    return never_over(agreed, "pages", members)


UNREACHABLE: dict[str, tuple[str, list[int], dict[str, Any], bool]] = {
    "C: 5 x of five": ("5 * average", [1] * 5, {}, True),
    "C: 5 x of six": ("5 * average", [1] * 6, {}, False),
    "C: 5 x of two": ("5 * average", [1] * 2, {}, True),
    "C: a number beside it": ("5 * average + 500 GB", [1] * 6, {}, False),
    "too few for an average": ("5 * average", [1] * 5, {"at_least": 6}, False),
    "a large amount instead": (
        "5 * average", [1] * 5, {"at_least": 6, "otherwise": "500 GB"}, False,
    ),
    "others only": ("5 * average", [1] * 5, {"method": "mean excluding self"}, False),
    "median": ("5 * average", [1] * 5, {"method": "median"}, False),
    "B: a quarter of all users": ("users * average * 4", [5, 5, 10], {"per": "users"}, True),
    "B: exactly a quarter": ("users * average * 4", [5, 15], {"per": "users"}, True),
    "B: less than a quarter": ("users * average * 4", [5, 16], {"per": "users"}, False),
}  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "shares", "rule", "never"), UNREACHABLE.values(), ids=UNREACHABLE
)
def test_who_can_never_be_over(
    amount: str, shares: list[int], rule: dict[str, Any], never: bool
) -> None:
    """C07, B21 (cohort maths): 5 x a mean that includes oneself needs six; 4 x needs < 1/4."""
    assert _never(amount, shares, **rule) is never


def test_who_is_in_no_cohort_can_be_over() -> None:
    """B22: an account without users shares no average, and anything it uses is too much."""
    meter = PAGES | {"average": {"per": "users", "at_least": 2, "otherwise": 200}}
    limits = {"pages": at_most("users * average * 4")}
    rules = DOCUMENTS | {"meters": {"pages": meter}, "limits": limits}
    agreed = agreement(rules, packages={"advanced": {"users": 0}})
    assert not never_over(agreed, "pages", {"a": 1, "b": 2})
    assert not never_over(agreed, "pages", {})
    assert not never_over(agreement(DOCUMENTS), "pages", {"salon": 1})


def _found_over(times: int, plus: int, shares: list[int], mine: int) -> bool:
    """Look for a use that is over, by trying: our own, and what all others use together."""
    for used, others in product((*range(200), 10_000), (0, 1, 7, 500)):
        amount = Fraction(times * shares[mine] * (used + others), sum(shares)) + plus
        if used > (max(floor(amount), 1) if amount > 0 else 0):
            return True
    return False


@given(
    times=st.integers(1, 8),
    plus=st.integers(0, 9),
    shares=st.lists(st.integers(1, 4), min_size=2, max_size=9),
    data=st.data(),
)
def test_nobody_who_can_be_over_is_said_not_to(
    times: int, plus: int, shares: list[int], data: st.DataObject
) -> None:
    """C07, B21: what is said to be out of reach is what no use ever reaches, and the reverse."""
    mine = data.draw(st.integers(0, len(shares) - 1))
    amount = f"users * average * {times} + {plus}"
    assert _never(amount, shares, mine, per="users") is not _found_over(times, plus, shares, mine)
    alone = [1] * len(shares)
    assert _never(f"average * {times} + {plus}", alone) is not _found_over(times, plus, alone, 0)


def test_a_day_is_one_of_utc() -> None:
    """B23: a snapshot's day is the same for every tenant, wherever its own midnight is."""
    at = datetime(2026, 3, 1, 0, 30, tzinfo=UTC).timestamp()
    assert replace(_snapshot("mean", 1), taken_at=at).day == "2026-03-01"
