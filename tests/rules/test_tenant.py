"""A tenant's file: who it is, and what was agreed apart."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from tests.rules.support import KEY, TENANT, tenant, wrong

from fairuse.rules.tenant import Override, Tenant

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
OVERRIDE: dict[str, Any] = {"amount": "8000", "reason": "agreed by phone"}


def _override(**changes: Any) -> Override:
    return Override.model_validate(OVERRIDE | changes)


def test_a_tenant_is_read() -> None:
    """A tenant has a policy, a zone, a language, contacts and keys."""
    read = tenant()
    assert (read.policy, read.timezone.key, read.language) == ("booking", "Europe/Amsterdam", "en")
    assert (read.keys, read.override) == ({KEY: "salon"}, {})


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
        "override.x.amount: '-1' is no amount; write a whole number of units, 0 or more",
    ),
    "no date": (
        {"override": {"x": OVERRIDE | {"until": "2026-12-31"}}},
        "override.x.until: Input should be a valid date",
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


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_an_override_runs_from_midnight_to_midnight() -> None:
    """A27: an override holds from its first day until and including its last, in the zone."""
    override = _override(**{"from": date(2026, 3, 29), "until": date(2026, 12, 31)})
    assert override.starts_at(AMSTERDAM) == _utc("2026-03-28T23:00")
    assert override.ends_at(AMSTERDAM) == _utc("2026-12-31T23:00")
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
    assert override.starts_at(ZoneInfo(zone)) < _utc("0001-01-03T00:00")
    assert override.ends_at(ZoneInfo(zone)) > _utc("9999-12-30T00:00")
