"""A month above what was agreed: accepted, brought back, or without an answer (S2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import assert_ledger, chosen, decided, delivered
from tests.scenarios.support import contract, go_to, key_of, pass_time, running, shipped, upkeep
from tests.support import Recorder, call, told

from fairuse.stores.charges import charges_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

TWO_LOCATIONS = "[packages.standard]\nlocations = 2\n"
EXPORT = "/locations/centrum/appointments.csv"


async def book(fair: FairUse, clock: ManualClock, count: int) -> set[int]:
    """Make appointments, slowly enough for the burst limit."""
    statuses = set()
    for _ in range(count):
        clock.advance(1.1)
        path = "/locations/centrum/appointments"
        statuses.add((await call(fair, "POST", path, key=key_of("salon"))).status)
    return statuses


@pytest.fixture
async def salon(tmp_path: Path, recorder: Recorder, clock: ManualClock) -> AsyncIterator[FairUse]:
    """Run a salon that is told at 5,400 appointments that 5,000 were agreed."""
    config = shipped(tmp_path, {"salon": contract("salon", "booking", TWO_LOCATIONS)})
    go_to(clock, "2026-10-05T09:00")
    async with running(config, recorder, clock) as fair:
        assert await book(fair, clock, 5_001) == {201}
        assert await book(fair, clock, 399) == {201}
        await upkeep(fair)
        await delivered(fair, clock)
        yield fair


async def test_who_accepts_is_charged_what_came_after_the_notice(
    salon: FairUse, clock: ManualClock
) -> None:
    """A09, A21, A22, A23, S2, P1, P5: 6,500 used, told at 5,400, accepted: 1,100 charged."""
    await chosen(salon, clock, "salon", "accept charges")
    clock.advance(3_600)  # what is used in the hour of the notice is free
    assert await book(salon, clock, 1_100) == {201}
    await pass_time(salon, clock, "2026-11-01T12:00")
    ledger = await told(salon.service)
    assert await charges_of(ledger, account="salon") == []
    await pass_time(salon, clock, "2026-11-04T12:00")
    [charge] = await charges_of(ledger, account="salon")
    assert (charge.units, charge.currency, str(charge.amount)) == (1_100, "EUR", "55.00")
    await assert_ledger(salon, "booking_accepted")


async def test_who_brings_it_back_is_charged_nothing(salon: FairUse, clock: ManualClock) -> None:
    """A17, A22, A23, S2: brought back within the grace, the case closes without a charge."""
    await chosen(salon, clock, "salon", "reduce")
    assert await book(salon, clock, 100) == {201}
    await pass_time(salon, clock, "2026-10-20T12:00")
    assert await charges_of(await told(salon.service), account="salon") == []
    await assert_ledger(salon, "booking_reduced")


async def test_who_does_not_answer_gets_less_until_it_is_back(
    salon: FairUse, clock: ManualClock
) -> None:
    """A08, A10, A18, A23, A28, A32, S2, P6: no answer: an approved measure, that ends."""
    go_to(clock, "2026-10-19T10:00")
    assert await book(salon, clock, 3_000) == {201}
    await pass_time(salon, clock, "2026-10-20T12:00")
    assert (await call(salon, "GET", EXPORT, key=key_of("salon"))).status == 201
    await decided(salon, "salon", "approved")
    process = salon.service.process
    assert process is not None
    await process.take_up()
    refused = await call(salon, "GET", EXPORT, key=key_of("salon"))
    assert refused.status == 403
    assert await book(salon, clock, 1) == {201}
    await pass_time(salon, clock, "2026-11-03T12:00")
    await process.take_up()
    assert (await call(salon, "GET", EXPORT, key=key_of("salon"))).status == 201
    assert await charges_of(await told(salon.service), account="salon") == []
    await assert_ledger(salon, "booking_unanswered")
