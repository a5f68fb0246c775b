"""The terms in force for one tenant."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import METER, POLICY, TENANT, policy, tenant, terms

from fairuse.rules.amounts import Amount
from fairuse.rules.terms import LimitTerms, Terms
from fairuse.rules.windows import Span

EXTRA: dict[str, Any] = {"amount": "8000", "reason": "exam season"}


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _limit(name: str, **changes: Any) -> LimitTerms:
    limit = terms(**changes).limit(name)
    assert limit is not None
    return limit


OVERRIDE = {
    "before": ("2026-10-31T22:59:59", 5_000),
    "the first moment": ("2026-10-31T23:00:00", 8_000),
    "the last moment": ("2026-12-31T22:59:59", 8_000),
    "after": ("2026-12-31T23:00:00", 5_000),
}


@pytest.mark.parametrize(("moment", "amount"), OVERRIDE.values(), ids=OVERRIDE)
def test_an_override_ends_by_itself(moment: str, amount: int) -> None:
    """A27, P6: 8,000 until and including 2026-12-31 in Amsterdam, then 5,000 again."""
    dates = {"from": date(2026, 11, 1), "until": date(2026, 12, 31)}
    limit = _limit("per-month", override={"per-month": EXTRA | dates})
    source = "override until 2026-12-31" if amount == 8_000 else "policy booking"
    assert limit.amount(_utc(moment)) == Amount(amount, source)


@given(st.floats(-1e9, 1e10))
def test_an_open_override_always_holds(moment: float) -> None:
    """A27: an override without days holds at every moment; no other limit changes."""
    changed = terms(override={"per-month": EXTRA})
    amounts = {limit.name: limit.amount(moment).value for limit in changed.limits}
    assert amounts == {"per-month": 8_000, "burst": 60}


def test_a_limit_is_what_the_policy_says() -> None:
    """A limit's terms are those of the policy, in the tenant's zone."""
    month, burst = _limit("per-month"), _limit("burst")
    assert (month.hard, month.then, month.scope, month.unit) == (
        False, None, ("location",), "appointment",
    )  # fmt: skip
    assert (burst.hard, burst.scope, burst.window_text) == (True, ("address",), "1 minute")
    assert burst.then is not None
    assert month.amount(0.0) == Amount(5_000, "policy booking")


def test_only_calendar_windows_have_a_span() -> None:
    """A05 (calendar month): a month is the tenant's own; a rolling window has no ends."""
    moment = _utc("2026-11-15T12:00")
    whole = Span(int(_utc("2026-10-31T23:00")), int(_utc("2026-11-30T23:00")))
    assert _limit("per-month").span(moment) == whole
    assert _limit("burst").span(moment) is None


def test_terms_know_their_tenant() -> None:
    """Terms say whose they are, and whom to reach in which language."""
    known = terms(language="nl")
    assert (known.tenant, known.policy, known.language) == ("salon-anna", "booking", "nl")
    assert (known.contact, known.zone.key) == (tuple(TENANT["contact"]), "Europe/Amsterdam")
    assert known.limit("no-such-limit") is None


MOVES = {
    "an appointment": ("POST", "/locations/centrum/appointments", ["appointments", "writes"]),
    "another method": ("GET", "/locations/centrum/appointments", ["reads"]),
    "a longer path": ("POST", "/locations/centrum/appointments/1", ["writes"]),
    "nothing counted": ("DELETE", "/locations/centrum", []),
    "two routes of one meter": ("GET", "/export/a", ["reads"]),
}


@pytest.mark.parametrize(("method", "path", "meters"), MOVES.values(), ids=MOVES)
def test_a_request_moves_its_meters(method: str, path: str, meters: list[str]) -> None:
    """A request moves each meter that has a route for it, once, with all of its limits."""
    counted = {
        "appointments": METER,
        "writes": {"unit": "request", "count": ["POST /locations/**"]},
        "reads": {"unit": "request", "count": ["GET /**", "* /export/*"]},
    }
    known = Terms("salon-anna", tenant(), policy(**POLICY | {"meters": counted}))
    moved = known.meters_of(method, path)
    assert list(moved) == meters
    for meter, limits in moved.items():
        expected = ["per-month", "burst"] if meter == "appointments" else []
        assert [limit.name for limit in limits] == expected
