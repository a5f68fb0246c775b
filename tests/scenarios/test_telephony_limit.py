"""Telephony: four times the average of all users, fixed once a year, shared by an account."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.support import (
    contract,
    moment,
    months,
    opened,
    pass_time,
    running,
    shipped,
    shown,
    used_before,
)
from tests.scenarios.support_telephony import (
    COHORT,
    OFFICE,
    OTHERS,
    a_usual_year,
    exchange_tenants,
    talk,
    unlimited,
)
from tests.support import Recorder, told

from fairuse.stores.history import breaches_since, latest_snapshots

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

LIMIT = "minutes-per-month"


async def entry_of(fair: FairUse) -> dict[str, Any]:
    """Give what the office is shown of its minutes."""
    [entry] = await shown(fair, OFFICE, LIMIT)
    return entry


async def breaches(fair: FairUse) -> list[tuple[str, int, int]]:
    """Give the rule, reading and amount of the office's breaches."""
    rows = await breaches_since(await told(fair.service), 0, OFFICE)
    return [(row.rule, row.reading, row.amount) for row in rows]


async def test_users_times_the_average_times_four(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B21, B22, C14: 3 users and an average of 200 are 2,400 minutes; users without use count."""
    config = shipped(tmp_path, exchange_tenants())
    await a_usual_year(config, "2025-11")
    async with running(config, recorder, clock) as fair:
        await talk(fair, 1_380, "2026-11-02T12:00")
        entry = await entry_of(fair)
        assert (entry["used"], entry["amount"], entry["window"]) == (1_380, 2_400, "calendar month")
        assert "average 200 (mean of 12, 2026-11-02)" in entry["source"]
        assert entry["average"] == {
            "value": 200,
            "multiple": 2.3,
            "of": 12,
            "on": "2026-11-02",
            "method": "mean",
        }


async def test_the_limit_itself_is_within(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B21: 2,400 minutes are within, and 2,400.01 are over."""
    config = shipped(tmp_path, exchange_tenants())
    await a_usual_year(config, "2025-11")
    async with running(config, recorder, clock) as fair:
        await talk(fair, 2_400, "2026-11-02T12:00")
        assert (await entry_of(fair))["standing"] == "warning"
        assert await breaches(fair) == []
        await talk(fair, 0.01, "2026-11-02T12:00")
        entry = await entry_of(fair)
        assert (entry["used"], entry["standing"]) == (2_400.01, "excessive")
        assert await breaches(fair) == [(LIMIT, 240_001, 240_000)]


async def test_users_share_what_they_have(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B24: one of three users may use it all; what counts is the sum of the account."""
    config = shipped(tmp_path, exchange_tenants())
    await a_usual_year(config, "2025-11")
    async with running(config, recorder, clock) as fair:
        await talk(fair, 2_399, "2026-11-02T12:00", user="anna")
        assert (await entry_of(fair))["used"] == 2_399
        await talk(fair, 1, "2026-11-02T12:00", user="bert")
        assert await breaches(fair) == []
        await talk(fair, 1, "2026-11-02T12:00", user="cees")
        assert await breaches(fair) == [(LIMIT, 240_100, 240_000)]


async def test_the_cohort_is_everybody_on_the_service(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B01, B22: an average of the accounts on the same service, listed one by one."""
    by_the_minute = contract("meter", "telephony", "[packages.by-the-minute]\nusers = 5")
    config = shipped(tmp_path, {**exchange_tenants(), "meter": by_the_minute})
    await a_usual_year(config, "2025-11")
    await used_before(config, "minutes", {"meter": {"2026-10-01T12:00": 9_000_000}})
    async with running(config, recorder, clock) as fair:
        snapshot = (await latest_snapshots(await told(fair.service)))[COHORT]
        users = {name: member.shares for name, member in snapshot.members.items()}
        assert users == {OFFICE: 3, **OTHERS}
        assert snapshot.members["other-1"].monthly == 44_000
        assert snapshot.members["other-11"].monthly == 0
        assert snapshot.average_for(OFFICE) == 20_000


@pytest.mark.parametrize(
    ("package", "amount"), [("unlimited", 2_400), ("by-the-minute", None)], ids=lambda value: value
)
async def test_only_the_unlimited_service_has_a_limit(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, package: str, amount: int | None
) -> None:
    """B02: what is used is kept, whatever the package; who pays by the minute is left alone."""
    users = {OFFICE: 3, **OTHERS}
    tenants = {
        name: contract(name, "telephony", f"[packages.{package}]\nusers = {number}")
        for name, number in users.items()
    }
    config = shipped(tmp_path, tenants)
    await a_usual_year(config, "2025-11")
    async with running(config, recorder, clock) as fair:
        await talk(fair, 9_000, "2026-11-02T12:00")
        assert (await entry_of(fair))["amount"] == amount
        assert len(await breaches(fair)) == (amount is not None)
        usage = await (await told(fair.service)).usage(OFFICE)
        now = moment("2026-11-02T12:00")
        assert {key.meter: units for key, units in usage.items() if key.hour == now} == {
            "minutes": 900_000
        }


async def test_the_average_is_fixed_once_a_year(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B23: more use does not move the limit, nor does a restart, until the year is over."""
    config = shipped(tmp_path, exchange_tenants())
    await a_usual_year(config, "2025-11")
    async with running(config, recorder, clock) as fair:
        for when in months("2026-11", 2):
            await pass_time(fair, clock, when)
            await talk(fair, 24_000, when, account="other-11")
            assert (await entry_of(fair))["amount"] == 2_400
    async with running(config, recorder, clock) as fair:
        await pass_time(fair, clock, "2026-12-31T23:59")
        entry = await entry_of(fair)
        assert (entry["amount"], entry["average"]["on"]) == (2_400, "2026-11-02")
        await pass_time(fair, clock, "2027-01-01T01:01")
        # Ten months of 5,000 minutes and two of 24,000, for 25 users.
        average = Fraction(10 * 5_000 + 2 * 24_000, 12 * 25)
        entry = await entry_of(fair)
        assert entry["amount"] == float(int(average * 3 * 4 * 100)) / 100
        assert (entry["average"]["value"], entry["average"]["on"]) == (326.67, "2027-01-01")


@pytest.mark.parametrize("accounts", [9, 10])
async def test_an_average_of_few_is_none(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, accounts: int
) -> None:
    """B22: of fewer than ten accounts there is no average, and no limit that follows from it."""
    tenants = dict([*exchange_tenants().items()][:accounts])
    config = shipped(tmp_path, tenants)
    await used_before(config, "minutes", {name: {"2026-10-05T12:00": 10_000} for name in tenants})
    async with running(config, recorder, clock) as fair:
        entry = await entry_of(fair)
        assert (entry["amount"] is not None) is (accounts == 10)
        assert ("average" in entry) is (accounts == 10)


async def test_months_before_anything_was_counted_are_no_months_without_use(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B22: of customers of many years the average goes back to the first month that was counted."""
    config = shipped(tmp_path, exchange_tenants())
    two = dict.fromkeys(months("2026-09", 2), 50_000)
    await used_before(config, "minutes", {OFFICE: two, **dict.fromkeys(OTHERS, two)})
    async with running(config, recorder, clock) as fair:
        # Twelve accounts of 500 minutes, 25 users.
        assert (await entry_of(fair))["average"]["value"] == 240


async def test_users_who_left_count_until_the_month_is_over(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B21, P7: where the number of users changes in a month, the highest of the month holds."""
    extra = """
[[purchases]]
package = "unlimited"
adds    = { users = 2 }
from    = 2026-11-01
until   = 2026-11-10
"""
    office = contract(OFFICE, "telephony", unlimited(1), extra=extra)
    config = shipped(tmp_path, exchange_tenants(office))
    await a_usual_year(config, "2025-11")
    async with running(config, recorder, clock) as fair:
        for when, amount in (
            ("2026-11-05T12:00", 2_400),
            ("2026-11-11T12:00", 2_400),
            ("2026-11-30T23:59", 2_400),
            ("2026-12-01T00:00", 800),
        ):
            await pass_time(fair, clock, when)
            assert (await entry_of(fair))["amount"] == amount
        assert await opened(fair, OFFICE) == []
