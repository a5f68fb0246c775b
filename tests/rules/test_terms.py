"""The terms in force for one account."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import (
    DOCUMENTS,
    METER,
    POLICY,
    TENANT,
    at_most,
    policy,
    tenant,
    terms,
    utc,
)

from fairuse.rules.agreed import History
from fairuse.rules.amounts import Amount
from fairuse.rules.policy import Policy
from fairuse.rules.tariffs import Price
from fairuse.rules.terms import LimitTerms, Terms
from fairuse.rules.units import Unit
from fairuse.rules.windows import BillingDay, Span

EXTRA: dict[str, Any] = {"amount": "8000", "reason": "exam season"}


def _limit(name: str, **changes: Any) -> LimitTerms:
    limit = terms(**changes).limit(name)
    assert limit is not None
    return limit


def _known(rules: dict[str, Any], **changes: Any) -> Terms:
    known = Policy.model_validate(rules)
    return Terms("salon-anna", "salon", tenant(**changes), known, History())


def _pages(moment: str, **changes: Any) -> int | None:
    limit = _known(DOCUMENTS, **{"packages": {"standard": {"packs": 1}}} | changes).limit("pages")
    assert limit is not None
    amount = limit.amount(utc(moment))
    return amount and amount.value


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
    assert limit.amount(utc(moment)) == Amount(amount, source)


@given(st.floats(-1e9, 1e10))
def test_an_open_override_always_holds(moment: float) -> None:
    """A27: an override without days holds at every moment; no other limit changes."""
    changed = terms(override={"per-month": EXTRA})
    amounts = {limit.name: limit.amount(moment) for limit in changed.limits}
    assert amounts == {
        "per-month": Amount(8_000, "override"),
        "burst": Amount(60, "policy booking"),
    }


def test_a_limit_is_what_the_policy_says() -> None:
    """A limit's terms are those of the policy, in the tenant's zone."""
    month, burst = _limit("per-month"), _limit("burst")
    assert (month.hard, month.then, month.scope) == (False, None, ("location",))
    assert month.unit == Unit("appointment", "appointments", words=policy().words)
    assert (burst.hard, burst.scope, burst.window_text) == (True, ("address",), "1 minute")
    assert burst.then is not None
    assert month.amount(0.0) == Amount(5_000, "policy booking")
    assert (month.kind, month.over, month.tariffs) == ("flow", "case", ())


def test_only_calendar_windows_have_a_span() -> None:
    """A05 (calendar month): a month is the tenant's own; a rolling window has no ends."""
    moment = utc("2026-11-15T12:00")
    whole = Span(int(utc("2026-10-31T23:00")), int(utc("2026-11-30T23:00")))
    assert _limit("per-month").span(moment) == whole
    assert _limit("burst").span(moment) is None


def test_a_month_begins_on_the_billing_day() -> None:
    """F-33: a contract whose months begin on the 15th is counted from the 15th."""
    limit = _limit("per-month", contract={"billing_day": 15})
    assert limit.billing == BillingDay(15)
    whole = Span(int(utc("2026-11-14T23:00")), int(utc("2026-12-14T23:00")))
    assert limit.span(utc("2026-11-15T12:00")) == whole


def test_terms_know_their_tenant() -> None:
    """Terms say whose they are, and whom to reach in which language."""
    known = terms(language="nl")
    assert (known.tenant, known.policy, known.language) == ("salon-anna", "booking", "nl")
    assert (known.contact, known.zone.key) == (tuple(TENANT["contact"]), "Europe/Amsterdam")
    assert known.account == "salon"
    assert known.limit("no-such-limit") is None


def test_terms_apply_from_a_moment() -> None:
    """A01: a contract renewed on 2014-02-01 is measured from that midnight; one never, never."""
    rules = POLICY | {"applies": {"contracts_from": date(2014, 1, 1)}}
    renewed = {"since": date(2013, 12, 31), "renewed": date(2014, 2, 1)}
    known = _known(rules, contract=renewed)
    assert known.applies_at(utc("2014-01-31T23:00:00"))
    assert not known.applies_at(utc("2014-01-31T22:59:59"))
    assert not _known(rules, contract={"since": date(2013, 12, 31)}).applies_at(4e9)
    assert terms().applies_at(-4e9)


BOUGHT = {"package": "standard", "adds": {"packs": 3}}
NOVEMBER = BOUGHT | {"from": date(2026, 11, 10), "until": date(2026, 11, 19)}
MONTHS = {
    "before it is bought": ("2026-11-09T22:59:59", 2_500),
    "from then on": ("2026-11-09T23:00:00", 10_000),
    "the rest of the month": ("2026-11-30T22:59:59", 10_000),
    "the month after": ("2026-11-30T23:00:00", 2_500),
    "the month before": ("2026-10-31T22:59:59", 2_500),
}


