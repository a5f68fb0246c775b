"""Which warnings a count has come to, and which of them name a price."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import LIMIT, POLICY, TENANT

from fairuse.rules.agreed import History
from fairuse.rules.approaching import Subject, approach_of, prices_of, ranks_of, subject_of
from fairuse.rules.policy import Policy
from fairuse.rules.tenant import Tenant
from fairuse.rules.terms import LimitTerms, Terms

NOON = 1_793_620_800.0
"""2026-11-02 13:00 in Amsterdam: less than a tenth of the month is over."""
TENTH = NOON + 8 * 86_400
WARN = ["80%", "projected", "90%"]


def _terms(ladder: dict[str, Any] | None = None, **limit: Any) -> tuple[Terms, LimitTerms]:
    rules = {"limits": {"per-month": LIMIT | {"amount": "1000"} | limit}, "ladder": ladder or {}}
    rules["tariffs"] = {"for-all": [{"price": "EUR 3"}], "extra": [{"price": "EUR 7"}]}
    tariffs: dict[str, Any] = {
        "tariffs": {"extra": [{"price": "EUR 0.05"}], "other": [{"price": "EUR 9"}]}
    }
    tariffs["tariffs"]["new"] = [{"price": "EUR 2", "from": date(2026, 11, 3)}]
    tenant = Tenant.model_validate(TENANT | tariffs)
    policy = Policy.model_validate(POLICY | rules)
    terms = Terms("salon-anna", "salon", tenant, policy, History())
    found = terms.limit("per-month")
    assert found is not None
    return terms, found


def _threshold(used: int, moment: float = NOON, **limit: Any) -> str | None:
    terms, found = _terms({"warn": WARN}, **limit)
    approach = approach_of(found, terms, (("location", "a"),), used, moment)
    return None if approach is None else approach.threshold


def test_the_thresholds_have_an_order() -> None:
    """D18: a projection comes first, then each share; the order in the file says nothing."""
    assert ranks_of(("90%", "5%", "projected", "80%")) == ("projected", "5%", "80%", "90%")
    assert ranks_of(()) == ()


@pytest.mark.parametrize(
    ("used", "threshold"),
    [
        (0, None),
        (799, None),
        (800, "80%"),
        (899, "80%"),
        (900, "90%"),
        (1_000, "90%"),
        (1_001, None),
    ],
)
def test_the_highest_share_is_told(used: int, threshold: str | None) -> None:
    """D19, C15: of the shares that are reached the highest; above the amount there is a case."""
    assert _threshold(used) == threshold


def test_a_projection_is_told_below_the_shares() -> None:
    """D18: 40 % on the tenth day is told; the same on the second is an early burst."""
    assert _threshold(400, TENTH) == "projected"
    assert _threshold(400, NOON) is None
    assert _threshold(300, TENTH) is None
    assert _threshold(800, TENTH) == "80%"


@pytest.mark.parametrize(
    "limit",
    [
        {"over": "refuse", "window": "1 hour"},
        {"over": "signal"},
        {"over": "case", "window": "24 hours"},
        {"over": "case", "amount": "0"},
    ],
    ids=["refuses", "a signal", "rolling", "nothing included"],
)
def test_only_what_opens_cases_in_a_calendar_window_warns(limit: dict[str, Any]) -> None:
    """D18: what refuses, or is for the operator's eyes, or has no end to come to, warns nobody."""
    assert _threshold(900, **limit) is None


def test_a_policy_without_thresholds_warns_of_nothing() -> None:
    """D18: who is warned, and when, is the policy's to say."""
    terms, limit = _terms()
    assert approach_of(limit, terms, (), 999, NOON) is None


def test_a_warning_says_what_the_lower_ones_would() -> None:
    """C15, D19: who was told of 90 % is not told of 80 % afterwards, nor of a projection."""
    terms, limit = _terms({"warn": WARN})
    projected = approach_of(limit, terms, (), 400, TENTH)
    highest = approach_of(limit, terms, (), 950, TENTH)
    assert projected is not None
    assert highest is not None
    assert highest.said == [highest.once]
    assert projected.said == [projected.subject.once(each) for each in ("projected", "80%", "90%")]
    assert highest.once in projected.said


PLACES = st.lists(st.tuples(st.sampled_from(["location", "user", "address"]), st.text()))


@given(scope=PLACES, starts_at=st.integers(0, 2**40), threshold=st.sampled_from(WARN))
def test_the_name_of_a_warning_says_what_it_is_about(
    scope: list[tuple[str, str]], starts_at: int, threshold: str
) -> None:
    """C15: whatever a scope holds, colons and quotes included, it is read from the name again."""
    subject = Subject("salon", "per-month", tuple(scope), starts_at)
    assert subject_of(subject.once(threshold)) == subject


@pytest.mark.parametrize("once", [None, "", "block:7", "policy:salon:booking@2"])
def test_other_notices_are_no_warnings(once: str | None) -> None:
    """P1: what is no warning has no count that could come to be charged."""
    assert subject_of(once) is None


TOLD = {"on": "told", "do": "charge", "tariff": "other"}
AGREED = {"on": "accepted", "do": "charge", "tariff": "other"}
CHARGED = {"over": "charge", "tariff": "extra"}


@pytest.mark.parametrize(
    ("ladder", "limit", "price"),
    [
        ({}, {}, None),
        ({}, CHARGED, "EUR 0.05"),
        ({"steps": [TOLD]}, {}, "EUR 9"),
        ({"steps": [TOLD | {"tariff": None}]}, CHARGED, "EUR 0.05"),
        ({"steps": [TOLD | {"limits": ["burst"]}]}, {}, None),
        ({"steps": [TOLD | {"tariff": "for-all"}]}, {}, "EUR 3"),
        ({"steps": [TOLD | {"tariff": "for-nobody"}]}, {}, None),
        ({"steps": [TOLD | {"tariff": "new"}]}, {}, None),
        ({}, {"over": "charge", "tariff": "for-nobody"}, None),
        ({"offer": ["accept charges"], "steps": [AGREED]}, {}, None),
        ({"offer": ["reduce"]}, CHARGED, None),
    ],
    ids=[
        *("no charge", "limit", "step", "step by the limit's list", "other"),
        *("the policy's", "unknown", "not yet", "the limit's is unknown", "agreed", "choice"),
    ],
)
def test_a_warning_names_the_price_where_being_told_is_enough(
    ladder: dict[str, Any], limit: dict[str, Any], price: str | None
) -> None:
    """D10, D11, A23: it names what more costs that day, but where nothing is charged unchosen."""
    terms, found = _terms(ladder, **limit)
    prices = prices_of(found, terms, NOON)
    assert (None if prices is None else [str(each.price) for each in prices]) == (
        None if price is None else [price]
    )
