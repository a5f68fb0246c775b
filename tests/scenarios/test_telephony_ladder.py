"""Telephony: three breaches in six months, and what may follow (S4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import assert_ledger, decided, delivered
from tests.scenarios.support import moment, months, opened, pass_time, running, shipped
from tests.scenarios.support_telephony import OFFICE, a_usual_year, exchange_tenants, talk
from tests.support import Recorder, told

from fairuse.stages import bill
from fairuse.stores.charges import charges_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_what_was_above_the_limit_is_charged_once_approved(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B11-B13, B19, B21-B27, S4, P1: told, not ended within a day, approved: charged."""
    config = shipped(tmp_path, exchange_tenants())
    clock.wall = moment("2026-08-01T09:00")
    await a_usual_year(config, "2025-08")
    async with running(config, recorder, clock) as fair:
        for when, minutes in zip(months("2026-08", 3), (3_000, 2_500, 2_900), strict=True):
            await pass_time(fair, clock, when)
            await talk(fair, minutes, when)
        await pass_time(fair, clock, "2026-11-01T00:01")
        await delivered(fair, clock)
        await pass_time(fair, clock, "2026-11-01T12:00")
        await talk(fair, 2_450, "2026-11-01T11:00")
        await pass_time(fair, clock, "2026-11-05T12:00")
        ledger = await told(fair.service)
        assert await charges_of(ledger, account=OFFICE) == []
        await decided(fair, OFFICE, "approved")
        charges = await charges_of(ledger, account=OFFICE)
        assert [(each.units, str(each.amount)) for each in charges] == [
            (60_000, "12.00"),
            (10_000, "2.00"),
            (50_000, "10.00"),
        ]
        await assert_ledger(fair, "telephony_breaches")


@pytest.mark.parametrize("over", [(1, 2, 3), (1, 3, 6)], ids=str)
async def test_the_next_breach_is_another_case_and_charges_no_month_again(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, over: Sequence[int]
) -> None:
    """B19, B25, P8, S4: 1, 3 and 6 are charged; 7 opens a case of its own, and charges itself."""
    config = shipped(tmp_path, exchange_tenants())
    clock.wall = moment("2026-08-01T09:00")
    await a_usual_year(config, "2025-08")
    begins = [moment(when) for when in months("2026-08", over[-1] + 1, "01T00:00")]
    async with running(config, recorder, clock) as fair:
        for number, when in enumerate(months("2026-08", over[-1]), 1):
            await pass_time(fair, clock, when)
            await talk(fair, 3_000 if number in over else 600, when)
        *_, following, last = months("2026-08", over[-1] + 2, "01T00:01")
        await _approved(fair, clock, following)
        await _approved(fair, clock, last)
        cases, ledger = await opened(fair, OFFICE), await told(fair.service)
        assert [(case.starts_at, case.outcome) for case in cases] == [
            (begins[0], "charged"),
            (begins[-1], "charged"),
        ]
        charges = await charges_of(ledger, account=OFFICE)
        expected = [*(begins[number - 1] for number in over), begins[-1]]
        assert [charge.starts_at for charge in charges] == expected
        assert (await verify(ledger, None)).violations == []
        terms = fair.service.configuration.current.accounts[OFFICE]
        [step] = [each for each in terms.rules.ladder.steps if each.do == "charge"]
        overlapping = cases[1]._replace(starts_at=begins[0])
        assert await bill.charges_of(overlapping, step, None, terms, ledger) == []


async def _approved(fair: FairUse, clock: ManualClock, month: str) -> None:
    """Tell of the case that a month begins with, telephone on, and approve what is proposed."""
    day = month.removesuffix("01T00:01")
    await pass_time(fair, clock, month)
    await delivered(fair, clock)
    await pass_time(fair, clock, f"{day}01T12:00")
    await talk(fair, 2_450, f"{day}01T11:00")
    await pass_time(fair, clock, f"{day}05T12:00")
    await decided(fair, OFFICE, "approved")
