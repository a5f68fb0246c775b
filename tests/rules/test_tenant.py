"""A tenant's file: who it is, what it bought, and what was agreed apart."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from tests.rules.support import KEY, TENANT, tenant, utc, wrong

from fairuse.rules.policy import Applies
from fairuse.rules.tenant import NEVER, Override, Purchase, Tenant
from fairuse.rules.windows import BillingDay, Calendar

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
OVERRIDE: dict[str, Any] = {"amount": "8000", "reason": "agreed by phone"}
PURCHASE: dict[str, Any] = {"package": "standard", "adds": {"packs": 1}}


def _override(**changes: Any) -> Override:
    return Override.model_validate(OVERRIDE | changes)


def _purchase(**changes: Any) -> Purchase:
    return Purchase.model_validate(PURCHASE | changes)


def test_a_tenant_is_read() -> None:
    """A tenant has a policy, a zone, a language, contacts and keys."""
    read = tenant()
    assert (read.policy, read.timezone.key, read.language) == ("booking", "Europe/Amsterdam", "en")
    assert (read.keys, read.override) == ({KEY: "salon"}, {})
    assert (read.packages, read.purchases, read.tariffs) == ({}, [], {})


NO_HASH = 'holds something else than "sha256:" and the 64 digits of a key\'s hash'
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "language": ({"language": "fr"}, "language: Input should be 'nl', 'en' or 'de'"),
    "nobody": (
        {"contact": []},
        "contact: List should have at least 1 item after validation, not 0",
    ),
    "a key itself": (
        {"keys": {"secret": "salon"}},
        f"keys.secret.[key]: {NO_HASH}",
    ),
    "account": (
        {"keys": {KEY: "Salon"}},
        f'keys.{KEY}: "Salon" is no name; write up to 64 of a-z, 0-9 and -',
    ),
    "backwards": (
        {"override": {"x": OVERRIDE | {"from": date(2026, 2, 1), "until": date(2026, 1, 31)}}},
        "override.x: until 2026-01-31 is before from 2026-02-01",
    ),
    "no reason": (
        {"override": {"x": OVERRIDE | {"reason": ""}}},
        "override.x.reason: String should have at least 1 character",
    ),
    "amount": (
        {"override": {"x": OVERRIDE | {"amount": "-1"}}},
        'override.x.amount: "-1" is no amount: found "-" where a number or a name was expected',
    ),
    "no date": (
        {"override": {"x": OVERRIDE | {"until": "2026-12-31"}}},
        "override.x.until: Input should be a valid date",
    ),
    "nothing bought": (
        {"purchases": [PURCHASE | {"adds": {"packs": 0}}]},
        "purchases.0.adds.packs: Input should be greater than or equal to 1",
    ),
    "fewer than none": (
        {"packages": {"standard": {"packs": -1}}},
        "packages.standard.packs: Input should be greater than or equal to 0",
    ),
    "no such day": (
        {"contract": {"billing_day": 32}},
        "contract.billing_day: Input should be less than or equal to 31",
    ),
}


@pytest.mark.parametrize(("change", "found"), WRONG.values(), ids=WRONG)
def test_what_is_no_tenant(change: dict[str, Any], found: str) -> None:
    """A27 (reason, from, to): what a tenant's file may not say is an error at its key."""
    assert wrong(Tenant, TENANT | change) == [found]


@pytest.mark.parametrize(
    "text",
    ["", KEY[:-1], KEY + "0", KEY + "\n", KEY.upper(), KEY[:-1] + "g", "md5:" + "0" * 64, "s3cret"],
    ids=repr,
)
def test_what_is_no_hash_is_not_shown(text: str) -> None:
    """F-22: what stands where a key's hash belongs may be the key, so the message hides it."""
    with pytest.raises(ValidationError) as caught:
        Tenant.model_validate(TENANT | {"keys": {text: "salon"}})
    (found,) = caught.value.errors()
    assert (found["loc"], found["msg"]) == (("keys", text, "[key]"), f"Value error, {NO_HASH}")


def test_an_override_runs_from_midnight_to_midnight() -> None:
    """A27: an override holds from its first day until and including its last, in the zone."""
    override = _override(**{"from": date(2026, 3, 29), "until": date(2026, 12, 31)})
    assert override.starts_at(AMSTERDAM) == utc("2026-03-28T23:00")
    assert override.ends_at(AMSTERDAM) == utc("2026-12-31T23:00")
    assert override.source() == "override until 2026-12-31"


def test_an_override_may_be_open() -> None:
    """A27: without its days an override holds for all time, and says it has no end."""
    override = _override()
    assert override.starts_at(AMSTERDAM) == float("-inf")
    assert override.ends_at(AMSTERDAM) == float("inf")
    assert override.source() == "override"


def test_an_override_of_one_day() -> None:
    """A27: an override from and until the same day holds that whole day, of 25 hours too."""
    override = _override(**{"from": date(2026, 10, 25), "until": date(2026, 10, 25)})
    assert override.ends_at(AMSTERDAM) - override.starts_at(AMSTERDAM) == 25 * 3_600


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_an_override_may_last_as_long_as_dates_do(zone: str) -> None:
    """A27: the first and last days a file can write are days like others."""
    override = _override(**{"from": date.min, "until": date.max})
    assert override.starts_at(ZoneInfo(zone)) < utc("0001-01-03T00:00")
    assert override.ends_at(ZoneInfo(zone)) > utc("9999-12-30T00:00")


