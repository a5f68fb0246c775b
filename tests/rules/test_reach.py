"""Whom a limit touches: closed windows of recorded use, beside the amounts."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.rules.support import LIMIT, POLICY, TENANT, policy, utc, wrong

from fairuse.rules.agreed import Agreement, History
from fairuse.rules.policy import Policy
from fairuse.rules.reach import PolicyReach, percent, touches, untold, windows_of
from fairuse.rules.tenant import Tenant
from fairuse.rules.terms import limit_terms
from fairuse.rules.windows import BillingDay, Span

if TYPE_CHECKING:
    from fairuse.rules.policy import Limit
    from fairuse.rules.terms import LimitTerms

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = utc("2026-11-02T12:00")
OCTOBER = Span(int(utc("2026-09-30T22:00")), int(utc("2026-10-31T23:00")))
SEPTEMBER = Span(int(utc("2026-08-31T22:00")), OCTOBER.start)
EVER = float("-inf")


def _rules(**changes: Any) -> Policy:
    return policy(limits={"per-month": LIMIT | changes})


def _limit(**changes: Any) -> Limit:
    return _rules(**changes).limits["per-month"]


def _terms(**changes: Any) -> LimitTerms:
    rules = _rules(**changes)
    of = Agreement("salon", Tenant.model_validate(TENANT), rules, History())
    return limit_terms("per-month", rules.limits["per-month"], of)


@pytest.mark.parametrize(
    ("units", "over", "touched"),
    [
        (5_000, "case", False),
        (5_001, "case", True),
        (4_999, "refuse", False),
        (5_000, "refuse", True),  # what was refused above it is recorded nowhere
    ],
)
def test_who_used_more_than_the_amount_is_touched(units: int, over: str, touched: bool) -> None:
    """A02: a soft limit touches who used more, one that refuses who used it up."""
    assert touches(_terms(over=over), {OCTOBER: units}, EVER) is touched


def test_a_limit_that_needs_several_breaches_touches_nobody_after_one() -> None:
    """A02, B25: one month over the limit is no case, so nobody would notice."""
    limit = _terms(case_after="2 breaches in 2 months")
    assert touches(limit, {OCTOBER: 9_999, SEPTEMBER: 5_000}, EVER) is False
    assert touches(limit, {OCTOBER: 9_999, SEPTEMBER: 5_001}, EVER) is True


def test_use_from_before_the_policy_held_touches_nobody() -> None:
    """A01, A02: what was used before the policy was for the contract is measured by nothing."""
    assert touches(_terms(), {OCTOBER: 9_999}, OCTOBER.start + 1) is False
    assert touches(_terms(), {OCTOBER: 9_999}, OCTOBER.start) is True


def test_an_amount_that_is_not_known_touches_nobody_for_certain() -> None:
    """A02: before the first average nobody can say, and nothing is made up."""
    meters = {"appointments": POLICY["meters"]["appointments"] | {"average": {"refresh": "yearly"}}}
    rules = policy(meters=meters, limits={"per-month": LIMIT | {"amount": "5 * average"}})
    of = Agreement("salon", Tenant.model_validate(TENANT), rules, History())
    limit = limit_terms("per-month", rules.limits["per-month"], of)
    assert touches(limit, {OCTOBER: 9_999}, EVER) is None


@pytest.mark.parametrize(
    ("changes", "windows"),
    [
        ({}, [OCTOBER]),
        ({"case_after": "2 breaches in 2 months"}, [OCTOBER, SEPTEMBER]),
        ({"window": "calendar year"}, [Span(1_735_686_000, 1_767_222_000)]),
    ],
)
def test_windows_that_are_over_are_looked_at(changes: dict[str, Any], windows: list[Span]) -> None:
    """A02: the latest month of the tenant's zone, as many as a case needs, or the year before."""
    assert [*windows_of(_limit(**changes), NOW, AMSTERDAM, BillingDay())] == windows


def test_each_day_of_the_month_is_looked_at() -> None:
    """A02: a limit a day is looked at for each day of the month, also that with 25 hours."""
    days = windows_of(_limit(window="calendar day"), NOW, AMSTERDAM, BillingDay())
    assert (len(days), days[0].end, days[-1].start) == (31, OCTOBER.end, OCTOBER.start)
    assert sorted({day.end - day.start for day in days}) == [86_400, 90_000]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"window": "1 hour", "over": "refuse"}, "its window is 1 hour"),
        ({"scope": "user"}, "use is not kept by user"),
    ],
)
def test_what_recorded_use_cannot_tell_is_said(changes: dict[str, Any], why: str) -> None:
    """A02: use is kept by the hour and location, and nothing finer is made up from it."""
    rules = _rules(**changes)
    assert why in untold(rules.limits["per-month"], rules.meters["appointments"])
    assert bool(untold(rules.limits["per-month"], rules.meters["appointments"])) == bool(why)


@pytest.mark.parametrize(
    ("touched", "problem"),
    [
        (0, None),
        (5, None),
        (
            6,
            "6 of 100 accounts (6%) would be touched, and at most 5% are expected: a fair-use"
            " policy is not for most customers",
        ),
    ],
)
def test_more_than_expected_is_a_problem(touched: int, problem: str | None) -> None:
    """A07: exactly the expected share is none, one account more is."""
    assert PolicyReach("booking", 100, touched, Fraction(5, 100), ()).problem == problem


def test_a_policy_for_nobody_has_no_problem() -> None:
    """A07: of no accounts there is no share."""
    assert PolicyReach("booking", 0, 0, Fraction(0), ()).problem is None


@pytest.mark.parametrize("text", ["5", "101%", "-1%", "five%", ""])
def test_a_share_is_written_in_percent(text: str) -> None:
    """A07: anything else than a percentage is refused, with how to write it."""
    assert wrong(Policy, POLICY | {"expected_share": text}) == [
        f'expected_share: {text!r} is no share; write it like "5%"'
    ]


def test_the_expected_share_is_what_the_policy_says() -> None:
    """A07: one in twenty, unless the policy says otherwise."""
    assert policy().expected_share == Fraction(1, 20)
    assert policy(expected_share="12.5%").expected_share == Fraction(1, 8)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(0), "0%"),
        (Fraction(1, 100_000), "under 0.1%"),
        (Fraction(1, 3), "33.3%"),
        (Fraction(1), "100%"),
    ],
)
def test_a_share_is_written_for_people(share: Fraction, text: str) -> None:
    """A02: to one decimal, and something is never nothing."""
    assert percent(share) == text
