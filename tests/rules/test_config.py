"""One configuration: put together whole, and checked between its parts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rules.support import BURST, KEY, LIMIT, POLICY, policy, settings, tenant

from fairuse.rules.config import Config, policy_problems, tenant_problems, unknown
from fairuse.rules.terms import Terms

OTHER_KEY = "sha256:" + "f" * 64


def _config(**changes: Any) -> Config:
    tenants = {
        "anna": tenant(keys={KEY: "salon", OTHER_KEY: "salon"}),
        "vries": tenant(keys={"sha256:" + "a" * 64: "dentist"}),
    }
    terms = {name: Terms(name, each, policy()) for name, each in tenants.items()}
    return Config.assemble(settings(**changes), terms, tenants)


def test_keys_lead_to_accounts() -> None:
    """Every key leads to its account and its tenant's terms; two keys may lead to one account."""
    config = _config()
    assert sorted(config.accounts) == ["dentist", "salon"]
    assert config.keys[KEY].account == config.keys[OTHER_KEY].account == "salon"
    assert config.keys[KEY].terms is config.accounts["salon"] is config.terms["anna"]
    assert all(key == holder.fingerprint for key, holder in config.keys.items())


def test_addresses_are_put_together() -> None:
    """The header, the trusted proxies and the allow-list are those of the settings."""
    addresses = {
        "header": "Forwarded",
        "trusted_proxies": ["10.0.0.0/8"],
        "never_block": ["203.0.113.9"],
    }
    config = _config(addresses=addresses, identity={"key_header": "X-Key"})
    assert config.resolver.resolve("10.0.0.1", [b"for=203.0.113.9"]).text == "203.0.113.9"
    assert ("203.0.113.9" in config.never_block, "10.0.0.1" in config.never_block) == (True, False)
    assert config.key_header == b"x-key"


LOCATIONS = {
    "/locations/centrum": "centrum",
    "/locations/centrum/": "centrum",
    "/locations/centrum/appointments/1": "centrum",
    "/locations/a b": "a b",
    "/locations/": None,
    "/locations": None,
    "/v1/locations/centrum": None,
    "/locationsX/centrum": None,
    "/": None,
}


@pytest.mark.parametrize(("path", "location"), LOCATIONS.items(), ids=LOCATIONS)
def test_the_location_of_a_path(path: str, location: str | None) -> None:
    """A path is about the location it names, and paths below it too."""
    config = _config(identity={"location": "/locations/{location}"})
    assert config.location_in(path) == location
    assert _config().location_in(path) is None


NO_EMERGENCY = 'blocks an address without notice, so [emergency] must allow "block address" (A29)'
PROBLEMS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "none": ({}, []),
    "no meter": (
        {"limits": {"x": LIMIT | {"meter": "appointment"}}},
        [("limits.x.meter", 'there is no meter "appointment"; did you mean "appointments"?')],
    ),
    "no emergency": ({"emergency": {}}, [("limits.burst.then", NO_EMERGENCY)]),
    "throttling only": (
        {"emergency": {"allowed": ["throttle"]}},
        [("limits.burst.then", NO_EMERGENCY)],
    ),
    "no emergency and no block": ({"emergency": {}, "limits": {"x": LIMIT}}, []),
    "both": (
        {"emergency": {}, "limits": {"x": BURST | {"meter": "other"}}},
        [("limits.x.meter", 'there is no meter "other"'), ("limits.x.then", NO_EMERGENCY)],
    ),
}


@pytest.mark.parametrize(("changes", "found"), PROBLEMS.values(), ids=PROBLEMS)
def test_the_parts_of_a_policy_fit(changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """A29: a limit has its meter, and a block without notice is allowed by [emergency]."""
    assert list(policy_problems(policy(**POLICY | changes))) == found


TENANTS: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "none": ({"override": {"per-month": {"amount": 1, "reason": "x"}}}, []),
    "no policy": (
        {"policy": "bookings"},
        [("policy", 'there is no policy "bookings"; did you mean "booking"?')],
    ),
    "no limit": (
        {"override": {"per-moth": {"amount": 1, "reason": "x"}}},
        [("override.per-moth", 'there is no limit "per-moth"; did you mean "per-month"?')],
    ),
}


@pytest.mark.parametrize(("changes", "found"), TENANTS.values(), ids=TENANTS)
def test_a_tenant_fits_its_policy(changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """A27 (known limits): a tenant has a policy that exists, and overrides its limits only."""
    assert list(tenant_problems(tenant(**changes), {"booking": policy()})) == found


def test_a_broken_policy_is_said_once() -> None:
    """A tenant of a policy that is broken itself has no problem of its own."""
    changed = tenant(override={"x": {"amount": 1, "reason": "x"}})
    assert list(tenant_problems(changed, {"booking": None})) == []


def test_an_unknown_name_is_shown() -> None:
    """An unknown name is shown, with the nearest known one where there is one."""
    assert unknown("limit", "x", {}) == 'there is no limit "x"'
