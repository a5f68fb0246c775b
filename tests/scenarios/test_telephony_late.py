"""Telephony: calls that are told late count for their own month, and by that month's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support import moment, months, opened, pass_time, running, shipped, shown
from tests.scenarios.support_telephony import OFFICE, a_usual_year, exchange_tenants, talk
from tests.support import Recorder, told

from fairuse.stores.history import breaches_since

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

LIMIT = "minutes-per-month"


async def breaches(fair: FairUse) -> list[tuple[float, int]]:
    """Give when the office's breaches began, and the amounts they were over."""
    rows = await breaches_since(await told(fair.service), 0, OFFICE)
    return [(row.starts_at, row.amount) for row in rows]


async def test_a_month_that_is_over_is_measured_by_its_own_average(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B23, P7: a December call told in January counts in December, by December's limit."""
    config = shipped(tmp_path, exchange_tenants())
    await a_usual_year(config, "2025-11")
    async with running(config, recorder, clock) as fair:
        await pass_time(fair, clock, "2026-12-31T20:00")
        await talk(fair, 2_300, "2026-12-31T20:00")
        await pass_time(fair, clock, "2027-01-01T02:00")
        [entry] = await shown(fair, OFFICE, LIMIT)
        assert (entry["used"], entry["amount"]) == (0, 2_092)
        await talk(fair, 100, "2026-12-31T23:30")
        assert await breaches(fair) == []
        await talk(fair, 0.01, "2026-12-31T23:30")
        assert await breaches(fair) == [(moment("2026-12-01T00:00"), 240_000)]
        [entry] = await shown(fair, OFFICE, LIMIT)
        assert entry["used"] == 0


async def test_a_third_breach_that_is_told_late_is_judged_late(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B25: the calls that make a third month a breach may be told after it is over."""
    clock.wall = moment("2026-08-01T09:00")
    config = shipped(tmp_path, exchange_tenants())
    await a_usual_year(config, "2025-08")
    async with running(config, recorder, clock) as fair:
        for when in months("2026-08", 2):
            await pass_time(fair, clock, when)
            await talk(fair, 3_000, when)
        await pass_time(fair, clock, "2026-10-31T12:00")
        await talk(fair, 2_400, "2026-10-31T12:00")
        await pass_time(fair, clock, "2026-11-01T00:00")
        assert await opened(fair, OFFICE) == []
        await pass_time(fair, clock, "2026-11-02T09:00")
        await talk(fair, 50, "2026-10-31T23:59")
        await pass_time(fair, clock, "2026-11-02T09:01")
        [case] = await opened(fair, OFFICE)
        assert case.ends_at == moment("2026-11-01T00:00")
