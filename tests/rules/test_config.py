"""One configuration: put together whole, and checked between its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.rules.support import BURST, KEY, LIMIT, METER, POLICY, policy, settings, tenant

from fairuse.rules.config import INDEXED, Config, policy_problems, tenant_problems, unknown
from fairuse.rules.terms import Terms

if TYPE_CHECKING:
    from fairuse.rules.policy import Policy

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
    one, other = config.holder_of(KEY), config.holder_of(OTHER_KEY)
    assert one is not None
    assert other is not None
    assert (one.fingerprint, other.fingerprint) == (KEY, OTHER_KEY)
    assert one.account == other.account == "salon"
    assert one.terms is other.terms is config.accounts["salon"] is config.terms["anna"]
    assert len(config.keys) == 3
    assert all(key == holder.fingerprint[:INDEXED] for key, holder in config.keys.items())


def test_a_part_of_a_fingerprint_finds_its_holder() -> None:
    """F-22: the look-up sees 64 bits and no more; the holder shows the whole to compare with."""
    config = _config()
    assert len("sha256:") + 16 == INDEXED
    near = KEY[:INDEXED] + "e" * (len(KEY) - INDEXED)
    assert config.holder_of(near) is config.holder_of(KEY)
    assert config.holder_of(KEY[: INDEXED - 1] + "e" * 49) is None
    assert [config.holder_of(text) for text in ("", "sha256:", "0" * 64)] == [None] * 3


def test_addresses_are_put_together() -> None:
    """P9: the header and the proxies are the settings'; those and the allow-list go unblocked."""
    addresses = {
        "header": "Forwarded",
        "trusted_proxies": ["10.0.0.0/8"],
        "never_block": ["203.0.113.9"],
    }
    config = _config(addresses=addresses, identity={"key_header": "X-Key"})
    assert config.resolver.resolve("10.0.0.1", [b"for=203.0.113.9"]).text == "203.0.113.9"
    never = {text: text in config.never_block for text in ("203.0.113.9", "10.0.0.1", "11.0.0.1")}
    assert never == {"203.0.113.9": True, "10.0.0.1": True, "11.0.0.1": False}
    assert [config.resolver.trusts(text) for text in never] == [False, True, False]
    assert config.key_header == b"x-key"


LOCATIONS = {
    "/locations/centrum": "centrum",
    "/locations/centrum/": "centrum",
    "/locations/centrum/appointments/1": "centrum",
    "/locations/a b": "a b",
    "/LOCATIONS/Centrum": "Centrum",
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


NO_EMERGENCY = 'blocks an address without notice, so [emergency] must allow "block address"'
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
    changed = policy(**POLICY | changes)
    for location in (None, "/locations/{location}"):
        assert list(policy_problems(changed, location)) == found


def _counted(*routes: str, scope: str = "location") -> Policy:
    meters = {"appointments": METER | {"count": list(routes)}}
    return policy(meters=meters, limits={"per-month": LIMIT | {"scope": scope}})


HERE = "/locations/{location}"
BOOK = "POST /locations/{location}/appointments"
CARRIED = {
    "as it is written": (HERE, [BOOK]),
    "another name": (HERE, ["POST /locations/{place}/appointments"]),
    "a last slash": (HERE + "/", ["GET /locations/{location}"]),
    "one of the routes": (HERE, ["GET /export", BOOK]),
    "wildcard": (HERE, ["POST /locations/*/appointments"]),
    "wildcards": (HERE, ["POST /*/*"]),
    "everything": (HERE, ["* /**"]),
    "everything below": (HERE, ["POST /locations/**"]),
    "a word for the name": (HERE, ["POST /locations/centrum/appointments"]),
    "none set": (None, ["POST /room/{room}"]),
}
LOST = {
    "typo": ("/room/{location}", [BOOK]),
    "another word": (HERE, ["POST /rooms/{location}", "GET /export"]),
    "deeper": ("/v1/locations/{location}", [BOOK]),
    "too short": (HERE, ["POST /locations"]),
    "too short, wildcard": (HERE, ["POST /*"]),
    "everything elsewhere": (HERE, ["POST /rooms/**"]),
}


@pytest.mark.parametrize(("location", "routes"), CARRIED.values(), ids=CARRIED)
def test_a_route_carries_a_location(location: str | None, routes: list[str]) -> None:
    """A limit per location is right where one route can name a location, or none is named."""
    assert list(policy_problems(_counted(*routes), location)) == []


@pytest.mark.parametrize(("location", "routes"), LOST.values(), ids=LOST)
def test_no_route_carries_a_location(location: str, routes: list[str]) -> None:
    """A limit per location that would count all locations as one is an error at its scope."""
    message = (
        'no route of "appointments" names a location as identity.location'
        f' in gateway.toml does ("{location}")'
    )
    found = [("limits.per-month.scope", message)]
    assert list(policy_problems(_counted(*routes), location)) == found
    both = _counted(*routes, scope="address, location")
    assert list(policy_problems(both, location)) == found
    assert list(policy_problems(_counted(*routes, scope="account, address"), location)) == []


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
