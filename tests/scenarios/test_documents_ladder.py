"""Documents: twice above the amount in a month is a reason to talk about the fee (S12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import assert_ledger, decided, delivered
from tests.scenarios.support_documents import ACME, contract, office, write_contracts
from tests.support import told

from fairuse.stores.charges import charges_of

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

ONE_PACK = "[packages.sales-standard]\npacks = 1\n"


async def test_what_was_not_bought_before_is_billed_once_approved(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E10, E31, P1: 200 pages above 2,500 are billed from the limit on, after a person approved."""
    config = write_contracts(tmp_path, acme=contract(ACME, ONE_PACK))
    async with office(config, clock) as desk:
        for _ in range(27):
            clock.advance(12 * 3_600)
            for _ in range(50):
                clock.advance(150)
                assert await desk.make(2) in {200, 201}
            await desk.upkeep()
            await delivered(desk.fair, clock)
        await desk.upkeep("2026-12-05T12:00")
        await decided(desk.fair, ACME, "approved", "on-demand-pages")
        [charge] = await charges_of(await told(desk.fair.service), account=ACME)
        assert (charge.units, charge.basis) == (200, "limit")
        await assert_ledger(desk.fair, "documents_overage")
