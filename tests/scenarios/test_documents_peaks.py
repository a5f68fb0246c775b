"""Documents: the peak of parallel work and of storage is charged, unless it was bought before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import decided, delivered
from tests.scenarios.support_documents import ACME, contract, office, write_contracts
from tests.support import told

from fairuse.entry.desk import Desk
from fairuse.stores.charges import charges_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.support_documents import Office

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

GB = 10**9
PARALLEL = """\
[packages.standard]
packs = 40
parallel-generations = 5
[packages.professional]
users = 50
[packages.collaborate]
users = 50
"""
PLAN = "/collaborations/plan"
PEAKS = {
    "on-demand-generations": ({"path": "/documents"}, "50.00"),
    "user-generations": ({"path": f"{PLAN}/finish"}, "50.00"),
    "user-requests": ({"path": "/correspondence"}, "30.00"),
    "collaborate-requests": ({"method": "PUT", "path": PLAN}, "30.00"),
}
MORE = """
[override.{limit}]
amount = "{amount}"
from   = 2026-11-10
reason = "bought on 2026-11-09"
"""


async def charge_for(desk: Office, limit: str) -> list[tuple[int, str]]:
    """Let the month pass, approve what is proposed for a limit, and give its charges."""
    await desk.upkeep()
    await delivered(desk.fair, desk.clock)
    await desk.upkeep("2026-12-05T12:00")
    ledger = await told(desk.fair.service)
    charges = [each for each in await charges_of(ledger, account=ACME) if each.rule == limit]
    assert charges == []
    await decided(desk.fair, ACME, "approved", limit)
    assert (await verify(ledger)).violations == []
    charges = [each for each in await charges_of(ledger, account=ACME) if each.rule == limit]
    return [(each.units, str(each.amount)) for each in charges]


@pytest.mark.parametrize("limit", PEAKS)
async def test_a_peak_of_two_over_is_charged_once_approved(
    tmp_path: Path, clock: ManualClock, limit: str
) -> None:
    """E12, E14, E36, S9, P4, P8: 7 of 5 are served; the peak is charged, however often it was."""
    (request, price), used = PEAKS[limit], {"user": "ada", "x_pages": 1}
    async with office(write_contracts(tmp_path, acme=contract(ACME, PARALLEL)), clock) as desk:
        agreed = (await desk.limits())[limit]["amount"]
        for more in (1, 2, 2):
            clock.advance(3_600)
            assert await desk.together(agreed + more, **request, **used) == {201}
        await desk.upkeep("2026-11-20T12:00")
        assert await desk.together(agreed + 1, **request, **used) == {201}
        assert await charge_for(desk, limit) == [(2, price)]


@pytest.mark.parametrize("day", ["2026-11-10", "2026-11-09"])
async def test_what_was_bought_before_the_peak_is_not_charged(
    tmp_path: Path, clock: ManualClock, day: str
) -> None:
    """E12, E14, E10: two more from the 10th on cover a peak of that day, and none before it."""
    bought = MORE.format(limit="on-demand-generations", amount="7")
    tenant = contract(ACME, PARALLEL, bought)
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        desk.go_to(f"{day}T12:00")
        assert await desk.together(7, x_pages=1) == {201}
        await desk.upkeep("2026-11-12T12:00")
        if day == "2026-11-10":
            assert "on-demand-generations" not in await desk.cases()
        else:
            assert await charge_for(desk, "on-demand-generations") == [(2, "50.00")]


async def test_a_higher_peak_after_more_was_bought_is_compared_with_that(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E12: 7 of 5 on the 9th and 10 of 7 on the 12th are three over, and not five."""
    bought = MORE.format(limit="on-demand-generations", amount="7")
    tenant = contract(ACME, PARALLEL, bought)
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        for day, count in (("09", 7), ("12", 10)):
            desk.go_to(f"2026-11-{day}T12:00")
            assert await desk.together(count, x_pages=1) == {201}
            await desk.upkeep()
        assert await charge_for(desk, "on-demand-generations") == [(3, "75.00")]


@pytest.mark.parametrize(("day", "charged"), [("09", True), ("10", False)])
async def test_storage_above_the_order_is_charged_unless_bought_before(
    tmp_path: Path, clock: ManualClock, day: str, charged: bool
) -> None:
    """E22, E23, P4: half a GB more than included, deleted the next day: its peak is charged."""
    bought = MORE.format(limit="stored-bytes", amount="sum(storage) + 1 GB")
    packages = "[packages.standard]\npacks = 40\nparallel-generations = 5\n"
    tenant = contract(ACME, packages, bought)
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        desk.go_to(f"2026-11-{day}T12:00")
        assert await desk.make(1, x_storage_bytes=GB) == 201
        await desk.upkeep()
        desk.go_to("2026-11-12T12:00")
        await desk.send("DELETE", "/documents/1", x_storage_bytes=1_000)
        assert ("stored-bytes" in await desk.cases()) is charged
        if charged:
            assert await charge_for(desk, "stored-bytes") == [(GB // 2, "5.00")]


async def test_a_peak_can_be_waived(tmp_path: Path, clock: ManualClock) -> None:
    """E12, D23: a peak that nobody wants to bill is waived before it is final."""
    async with office(write_contracts(tmp_path, acme=contract(ACME, PARALLEL)), clock) as desk:
        await desk.together(7, x_pages=1)
        assert await charge_for(desk, "on-demand-generations") == [(2, "50.00")]
        ledger = await told(desk.fair.service)
        [charge] = await charges_of(ledger, account=ACME)
        operator = Desk(desk.fair.service.configuration, ledger, "olga", clock)
        assert str((await operator.waive(charge.id, "all", "once is enough")).due) == "0.00"
