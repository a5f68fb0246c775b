"""What the tests of the rules share: the smallest valid tables, and what is wrong with others."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from fairuse.rules.policy import Policy
from fairuse.rules.settings import Settings
from fairuse.rules.tenant import Tenant
from fairuse.rules.terms import Terms

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
POLICY: dict[str, Any] = {
    "title": "Fair use",
    "meters": {"appointments": METER},
    "limits": {"per-month": LIMIT, "burst": BURST},
    "emergency": {"allowed": ["block address", "throttle"]},
}
TENANT: dict[str, Any] = {
    "policy": "booking",
    "timezone": "Europe/Amsterdam",
    "contact": ["mailto:anna@salon.example"],
    "keys": {KEY: "salon"},
}
SETTINGS: dict[str, Any] = {"contact": "mailto:support@booking.example"}


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


def terms(**changes: Any) -> Terms:
    """Give the terms of a tenant, with some keys of its file changed."""
    return Terms("salon-anna", tenant(**changes), policy())


def settings(**changes: Any) -> Settings:
    """Give the gateway's settings, with some keys changed."""
    return Settings.model_validate(SETTINGS | changes)
