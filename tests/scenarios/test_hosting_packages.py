"""Hosting: which packages the policy is for, and whom an account is compared with, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.support import (
    contract,
    key_of,
    moment,
    opened,
    pass_time,
    running,
    shipped,
    shown,
    used_before,
)
from tests.scenarios.support_hosting import MB, OTHERS, SHARED, SHOP, Files, move, sharing
from tests.support import call, told

from fairuse.rules.cohorts import CohortKey
from fairuse.stores.history import breaches_since, latest_snapshots

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

LIMIT = "traffic-per-month"
RESELLERS = [f"reseller-{number}" for number in range(10)]


async def entry_of(fair: FairUse, account: str = SHOP) -> dict[str, Any]:
    """Give what an account is shown of its traffic."""
    [entry] = await shown(fair, account, LIMIT)
    return entry


async def last_month(config: Path, used: dict[str, int]) -> None:
    """Write what accounts used in October, the first month that anything was counted in."""
    moments = {name: {"2026-10-15T12:00": units} for name, units in used.items()}
    await used_before(config, "traffic", moments)


async def test_packages_have_averages_of_their_own(tmp_path: Path, clock: ManualClock) -> None:
    """C05: who is on another package is compared with those on the same one."""
    resellers = dict.fromkeys(RESELLERS, "[packages.reseller]")
    config = shipped(tmp_path, sharing(**resellers))
    used = dict.fromkeys([SHOP, *OTHERS], 90 * MB) | dict.fromkeys(RESELLERS, 700 * MB)
    await last_month(config, used)
    async with running(config, Files(), clock) as fair:
        assert (await entry_of(fair))["amount"] == 450 * MB
        assert (await entry_of(fair, RESELLERS[0]))["amount"] == 3_500 * MB
        snapshots = await latest_snapshots(await told(fair.service))
        members = {key.packages: {*found.members} for key, found in snapshots.items()}
        assert members == {"shared": {SHOP, *OTHERS}, "reseller": {*RESELLERS}}
        await move(fair, {SHOP: 500 * MB, RESELLERS[0]: 500 * MB}, "2026-11-02T12:00")
        assert len(await opened(fair, SHOP)) == 1
        assert await opened(fair, RESELLERS[0]) == []


@pytest.mark.parametrize(
    ("package", "applies"),
    [("shared", True), ("reseller", True), ("vps", True), ("metered", False)],
)
async def test_the_policy_is_for_packages_with_unlimited_traffic(
    tmp_path: Path, clock: ManualClock, package: str, *, applies: bool
) -> None:
    """C03: shared, reseller and VPS packages have a limit; others are metered and left alone."""
    accounts = dict.fromkeys([SHOP, *OTHERS], f"[packages.{package}]")
    config = shipped(tmp_path, sharing(**accounts))
    await last_month(config, dict.fromkeys(accounts, 90 * MB))
    async with running(config, Files(), clock) as fair:
        await move(fair, {SHOP: 451 * MB}, "2026-11-02T12:00")
        reply = await call(fair, "GET", "/", key=key_of(SHOP))
        assert reply.status == 200
        assert (await entry_of(fair))["amount"] == (450 * MB if applies else None)
        assert len(await opened(fair, SHOP)) == (1 if applies else 0)
        now = [
            units
            for key, units in (await (await told(fair.service)).usage(SHOP)).items()
            if key.hour >= moment("2026-11-01T00:00")
        ]
        assert sum(now) == 452 * MB


async def test_the_average_stands_still_within_a_month(tmp_path: Path, clock: ManualClock) -> None:
    """C07, P7: more traffic of everybody moves the limit when the month is over, and not before."""
    config = shipped(tmp_path, sharing())
    everybody = [SHOP, *OTHERS]
    await last_month(config, dict.fromkeys(everybody, 90 * MB))
    async with running(config, Files(), clock) as fair:
        for when in ("2026-11-10T12:00", "2026-11-30T23:59"):
            await pass_time(fair, clock, when)
            await move(fair, dict.fromkeys(everybody, 105 * MB), when)
            assert (await entry_of(fair))["amount"] == 450 * MB
        await pass_time(fair, clock, "2026-12-01T01:01")
        entry = await entry_of(fair)
        # Two months: 90 and 210 MB.
        assert (entry["amount"], entry["average"]["on"]) == (750 * MB, "2026-12-01")


async def test_a_lower_average_is_no_breach_of_the_month_before(
    tmp_path: Path, clock: ManualClock
) -> None:
    """C06, P7: a month's last traffic, told in the next one, is measured by the month's limit."""
    config = shipped(tmp_path, sharing())
    await last_month(config, dict.fromkeys([SHOP, *OTHERS], 90 * MB))
    async with running(config, Files(), clock) as fair:
        await pass_time(fair, clock, "2026-11-30T12:00")
        await move(fair, {SHOP: 440 * MB}, "2026-11-30T12:00")
        await pass_time(fair, clock, "2026-12-01T06:00")
        assert (await entry_of(fair))["amount"] == 335 * MB  # 5 x (90 + 44) / 2
        await move(fair, {SHOP: 10 * MB}, "2026-11-30T23:00")
        assert await breaches_since(await told(fair.service), 0, SHOP) == []
        await move(fair, {SHOP: 1}, "2026-11-30T23:00")
        [breach] = await breaches_since(await told(fair.service), 0, SHOP)
        assert (breach.starts_at, breach.amount) == (moment("2026-11-01T00:00"), 450 * MB)


async def test_who_came_later_is_averaged_over_their_own_months(
    tmp_path: Path, clock: ManualClock
) -> None:
    """C07: months before an account was there are no months without traffic."""
    newcomer = contract(OTHERS[0], "hosting", SHARED, dates="since = 2026-10-01")
    config = shipped(tmp_path, sharing() | {OTHERS[0]: newcomer})
    await last_month(config, dict.fromkeys([SHOP, *OTHERS], 90 * MB))
    before = {name: {"2026-09-15T12:00": 90 * MB} for name in [SHOP, *OTHERS[1:]]}
    await used_before(config, "traffic", before)
    async with running(config, Files(), clock) as fair:
        assert (await entry_of(fair))["amount"] == 450 * MB


@pytest.mark.parametrize(("accounts", "amount"), [(9, None), (10, 450 * MB)])
async def test_few_accounts_have_no_average(
    tmp_path: Path, clock: ManualClock, accounts: int, amount: int | None
) -> None:
    """C07: five times an average that one of few lifts itself could never be reached."""
    tenants = dict([*sharing().items()][:accounts])
    config = shipped(tmp_path, tenants)
    await last_month(config, dict.fromkeys(tenants, 90 * MB))
    async with running(config, Files(), clock) as fair:
        await move(fair, {SHOP: 451 * MB}, "2026-11-02T12:00")
        assert (await entry_of(fair))["amount"] == amount
        assert len(await opened(fair, SHOP)) == (amount is not None)
        key = CohortKey("hosting", "shared", "traffic")
        assert (await latest_snapshots(await told(fair.service)))[key].n == accounts
