"""Hosting: five times the average of the same package is the guideline, and it stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.process import assert_ledger
from tests.scenarios.support import (
    CONTACT,
    months,
    opened,
    pass_time,
    running,
    shipped,
    shown,
    used_before,
    written,
)
from tests.scenarios.support_hosting import MB, OTHERS, SHOP, Files, fetch, move, sharing
from tests.support import told

from fairuse.rules.cohorts import CohortKey
from fairuse.stores.history import breaches_since, latest_snapshots

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

LIMIT = "traffic-per-month"
USUAL = {SHOP: 441 * MB, **dict.fromkeys(OTHERS, 51 * MB)}
"""A month's traffic: the average of the ten is 90 MB, and the shop's 4.9 times as much."""


async def a_usual_year(config: Path, first: str = "2025-11") -> None:
    """Write twelve usual months into the ledger."""
    used = {name: dict.fromkeys(months(first, 12), traffic) for name, traffic in USUAL.items()}
    await used_before(config, "traffic", used)


async def entry_of(fair: FairUse, account: str = SHOP) -> dict[str, Any]:
    """Give what an account is shown of its traffic."""
    [entry] = await shown(fair, account, LIMIT)
    return entry


async def test_a_year_at_almost_five_times_the_average_is_fine(
    tmp_path: Path, clock: ManualClock
) -> None:
    """S5, C06: twelve months at 4.9 times the average are no breach and no notice."""
    config = shipped(tmp_path, sharing())
    await a_usual_year(config)
    async with running(config, Files(), clock) as fair:
        for when in months("2026-11", 12):
            await pass_time(fair, clock, when)
            await move(fair, USUAL, when)
            entry = await entry_of(fair)
            assert (entry["amount"], entry["average"]["multiple"]) == (450 * MB, 4.9)
        await pass_time(fair, clock, "2027-11-01T12:00")
        ledger = await told(fair.service)
        for account in USUAL:
            assert await breaches_since(ledger, 0, account) == []
            assert await ledger.cases(account) == []
            assert await ledger.notices(account) == []


async def test_ten_times_the_average_is_told_and_served(tmp_path: Path, clock: ManualClock) -> None:
    """S5, C07, C15, C18, D27, P4, P9: above five times the average there is one notice."""
    config = shipped(tmp_path, sharing())
    await a_usual_year(config)
    async with running(config, Files(chunks=90), clock) as fair:
        answers = [await fetch(fair) for _ in range(5)]
        entry = await entry_of(fair)
        assert (entry["used"], entry["amount"], entry["standing"]) == (
            450 * MB,
            450 * MB,
            "warning",
        )
        assert await opened(fair, SHOP) == []
        answers += [await fetch(fair) for _ in range(5)]
        entry = await entry_of(fair)
        assert (entry["standing"], entry["average"]["multiple"]) == ("excessive", 10)
        assert {answer.status for answer in answers} == {200}
        assert {answer.headers for answer in answers} == {(b"x-request-id",)}
        [case] = await opened(fair, SHOP)
        [notice] = await written(fair, SHOP)
        assert (case.rule, notice.reading, notice.amount) == (LIMIT, 540 * MB, 450 * MB)
        assert "used 540,000,000 of 450,000,000 (byte)" in notice.body
        assert CONTACT in notice.body
        assert (await fetch(fair, account=OTHERS[0])).status == 200
        assert await opened(fair, OTHERS[0]) == []
        await assert_ledger(fair, "hosting_ten_times")


async def test_ten_times_the_limit_is_served(tmp_path: Path, clock: ManualClock) -> None:
    """C18: fifty times the average, which is ten times the limit, is answered as ever."""
    config = shipped(tmp_path, sharing())
    await a_usual_year(config)
    async with running(config, Files(), clock) as fair:
        first = await fetch(fair)
        await move(fair, {SHOP: 4_489 * MB}, "2026-11-02T12:00")
        answers = [await fetch(fair) for _ in range(10)]
        assert (await entry_of(fair))["average"]["multiple"] == 50
        assert len(await opened(fair, SHOP)) == 1
        assert [answer.status for answer in answers] == [200] * 10
        assert {answer.headers for answer in answers} == {first.headers}


async def test_five_times_is_within_and_one_byte_more_is_not(
    tmp_path: Path, clock: ManualClock
) -> None:
    """C07, C13: excessive is more than five times the average, to the byte."""
    config = shipped(tmp_path, sharing())
    await a_usual_year(config)
    async with running(config, Files(), clock) as fair:
        await move(fair, {SHOP: 450 * MB}, "2026-11-02T12:00")
        assert (await entry_of(fair))["standing"] == "warning"
        assert await opened(fair, SHOP) == []
        await move(fair, {SHOP: 1}, "2026-11-02T12:00")
        assert (await entry_of(fair))["standing"] == "excessive"
        assert len(await opened(fair, SHOP)) == 1


async def test_one_message_a_month_also_over_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    """C15: each month above the limit is told exactly once, however much is used after that."""
    config = shipped(tmp_path, sharing())
    await a_usual_year(config)
    for told_of, when in enumerate(("2026-11-02T13:00", "2026-12-02T13:00"), start=1):
        for _ in range(3):
            async with running(config, Files(), clock) as fair:
                await pass_time(fair, clock, when)
                await move(fair, {SHOP: 2_000 * MB}, when)
                await move(fair, {SHOP: 2_000 * MB}, when)
                assert len(await written(fair, SHOP)) == told_of
                assert len(await opened(fair, SHOP)) == told_of


async def test_the_guideline_is_the_same_everywhere(tmp_path: Path, clock: ManualClock) -> None:
    """C12-C14: an account sees its limit, the average behind it, and the same in its notice."""
    config = shipped(tmp_path, sharing())
    await a_usual_year(config)
    await used_before(config, "traffic", {OTHERS[0]: {"2026-10-15T12:00": 1}})
    async with running(config, Files(), clock) as fair:
        entry = await entry_of(fair)
        # Ten accounts of 90 MB on average, and one byte of one month: rounded down.
        assert (entry["used"], entry["amount"]) == (0, 450 * MB)
        assert "5 * average, average 90000000.01 (mean of 10, 2026-11-02)" in entry["source"]
        await move(fair, {SHOP: 207 * MB}, "2026-11-02T12:00")
        entry = await entry_of(fair)
        snapshot = (await latest_snapshots(await told(fair.service)))[
            CohortKey("hosting", "shared", "traffic")
        ]
        assert entry["average"] == {
            "value": round(float(snapshot.average_for(SHOP)), 2),
            "multiple": 2.3,
            "of": snapshot.n,
            "on": snapshot.day,
            "method": "mean",
        }
        await move(fair, {SHOP: 300 * MB}, "2026-11-02T12:00")
        [notice] = await written(fair, SHOP)
        assert (notice.amount, notice.source) == (entry["amount"], entry["source"])
