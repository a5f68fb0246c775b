"""Hosting: the limit stops nothing by itself; what persists and is refused may be charged (S6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import assert_ledger, chosen, decided, delivered
from tests.scenarios.support import months, pass_time, running, shipped, used_before
from tests.scenarios.support_hosting import MB, OTHERS, SHOP, Files, fetch, move, sharing
from tests.support import told

from fairuse.entry.desk import Desk
from fairuse.rules.tariffs import Price, parse_price
from fairuse.stores.charges import charges_of

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

USUAL = {SHOP: 441 * MB, **dict.fromkeys(OTHERS, 51 * MB)}
GB = 1_000 * MB


async def over(fair: FairUse, clock: ManualClock, when: str, traffic: int) -> None:
    """Have the shop move so much in a month; the first notice arrives at once."""
    await pass_time(fair, clock, when)
    await move(fair, {SHOP: traffic}, when)
    await pass_time(fair, clock, when)
    await delivered(fair, clock)


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """Give ten accounts on shared hosting with a usual year behind them."""
    config = shipped(tmp_path, sharing())
    used = {name: dict.fromkeys(months("2025-11", 12), units) for name, units in USUAL.items()}
    await used_before(config, "traffic", used)
    return config


async def test_refused_and_persisting_it_is_charged_with_its_cost(
    config: Path, clock: ManualClock
) -> None:
    """C09, C18-C20, C24, S6, P1, P4: two months over, options refused, approved: charged."""
    async with running(config, Files(), clock) as fair:
        await over(fair, clock, "2026-11-10T12:00", 10 * GB + 450 * MB)
        await chosen(fair, clock, SHOP, "decline")
        await over(fair, clock, "2026-11-20T12:00", 10 * GB)
        await pass_time(fair, clock, "2026-11-28T12:00")
        ledger = await told(fair.service)
        [case] = await ledger.cases(SHOP, closed=False)
        assert case.state == "declined"
        assert (await fetch(fair)).status == 200
        await over(fair, clock, "2026-12-10T12:00", 20 * GB)
        await pass_time(fair, clock, "2026-12-12T12:00")
        await decided(fair, SHOP, "approved")
        desk = Desk(fair.service.configuration, ledger, "olga", fair.service.clock)
        money = parse_price("EUR 75.00")
        assert money == Price("EUR", money.value)
        await desk.cost(case.id, "finding the script that downloads everything", money)
        charges = await charges_of(ledger, account=SHOP)
        assert [(each.kind, str(each.amount)) for each in charges] == [
            ("usage", "2.00"),
            ("cost", "75.00"),
        ]
        await assert_ledger(fair, "hosting_refused")


async def test_one_month_over_is_nothing_more_than_a_notice(
    config: Path, clock: ManualClock
) -> None:
    """C18, C19, A22: brought back the next month, the case closes without a charge."""
    async with running(config, Files(), clock) as fair:
        await over(fair, clock, "2026-11-10T12:00", 10 * GB)
        await pass_time(fair, clock, "2026-12-20T12:00")
        ledger = await told(fair.service)
        assert await ledger.cases(SHOP, closed=False) == []
        assert await charges_of(ledger, account=SHOP) == []
