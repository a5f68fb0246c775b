"""A contract whose use above the limit costs something, and cases of it, in October 2026."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.rules.support import DOCUMENTS, LIMIT, PAGES, at_most, policy, tenant

from fairuse.rules.agreed import History
from fairuse.rules.charging import usage_charge
from fairuse.rules.ladder import Case
from fairuse.rules.policy import Policy
from fairuse.rules.tariffs import Price
from fairuse.rules.terms import Terms

if TYPE_CHECKING:
    from fairuse.rules.charges import Charge
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.terms import LimitTerms

ZONE = ZoneInfo("Europe/Amsterdam")
RULE = "per-month"
CENTRUM: ScopeKey = (("location", "centrum"),)
CENTS = [{"price": "EUR 0.05"}]


def local(text: str) -> float:
    """Give the moment of a local time, in seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()


OCTOBER, NOVEMBER = local("2026-10-01"), local("2026-11-01")
TOLD = local("2026-10-20 12:00")


def booking(tariffs: list[dict[str, Any]] | None = None, **changes: Any) -> Terms:
    """Give the terms of 5,000 appointments a month; what is above them has a price."""
    limits = {RULE: LIMIT | {"over": "charge", "tariff": "appointment"} | changes}
    prices: dict[str, Any] = {"appointment": CENTS if tariffs is None else tariffs}
    return Terms("salon-anna", "salon", tenant(tariffs=prices), policy(limits=limits), History())


def documents(*purchases: dict[str, Any], decimals: int = 0) -> Terms:
    """Give the terms of one pack of 2,500 pages a month, with what was bought on top."""
    limits = {"pages": at_most("sum(included * packs)", over="charge", tariff="page")}
    meters = {"pages": {**PAGES, "decimals": decimals}}
    contract = tenant(
        packages={"standard": {"packs": 1}},
        purchases=list(purchases),
        tariffs={"page": [{"price": "EUR 0.04"}]},
    )
    rules = Policy.model_validate(DOCUMENTS | {"limits": limits, "meters": meters})
    return Terms("acme", "acme", contract, rules, History())


def limit_of(terms: Terms) -> LimitTerms:
    """Give the one limit of the terms."""
    [limit] = terms.limits
    return limit


def a_case(**changes: Any) -> Case:
    """Give a case of October that was told of at 5,400 appointments, with some parts changed."""
    known = Case(
        1, "salon-anna", "salon", RULE, CENTRUM, OCTOBER, NOVEMBER, TOLD - 60, "notified"
    )._replace(reading=5_001, amount=5_000, notified_at=TOLD, notified_reading=5_400)
    return known._replace(**changes)


def in_hours(*used: tuple[str, int]) -> list[tuple[int, int]]:
    """Give hourly usage, by the local time each hour begins."""
    return [(int(local(hour)), units) for hour, units in used]


def charged(case: Case, reading: int, terms: Terms | None = None, **how: Any) -> Charge | None:
    """Give the charge of a case by its terms."""
    terms = terms or booking()
    return usage_charge(case, limit_of(terms), terms, reading, **how)


def bill(found: Charge | None) -> tuple[int, str]:
    """Give the units and the money of a charge."""
    return (found.units, str(Price(found.currency, found.amount))) if found else (0, "")
