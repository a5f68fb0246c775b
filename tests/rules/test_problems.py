"""What is wrong between the parts of a policy, or between a tenant and its policy."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.rules.support import (
    BURST,
    DOCUMENTS,
    LIMIT,
    METER,
    POLICY,
    at_most,
    policy,
    tenant,
)

from fairuse.rules.policy import Policy
from fairuse.rules.problems import policy_problems, tenant_problems, unknown
from fairuse.rules.settings import Identity

NOBODY = Identity()
HERE = "/locations/{location}"


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
    for identity in (None, NOBODY, Identity(location=HERE)):
        assert list(policy_problems(changed, identity)) == found


def _located(location: str | None, *routes: str, scope: str = "location") -> list[tuple[str, str]]:
    meters = {"appointments": METER | {"count": list(routes)}}
    counted = policy(meters=meters, limits={"per-month": LIMIT | {"scope": scope}})
    return list(policy_problems(counted, Identity(location=location)))


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
    assert _located(location, *routes) == []


@pytest.mark.parametrize(("location", "routes"), LOST.values(), ids=LOST)
def test_no_route_carries_a_location(location: str, routes: list[str]) -> None:
    """A limit per location that would count all locations as one is an error at its scope."""
    message = (
        'no route of "appointments" names a location as identity.location'
        f' in gateway.toml does ("{location}")'
    )
    found = [("limits.per-month.scope", message)]
    assert _located(location, *routes) == found
    assert _located(location, *routes, scope="address, location") == found
    assert _located(location, *routes, scope="account, address") == []


BACK = "amount: depends on itself:"
CYCLES: dict[str, tuple[dict[str, str], list[str]]] = {
    "itself": ({"a": "a"}, [f"a.{BACK} a -> a"]),
    "two": ({"a": "2 * b", "b": "a + 1"}, [f"a.{BACK} a -> b -> a"]),
    "three, once": ({"b": "c", "c": "a", "a": "b"}, [f"a.{BACK} a -> b -> c -> a"]),
    "two circles": (
        {"a": "b", "b": "a", "c": "d", "d": "c"},
        [f"a.{BACK} a -> b -> a", f"c.{BACK} c -> d -> c"],
    ),
    "a way into one": ({"a": "b", "b": "b"}, [f"b.{BACK} b -> b"]),
    "none, though used twice": ({"a": "b + c", "b": "d", "c": "d", "d": "1"}, []),
}


@pytest.mark.parametrize(("amounts", "found"), CYCLES.values(), ids=CYCLES)
def test_an_amount_never_depends_on_itself(amounts: dict[str, str], found: list[str]) -> None:
    """E15 (derived amounts): a circle of amounts is an error that shows the way round, once."""
    limits = {name: at_most(amount) for name, amount in amounts.items()}
    known = Policy.model_validate(DOCUMENTS | {"limits": limits})
    problems = [f"{key}: {message}" for key, message in policy_problems(known, NOBODY)]
    assert problems == [f"limits.{each}" for each in found]


def test_users_are_asked_of_requests_only() -> None:
    """E21: a meter of users needs the header that names them, unless events name them."""
    users = {"unit": "user", "measure": "users", "count": ["POST /documents"]}
    counted = at_most("10", meter="active", over="deny user")
    rules = DOCUMENTS | {"limits": {"seats": counted}}
    asked = Policy.model_validate(rules | {"meters": {"active": users}})
    told = Policy.model_validate(rules | {"meters": {"active": users | {"count": ["event x"]}}})
    message = "needs identity.user_header in gateway.toml"
    assert list(policy_problems(asked, NOBODY)) == [("meters.active.measure", message)]
    assert list(policy_problems(asked, Identity(user_header="x-user"))) == []
    assert list(policy_problems(told, NOBODY)) == []


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


def test_an_override_never_depends_on_itself() -> None:
    """A27: an override that closes a circle of amounts is an error, also where two do together."""
    rules = DOCUMENTS | {"limits": {"a": at_most("b + 1"), "b": at_most("5"), "c": at_most("7")}}
    known = {"booking": Policy.model_validate(rules)}
    packages = {"standard": {"packs": 1}}

    def found(**amounts: str) -> list[tuple[str, str]]:
        override = {name: {"amount": each, "reason": "x"} for name, each in amounts.items()}
        return list(tenant_problems(tenant(packages=packages, override=override), known))

    circle = "depends on itself: b -> a -> b"
    assert found(b="2 * a") == [("override.b.amount", circle)]
    assert found(a="c", b="a") == []
    together = "depends on itself: b -> c -> b"
    assert found(b="c", c="b") == [("override.b.amount", together)]


def _missing(**changes: Any) -> list[str]:
    limits = {"pages": at_most("1250 * users", over="charge", tariff="page")}
    rules = DOCUMENTS | {"limits": limits, "applies": {"contracts_from": date(2014, 1, 1)}}
    known = {"booking": Policy.model_validate(rules)}
    return sorted(key for key, _ in tenant_problems(tenant(**changes), known))


def test_what_a_contract_must_say() -> None:
    """C (ambiguity 5), D (ambiguity 5): the price, the package and each count stand in the file."""
    says: dict[str, Any] = {
        "contract": {"since": date(2019, 3, 1)},
        "packages": {"advanced": {"users": 10}},
        "tariffs": {"page": [{"price": "EUR 0.05"}]},
    }
    assert _missing(**says) == []
    assert _missing(**says | {"contract": {"renewed": date(2019, 3, 1)}}) == []
    assert _missing(**says | {"contract": {}}) == ["contract.since"]
    assert _missing(**says | {"tariffs": {}}) == ["tariffs.page"]
    assert _missing(**says | {"packages": {}}) == ["packages", "packages.*.users"]
    sold = ["packages.*.users", "packages.advanced.users"]
    assert _missing(**says | {"packages": {"advanced": {}}}) == sold


def test_a_contract_with_its_own_policy_says_nothing() -> None:
    """E02: a contract with a policy of its own needs no figures of this one; typos stay errors."""
    own = {"own_policy": True}
    assert _missing(contract=own) == []
    wrong = {"override": {"pags": {"amount": 1, "reason": "x"}}}
    assert _missing(contract=own, **wrong) == ["override.pags"]


def test_an_unknown_name_is_shown() -> None:
    """An unknown name is shown, with the nearest known one where there is one."""
    assert unknown("limit", "x", {}) == 'there is no limit "x"'