def test_a_purchase_holds_from_its_moment() -> None:
    """E10, E20: what is bought at two o'clock counts from two o'clock, and not a moment before."""
    bought = _purchase(at=datetime(2026, 11, 10, 13, tzinfo=UTC))
    assert bought.starts_at(AMSTERDAM) == utc("2026-11-10T13:00")
    assert bought.holds_at(utc("2026-11-10T13:00"), AMSTERDAM)
    assert not bought.holds_at(utc("2026-11-10T12:59:59"), AMSTERDAM)
    assert bought.ends_at(AMSTERDAM) == NEVER


def test_a_purchase_holds_for_days() -> None:
    """E20: what is bought from a day until another holds from one local midnight to the other."""
    bought = _purchase(**{"from": date(2026, 1, 1), "until": date(2026, 12, 31)})
    assert bought.starts_at(AMSTERDAM) == utc("2025-12-31T23:00")
    assert bought.ends_at(AMSTERDAM) == utc("2026-12-31T23:00")


MOMENT = datetime(2026, 11, 10, 14, tzinfo=UTC)
PURCHASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "twice": (
        {"at": MOMENT, "from": date(2026, 11, 10)},
        [": begins either from a day or at a moment"],
    ),
    "no offset": (
        {"at": MOMENT.replace(tzinfo=None)},
        [": at 2026-11-10 14:00:00 needs an offset, like 2026-11-10T14:00:00+01:00"],
    ),
    "over before it begins": (
        {"at": MOMENT, "until": date(2026, 11, 9)},
        [": until 2026-11-09 is before at 2026-11-10 14:00:00+00:00"],
    ),
    "for the rest of the day": ({"at": MOMENT, "until": date(2026, 11, 10)}, []),
    "nothing": (
        {"adds": {}},
        ["adds: Dictionary should have at least 1 item after validation, not 0"],
    ),
}


@pytest.mark.parametrize(("change", "found"), PURCHASES.values(), ids=PURCHASES)
def test_what_is_no_purchase(change: dict[str, Any], found: list[str]) -> None:
    """E10: a purchase begins once, at a moment nobody can argue about, and ends after it began."""
    assert wrong(Purchase, PURCHASE | change) == found


SINCE_2014 = Applies(contracts_from=date(2014, 1, 1))
CONTRACTS: dict[str, tuple[dict[str, date], float]] = {
    "made before": ({"since": date(2013, 12, 31)}, NEVER),
    "made on the day": ({"since": date(2014, 1, 1)}, utc("2013-12-31T23:00")),
    "renewed": (
        {"since": date(2013, 12, 31), "renewed": date(2014, 2, 1)},
        utc("2014-01-31T23:00"),
    ),
    "changed, then renewed": (
        {"since": date(2013, 5, 1), "changed": date(2015, 7, 1), "renewed": date(2016, 1, 1)},
        utc("2015-06-30T22:00"),
    ),
    "renewed before": ({"since": date(2010, 1, 1), "renewed": date(2013, 12, 31)}, NEVER),
    "nobody knows when": ({}, NEVER),
}


@pytest.mark.parametrize(("dates", "moment"), CONTRACTS.values(), ids=CONTRACTS)
def test_a_policy_for_contracts_from_a_day(dates: dict[str, date], moment: float) -> None:
    """A01: a contract of 2013-12-31 stays outside, until the local midnight it is renewed on."""
    assert tenant(contract=dates).applies_from(SINCE_2014) == moment


def test_a_policy_for_every_contract() -> None:
    """A01: without a day of its own a policy is for all contracts, whenever they were made."""
    assert tenant(contract={"since": date(1999, 1, 1)}).applies_from(Applies()) == -NEVER


def test_a_policy_for_some_packages() -> None:
    """C03, E01: a policy for some packages is for who holds one of them, and for nobody else."""
    marked = Applies(packages=["shared", "vps"])
    assert tenant(packages={"vps": {}, "domain": {}}).applies_from(marked) == -NEVER
    assert tenant(packages={"metered": {}}).applies_from(marked) == NEVER
    assert tenant().applies_from(marked) == NEVER


def test_a_contract_with_its_own_policy() -> None:
    """E02: a contract with a policy of its own is outside, whatever else would bring it in."""
    contract = {"since": date(2020, 1, 1), "own_policy": True}
    assert tenant(contract=contract).applies_from(SINCE_2014) == NEVER
    assert tenant(contract=contract).applies_from(Applies()) == NEVER


def test_months_begin_on_the_billing_day() -> None:
    """F-33: months and years begin on the contract's own day; on the first unless told."""
    assert tenant().billing == BillingDay(1, 1)
    billing = tenant(contract={"billing_day": 15, "billing_month": 7}).billing
    assert billing == BillingDay(15, 7)
    month = Calendar("month").span(utc("2026-11-14T12:00"), AMSTERDAM, billing)
    assert month == (utc("2026-10-14T22:00"), utc("2026-11-14T23:00"))
