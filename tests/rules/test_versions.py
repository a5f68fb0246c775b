"""Versions of a policy: announced long enough before they hold."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.rules.support import policy, tenant, terms, utc, wrong

from fairuse.rules.agreed import History
from fairuse.rules.terms import Terms
from fairuse.rules.versions import Version, announced, version_problems

if TYPE_CHECKING:
    from fairuse.rules.policy import Policy

VERSION: dict[str, Any] = {
    "name": "2026-11",
    "announced": "2026-10-01",
    "effective": "2026-11-01",
    "changes": "4,000 appointments instead of 5,000",
}


def _version(**changes: Any) -> Version:
    table = VERSION | changes
    days = {name: date.fromisoformat(table[name]) for name in ("announced", "effective")}
    return Version.model_validate(table | days)


def _policy(**changes: Any) -> Policy:
    return policy().model_copy(update={"version": _version(**changes)})


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, True),
        ({"announced": "2026-10-02"}, True),
        ({"announced": "2026-10-03"}, False),
        ({"lead": "14 days", "announced": "2026-10-18"}, True),
        ({"lead": "14 days", "announced": "2026-10-19"}, False),
        ({"effective": "2026-09-30"}, False),
    ],
    ids=["a month", "exactly", "a day late", "a shorter lead", "too short for it", "backwards"],
)
def test_it_is_announced_in_time(changes: dict[str, Any], right: bool) -> None:
    """D26, P7: from the announcement to the first day the lead has to pass; else it is refused."""
    table = VERSION | changes
    days = {name: date.fromisoformat(table[name]) for name in ("announced", "effective")}
    found = wrong(Version, table | days)
    assert (found == []) is right
    if not right:
        assert "(D26, P7)" in found[0]
        assert f"effective = {table['effective']}" in found[0]


def test_decisions_name_the_version() -> None:
    """D25: what is decided names the policy with its version, where it has one."""
    assert terms().version == "booking"
    versioned = Terms("salon-anna", "salon", tenant(), _policy(), History())
    assert versioned.version == "booking@2026-11"


def test_it_holds_from_midnight_where_the_customer_is() -> None:
    """D26, P7: the first day begins with the customer's own midnight."""
    assert _version().starts_at(ZoneInfo("Europe/Amsterdam")) == utc("2026-10-31T23:00")
    assert _version().starts_at(ZoneInfo("America/New_York")) == utc("2026-11-01T04:00")


@pytest.mark.parametrize(
    ("day", "may"),
    [("2026-09-30", False), ("2026-10-01", True), ("2026-11-01", True), ("2026-11-02", False)],
)
def test_it_is_announced_between_the_two_days(day: str, may: bool) -> None:
    """D26: not before the day it was agreed on, and not once it holds."""
    assert _version().may_be_announced(utc(f"{day}T12:00")) is may


NEXT = {"name": "2027-01", "announced": "2026-11-15", "effective": "2027-01-01"}


def test_next_versions_are_found_by_their_files() -> None:
    """D26: the file beside a policy is its next version; nothing else is announced."""
    policies = {"booking": _policy(), "booking.next": _policy(**NEXT), "credits": policy()}
    assert announced(policies) == {"booking": _version(**NEXT)}
    assert [*version_problems(policies)] == []


@pytest.mark.parametrize(
    ("policies", "problem"),
    [
        ({"a": policy(), "a.next": policy()}, "is missing"),
        ({"a.next": _policy()}, "is the next version of a, which is not there"),
        ({"a": _policy(), "a.next": _policy()}, '"2026-11" is the one in force'),
        ({"a": _policy(**NEXT), "a.next": _policy()}, "must be after that of the one in force"),
    ],
    ids=["no version", "of nothing", "the same", "backwards"],
)
def test_what_is_no_next_version_is_refused(policies: dict[str, Policy], problem: str) -> None:
    """D25, D26, P7: a next version has a name of its own, and comes after the one in force."""
    [(name, _key, message)] = version_problems(policies)
    assert name == "a.next"
    assert problem in message
