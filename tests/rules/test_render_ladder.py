"""What a policy's ladder does over an amount can be read in its customers' text."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.rules.support import POLICY

from fairuse.base.texts import LANGUAGES
from fairuse.rules.policy import Policy
from fairuse.rules.render import render
from fairuse.rules.render_ladder import HEADING

ROUTES = ["GET /reports/{report}", "POST /exports"]
LADDER: dict[str, Any] = {"grace": "7 days"}
STILL_OVER = "If your use is still too high after that time: "
MEASURES = {
    "degrade": (
        {"do": "degrade", "routes": ROUTES, "until": "under the limit"},
        f"{STILL_OVER}some functions are switched off (GET /reports/…, POST /exports), until your"
        " use is back under the amount. One of us decides that first.",
    ),
    "suspend": (
        {"do": "suspend", "routes": ROUTES, "until": "window end"},
        f"{STILL_OVER}some functions are suspended (GET /reports/…, POST /exports), until the"
        " period is over. One of us decides that first.",
    ),
    "reduce": (
        {"do": "reduce", "limit": "burst", "amount": "30", "until": "2 days"},
        f"{STILL_OVER}a lower amount holds: Appointments, within any 1 minute, for each address,"
        " at most 30, for 2 days. One of us decides that first.",
    ),
    "throttle": (
        {"do": "throttle", "limit": "burst", "amount": "50% of 60", "until": "6 hours"},
        f"{STILL_OVER}a lower amount holds: Appointments, within any 1 minute, for each address,"
        " at most 50% of 60, for 6 hours. One of us decides that first.",
    ),
    "deny new users": (
        {"do": "deny new users", "limit": "burst", "review": "30 days", "approval": "none"},
        f"{STILL_OVER}new users are refused, and we look at it again after 30 days. That happens"
        " by itself.",
    ),
    "switch tariff": (
        {"do": "switch tariff", "review": "30 days"},
        f"{STILL_OVER}no amount is included any more, and every unit is charged at the tariff of"
        " your contract, and we look at it again after 30 days. One of us decides that first.",
    ),
    "custom": (
        {"do": "custom", "review": "1 day"},
        f"{STILL_OVER}we take another measure, and tell you which, and we look at it again after"
        " 1 day. One of us decides that first.",
    ),
}


def _policy(ladder: dict[str, Any], **tables: Any) -> Policy:
    return Policy.model_validate(POLICY | {"ladder": LADDER | ladder} | tables)


def _said(policy: Policy, language: str = "en") -> list[str]:
    """Give the lines of what happens over an amount."""
    parts = render(policy, language).split("\n## ")
    [part] = (
        [part for part in parts if part.startswith(HEADING)] if language == "en" else parts[3:4]
    )
    return [line.removeprefix("- ") for line in part.splitlines()[2:] if line]


@pytest.mark.parametrize(("step", "text"), MEASURES.values(), ids=MEASURES)
def test_every_measure_can_be_read(step: dict[str, Any], text: str) -> None:
    """What is done, until when, and who decides it."""
    policy = _policy({"steps": [{"on": "still over", **step}]})
    assert _said(policy)[1] == (
        "You have 7 days to bring your use back. If your use is back by then, nothing more"
        f" happens. {text}"
    )
    for language in LANGUAGES[1:]:
        assert len(_said(policy, language)) == 2


def test_a_choice_can_be_read() -> None:
    """What a customer can choose, within what time, and what each choice comes to."""
    steps = [
        {"on": "accepted", "do": "charge", "tariff": "extra", "approval": "none"},
        {"on": "declined", "do": "charge", "tariff": "extra", "from": "limit"},
        {"on": "no answer", "do": "charge", "tariff": "extra"},
    ]
    offer = ["accept charges", "reduce"]
    tariffs = {"extra": [{"price": "EUR 2"}]}
    told, part, charges = _said(_policy({"steps": steps, "offer": offer}, tariffs=tariffs))
    assert told.endswith("The time you have begins when that notice reaches you.")
    price = "charged at €2.00 per appointment, unless your contract has another price"
    after = f"what comes above the amount after our notice is {price}"
    assert part == (
        "You have 7 days to choose: “Agree to the charges”, “Bring the use back”, or “None of"
        f" these”. If you choose “Agree to the charges”: {after}. That happens by itself."
        " Otherwise nothing more happens if your use is back by then. If you choose “None of"
        " these”: all that came above the amount is charged, also before our notice, at €2.00 per"
        " appointment, unless your contract has another price. One of us decides that first. If"
        f" you choose nothing in that time and your use is still too high: {after}. One of us"
        " decides that first. Nothing else happens by itself: one of us looks for a way together"
        " with you."
    )
    assert charges.startswith("A charge is worked out when the period is over.")


def test_every_price_can_be_read() -> None:
    """Tiers, prices for so many, flat ones, and the day from which another one holds."""
    tiers = [{"price": "EUR 0.05", "up_to": 1_000}, {"price": "EUR 3", "per": 100}]
    prices = [{"flat": "EUR 25", "from": date(2027, 1, 1)}, {"tiers": tiers}]
    steps = [{"on": "told", "do": "charge", "tariff": "extra"}]
    policy = _policy({"steps": steps}, tariffs={"extra": prices})
    assert _said(policy)[1] == (
        "Once you are told: what comes above the amount after our notice is charged at €0.05 per"
        " appointment up to 1,000, then €3.00 per 100 appointments, from January 1, 2027 on €25.00"
        " once, unless your contract has another price. One of us decides that first."
    )


def test_what_is_the_contracts_is_said_to_be() -> None:
    """A price that only contracts name is theirs."""
    limit = {**POLICY["limits"]["per-month"], "over": "charge", "tariff": "extra"}
    steps = [{"on": "told", "do": "charge"}]
    policy = _policy({"steps": steps}, limits={"per-month": limit})
    assert "is charged at the tariff of your contract." in _said(policy)[1]


WARNINGS = {
    "none": ([], "Once you are over it"),
    "shares": (["90%", "80%"], "We warn you when 80 or 90% of an amount is used. Once you"),
    "pace": (["projected"], "We warn you, too, as soon as you would go over an amount"),
}


@pytest.mark.parametrize(("warn", "text"), WARNINGS.values(), ids=WARNINGS)
def test_warnings_can_be_read(warn: list[str], text: str) -> None:
    """When a customer is warned, before anything is over."""
    assert _said(_policy({"warn": warn}))[0].startswith(text)


def test_a_warning_that_is_the_notice_says_so() -> None:
    """Where being told is all a charge needs, the warning names the price."""
    steps = [{"on": "told", "do": "charge", "tariff": "extra"}]
    tariffs = {"extra": [{"price": "EUR 2"}]}
    said = _said(_policy({"steps": steps, "warn": ["80%"]}, tariffs=tariffs))[0]
    assert "at what price; it counts as our notice." in said
    assert "The time you have" not in said


def test_without_steps_a_person_is_asked() -> None:
    """Where the policy says nothing more, nothing happens by itself."""
    assert _said(_policy({}))[1].endswith(
        "Nothing else happens by itself: one of us looks for a way together with you."
    )


def test_what_has_to_persist_is_said() -> None:
    """How often somebody has to be over before anything is done."""
    said = _said(_policy({"persists": 3}))[1]
    assert "Nothing else is done before you were above the amount in 3 periods." in said


def test_limits_with_other_consequences_have_lines_of_their_own() -> None:
    """Each limit has its own line, and so have repeated breaches."""
    limits = {"other": POLICY["limits"]["per-month"] | {"window": "calendar day"}}
    steps = [
        {"on": "told", "do": "renegotiate", "limits": ["repeated-breaches"]},
        {"on": "renegotiation failed", "do": "terminate"},
        {"on": "still over", "do": "custom", "review": "1 day", "limits": ["other"]},
    ]
    policy = _policy(
        {"steps": steps}, limits=POLICY["limits"] | limits, case_after="2 breaches in 1 month"
    )
    assert [line.split("**: ")[0] for line in _said(policy)[1:]] == [
        "**Appointments, per calendar month, for each location",
        "**Appointments, per calendar day, for each location",
        "**Amounts gone over repeatedly",
    ]
    assert _said(policy)[3].split("**: ")[1] == (
        "Once you are told: we talk with you about the terms again. If we come to no agreement:"
        " we may end the contract. One of us decides that first."
    )


def test_where_everything_is_refused_nothing_follows() -> None:
    """A policy whose limits all refuse has no such section."""
    policy = _policy({}, limits={"burst": POLICY["limits"]["burst"]})
    assert HEADING not in render(policy, "en")


def test_a_version_is_named() -> None:
    """B03: which version it is, since when it was known, and from when on it holds."""
    version = {
        "name": "2027-1",
        "announced": date(2026, 11, 1),
        "effective": date(2027, 1, 1),
        "changes": "Fewer appointments.",
    }
    text = render(_policy({}, version=version), "en")
    assert (
        "\n\nVersion 2027-1: announced on November 1, 2026, in force from January 1, 2027 on."
        "\n\nWhat is different: Fewer appointments.\n\n" in text
    )
