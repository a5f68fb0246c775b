"""Credits: told early, charged from the notice on, topped up in the middle (S7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import assert_ledger, delivered
from tests.scenarios.support_documents import ACME, contract, office, write_contracts
from tests.support import told

from fairuse.entry.desk import Desk
from fairuse.rules.grants import Grant
from fairuse.stores.charges import charges_of

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

CREDITS = """
[packages.automation]
email-credits = 100
sms-credits   = 20
phone-credits = 5
push-credits  = 3
"""


async def test_three_channels_with_a_top_up_in_the_middle(
    tmp_path: Path, clock: ManualClock
) -> None:
    """D10, D11, D15, D16, D18, D20, S7, P1, P5: warned, topped up once, charged what came after."""
    config = write_contracts(tmp_path, acme=contract(ACME, CREDITS, policy="credits"))
    async with office(config, clock) as desk:
        for _ in range(4):
            assert (await desk.send("POST", "/calls")).status == 201
        await desk.told()
        await desk.upkeep()
        await delivered(desk.fair, clock)
        ledger = await told(desk.fair.service)
        operator = Desk(desk.fair.service.configuration, ledger, "olga", desk.fair.service.clock)
        more = Grant(0, ACME, "phone", "top-up", "3", reason="asked by mail", once="order-7")
        assert await operator.grant(more)
        assert not await operator.grant(more)
        process = desk.fair.service.process
        assert process is not None
        await process.take_up()
        assert (await desk.limits())["phone"]["amount"] == 8
        clock.advance(3_600)
        for _ in range(8):
            assert (await desk.send("POST", "/calls")).status == 201
        for _ in range(2):
            assert (await desk.send("POST", "/emails", body={"recipients": 5})).status == 201
        await desk.upkeep()
        await delivered(desk.fair, clock)
        for _ in range(5):
            assert (await desk.send("POST", "/calls")).status == 201
        clock.advance(35 * 86_400)
        await desk.upkeep()
        charges = await charges_of(await told(desk.fair.service), account=ACME)
        assert [(each.rule, each.units, str(each.amount)) for each in charges] == [
            ("phone", 9, "1.35")
        ]
        await assert_ledger(desk.fair, "credits_topped_up", early=True)
