"""What an operator can grant, and what not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rules.support import utc
from tests.rules.support_grants import MADE, MONTH_ENDS, YEAR_ENDS, grant, terms_with

from fairuse.rules.granting import checked

CENTRUM = (("location", "centrum"),)
NOW = MADE + 60


def test_a_grant_begins_now_at_the_earliest() -> None:
    """P7, D08: one for earlier begins now, one for later then; it says who made it, and when."""
    terms = terms_with()
    made = checked(grant("override", "8000", starts_at=0.0, ends_at=YEAR_ENDS), terms, NOW)
    assert (made.starts_at, made.ends_at, made.made_at) == (NOW, YEAR_ENDS, NOW)
    assert (made.account, made.by, made.reason) == ("salon", "olga", "agreed by phone")
    later = utc("2026-12-01T00:00")
    assert checked(grant("extra", "10", starts_at=later), terms, NOW).starts_at == later


def test_a_top_up_is_for_the_window_of_now() -> None:
    """D20: it adds to this month's amount at once, and ends with the month."""
    made = checked(grant("top-up", "500", scope=CENTRUM, once="order-1"), terms_with(), NOW)
    assert (made.starts_at, made.ends_at, made.once) == (NOW, MONTH_ENDS, "order-1")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such limit": ({"limit": "per-mont"}, 'there is no limit "per-mont".*per-month'),
    "a measure": ({"kind": "throttle"}, "is a measure of a case"),
    "nobody": ({"by": " "}, "its author and a reason"),
    "no reason": ({"reason": ""}, "its author and a reason"),
    "another scope": ({"scope": (("user", "jan"),)}, "is counted by location"),
    "no amount": ({"amount": "eight"}, 'there is no count or limit "eight"'),
    "no number": ({"amount": "8000 apples"}, "expected"),
    "half an appointment": ({"amount": "0.5"}, "no whole number"),
    "nothing more": ({"kind": "extra", "amount": "0"}, "must be a number of units"),
    "a part more": ({"kind": "extra", "amount": "10% of per-month"}, "must be a number of units"),
    "over before it begins": ({"ends_at": NOW}, "ends before it begins"),
    "a top-up of every location": ({"kind": "top-up"}, "name the one to top up"),
    "a top-up of a rolling window": (
        {"kind": "top-up", "limit": "per-day"},
        "no calendar window to top up",
    ),
    "a top-up of an address": (
        {"kind": "top-up", "limit": "per-address", "scope": (("address", "203.0.113.9"),)},
        "counted by more than a location",
    ),
}


@pytest.mark.parametrize(("changes", "why"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_granted(changes: dict[str, Any], why: str) -> None:
    """D08, A27, P9: every grant has an author, a reason, an amount and a limit that it fits."""
    with pytest.raises(ValueError, match=why):
        checked(grant("override", "8000")._replace(**changes), terms_with(), NOW)
