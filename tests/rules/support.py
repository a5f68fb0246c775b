"""What the tests of the rules share: the smallest valid tables, and what is wrong with others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from fairuse.rules.agreed import Agreement, History
from fairuse.rules.expression import NotYet
from fairuse.rules.policy import Policy
from fairuse.rules.settings import Settings
from fairuse.rules.tenant import Tenant
from fairuse.rules.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEY = "sha256:" + "0" * 64
METER: dict[str, Any] = {
    "unit": "appointment",
    "count": ["POST /locations/{location}/appointments"],
}
LIMIT: dict[str, Any] = {
    "meter": "appointments",
    "scope": "location",
    "amount": "5000",
    "window": "calendar month",
    "over": "case",
}
THEN: dict[str, Any] = {
    "after": "20 refusals in 1 minute",
    "block": "account, address",
    "for": "15 minutes",
}
BURST: dict[str, Any] = {
    "meter": "appointments",
    "scope": "account, address",
    "amount": "60",
    "window": "1 minute",
    "over": "refuse",
    "then": THEN,
}
WORDS: dict[str, dict[str, str]] = {
    "nl": {"appointment": "afspraak", "appointments": "afspraken"},
    "de": {"appointment": "Termin", "appointments": "Termine"},
}
POLICY: dict[str, Any] = {
    "title": "Fair use",
    "meters": {"appointments": METER},
    "limits": {"per-month": LIMIT, "burst": BURST},
    "emergency": {"allowed": ["block address", "throttle"]},
    "words": WORDS,
}
TENANT: dict[str, Any] = {
    "policy": "booking",
    "timezone": "Europe/Amsterdam",
    "contact": ["mailto:anna@salon.example"],
    "keys": {KEY: "salon"},
}
SETTINGS: dict[str, Any] = {"contact": "mailto:support@booking.example"}
PAGES: dict[str, Any] = {"unit": "page", "count": ["POST /documents"]}


def at_most(amount: object, **changes: Any) -> dict[str, Any]:
    """Give a limit on pages a month, with some keys changed."""
    month = {"meter": "pages", "amount": amount, "window": "calendar month", "over": "case"}
    return month | changes


DOCUMENTS: dict[str, Any] = {
    "title": "Fair use: documents",
    "counts": {"packs": "volume packs", "users": "users"},
    "packages": {
        "standard": {"title": "Standard", "sold_by": "packs", "figures": {"included": 2_500}},
        "advanced": {"title": "Advanced", "sold_by": "users", "figures": {"together": 250}},
    },
    "meters": {"pages": PAGES},
    "limits": {
        "pages": at_most("sum(included * packs)"),
        "per-day": at_most("15% of pages", window="24 hours", over="refuse"),
        "per-hour": at_most("3% of pages", window="1 hour", over="refuse"),
        "per-minute": at_most("0.1% of pages", window="1 minute", over="refuse"),
    },
}


def wrong(model: type[BaseModel], table: dict[str, Any]) -> list[str]:
    """Give everything that is wrong with a table, as `key: message`."""
    try:
        model.model_validate(table)
    except ValidationError as error:
        return [
            f"{'.'.join(map(str, found['loc']))}: {found['msg'].removeprefix('Value error, ')}"
            for found in error.errors()
        ]
    return []


def policy(**changes: Any) -> Policy:
    """Give the booking policy, with some keys changed."""
    return Policy.model_validate(POLICY | changes)


def tenant(**changes: Any) -> Tenant:
    """Give a tenant, with some keys changed."""
    return Tenant.model_validate(TENANT | changes)


def agreement(rules: dict[str, Any], history: History | None = None, **changes: Any) -> Agreement:
    """Give a contract under a policy, with some keys of the tenant's file changed."""
    read = Policy.model_validate(rules)
    return Agreement("salon", tenant(**changes), read, history or History())


def utc(text: str) -> float:
    """Give the moment of a time in UTC, in seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def terms(**changes: Any) -> Terms:
    """Give the terms of a tenant, with some keys of its file changed."""
    return Terms("salon-anna", "salon", tenant(**changes), policy(), History())


def settings(**changes: Any) -> Settings:
    """Give the gateway's settings, with some keys changed."""
    return Settings.model_validate(SETTINGS | changes)


@dataclass
class Known:
    """What the names in an amount stand for; what is missing is not known yet."""

    names: Mapping[str, Fraction] = field(default_factory=dict)
    packages: Sequence[Mapping[str, Fraction]] = ()
    usual: Fraction | None = None
    own: Fraction | None = None

    def named(self, name: str) -> Fraction:
        """Give a count or a limit."""
        if name not in self.names:
            raise NotYet
        return self.names[name]

    def average(self) -> Fraction:
        """Give the average."""
        if self.usual is None:
            raise NotYet
        return self.usual

    def own_median(self) -> Fraction:
        """Give the median."""
        if self.own is None:
            raise NotYet
        return self.own


KNOWN = Known(
    names={"users": Fraction(7), "pages": Fraction(12_500), "on-demand-pages": Fraction(10)},
    packages=[
        {"included": Fraction(2_500), "packs": Fraction(4)},
        {"included": Fraction(250), "users": Fraction(10)},
        {"packs": Fraction(3)},
    ],
    usual=Fraction(100, 3),
    own=Fraction(42),
)