@pytest.mark.parametrize(("moment", "amount"), MONTHS.values(), ids=MONTHS)
def test_the_highest_amount_of_the_month_holds(moment: str, amount: int) -> None:
    """B (ambiguity 5), E10: packs given back on the 20th count until the month is over."""
    assert _pages(moment, purchases=[NOVEMBER]) == amount
    whole = NOVEMBER | {"until": date(2026, 11, 30)}
    assert _pages(moment, purchases=[whole]) == amount


def test_a_purchase_never_counts_for_earlier_use() -> None:
    """E10: what is bought this afternoon is no amount of this morning, in the same month."""
    bought = [BOUGHT | {"at": datetime(2026, 11, 10, 13, tzinfo=UTC)}]
    assert _pages("2026-11-10T12:59:59", purchases=bought) == 2_500
    assert _pages("2026-11-10T13:00:00", purchases=bought) == 10_000
    assert _pages("2036-11-10T13:00:00", purchases=bought) == 10_000


def test_a_rolling_limit_is_what_it_is_now() -> None:
    """E15 (24 hours): in a rolling window nothing is carried over: fewer packs, fewer pages."""
    known = _known(DOCUMENTS, packages={"standard": {"packs": 1}}, purchases=[NOVEMBER])
    day = known.limit("per-day")
    assert day is not None
    amounts = [day.amount(utc(f"2026-11-{at}T12:00")) for at in ("09", "10", "20")]
    assert [amount and amount.value for amount in amounts] == [375, 1_500, 375]


def test_an_override_lowers_at_once() -> None:
    """D22: a lower amount holds from its first moment, in the middle of a month of a higher one."""
    lower = {"amount": 100, "reason": "misuse", "from": date(2026, 11, 10)}
    assert _pages("2026-11-09T22:59:59", override={"pages": lower}) == 2_500
    assert _pages("2026-11-09T23:00:00", override={"pages": lower}) == 100
    ended = lower | {"until": date(2026, 11, 19)}
    assert _pages("2026-11-20T12:00", override={"pages": ended}) == 2_500
    higher = ended | {"amount": 8_000}
    assert _pages("2026-11-19T12:00", override={"pages": higher}) == 8_000
    assert _pages("2026-11-20T12:00", override={"pages": higher}) == 2_500


def test_an_amount_nobody_knows_yet() -> None:
    """C07: before there is an average the limit has no amount, now and later in the month."""
    meters = {"pages": DOCUMENTS["meters"]["pages"] | {"average": {}}}
    rules = DOCUMENTS | {"meters": meters, "limits": {"pages": at_most("5 * average")}}
    bought = BOUGHT | {"from": date(2026, 11, 10)}
    for purchases in ([], [bought]):
        known = _known(rules, packages={"standard": {"packs": 1}}, purchases=purchases)
        [limit] = known.limits
        assert limit.amount(utc("2026-11-15T12:00")) is None


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
    moved = _known(POLICY | {"meters": counted}).moved_by(method, path)
    assert [move.meter.name for move in moved] == meters
    for meter, releases, item in moved:
        expected = ["per-month", "burst"] if meter.name == "appointments" else []
        assert [limit.name for limit in meter.limits] == expected
        assert (releases, item) == (False, "")


OPEN: dict[str, Any] = {
    "unit": "open page",
    "measure": "open items",
    "count": ["PUT /pages/{item}", "event page.opened"],
    "release": ["* /pages/{item}", "event page.finished"],
}


def test_a_request_opens_or_closes_an_item() -> None:
    """E28: the path says which item is opened, and which is closed."""
    known = _known(POLICY | {"meters": {"appointments": METER, "open-pages": OPEN}})
    [opened], [closed] = known.moved_by("PUT", "/pages/7"), known.moved_by("DELETE", "/pages/7")
    assert (opened.meter.name, opened.releases, opened.item) == ("open-pages", False, "7")
    assert (closed.meter.name, closed.releases, closed.item) == ("open-pages", True, "7")


def test_an_event_moves_its_meters() -> None:
    """D06 (both sources): a type of event moves the meters that name it, up or down."""
    known = _known(POLICY | {"meters": {"appointments": METER, "open-pages": OPEN}})
    found = {
        kind: [(meter.name, releases) for meter, releases in known.moved_by_event(kind)]
        for kind in ("page.opened", "page.finished", "page.lost")
    }
    opened, finished = [("open-pages", False)], [("open-pages", True)]
    assert found == {"page.opened": opened, "page.finished": finished, "page.lost": []}


def test_a_limit_has_its_prices() -> None:
    """E36: a limit that is charged knows the contract's prices of its tariff, and no others."""
    charged = at_most("100", over="charge", tariff="page")
    counted = DOCUMENTS["meters"]["pages"] | {"count": ["event page.made"]}
    rules = DOCUMENTS | {"limits": {"pages": charged}, "meters": {"pages": counted}}
    prices = {"page": [{"price": "EUR 0.05"}], "other": [{"price": "EUR 9"}]}
    [limit] = _known(rules, packages={"standard": {"packs": 1}}, tariffs=prices).limits
    assert [tariff.price for tariff in limit.tariffs] == [Price("EUR", Decimal("0.05"))]
