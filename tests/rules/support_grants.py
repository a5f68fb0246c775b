"""What the tests of grants share: grants of an account, and its terms with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.rules.support import METER, policy, tenant, utc

from fairuse.rules.agreed import History
from fairuse.rules.grants import Grant
from fairuse.rules.terms import LimitTerms, Terms

if TYPE_CHECKING:
    from fairuse.rules.grants import GrantKind
    from fairuse.rules.tally import ScopeKey

MADE = utc("2026-11-10T12:00")
MONTH_ENDS = utc("2026-11-30T23:00")
YEAR_ENDS = utc("2026-12-31T23:00")
NAMES: dict[str, Any] = {
    "meters": {"appointments": METER, "minutes": METER | {"unit": "minute", "decimals": 2}},
    "limits": {
        "per-month": {
            "meter": "appointments",
            "scope": "location",
            "amount": "5000",
            "window": "calendar month",
            "over": "case",
        },
        "views": {
            "meter": "appointments",
            "amount": "20 * per-month",
            "window": "calendar month",
            "over": "case",
        },
        "minutes": {
            "meter": "minutes",
            "amount": "100",
            "window": "calendar month",
            "over": "refuse",
        },
        "per-day": {
            "meter": "appointments",
            "amount": "300",
            "window": "24 hours",
            "over": "refuse",
        },
        "per-address": {
            "meter": "appointments",
            "scope": "address",
            "amount": "300",
            "window": "calendar day",
            "over": "refuse",
        },
    },
}


def grant(
    kind: GrantKind,
    amount: str,
    starts_at: float = MADE,
    ends_at: float | None = None,
    scope: ScopeKey = (),
    **changes: Any,
) -> Grant:
    """Give a grant for the monthly limit."""
    made = Grant(1, "salon", "per-month", kind, amount, scope, MADE, starts_at, ends_at, "olga")
    return made._replace(reason="agreed by phone", **changes)


def terms_with(*grants: Grant, **changes: Any) -> Terms:
    """Give the terms of an account with these grants."""
    return Terms("salon-anna", "salon", tenant(**changes), policy(**NAMES), History(), grants)


def limit_with(*grants: Grant, name: str = "per-month", **changes: Any) -> LimitTerms:
    """Give a limit of an account with these grants."""
    limit = terms_with(*grants, **changes).limit(name)
    assert limit is not None
    return limit
