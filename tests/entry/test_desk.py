"""What an operator does by hand: it is checked as the policy is, and says what is wrong with it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.process import chosen, decided, delivered
from tests.scenarios.support import contract, go_to, key_of, pass_time, running, shipped
from tests.support import Recorder, call, told

from fairuse.base.errors import NotPossible
from fairuse.entry.desk import Desk
from fairuse.rules.grants import Grant
from fairuse.rules.process import Step
from fairuse.rules.tariffs import parse_price
from fairuse.stores.charges import charges_of
from fairuse.stores.outbox import letters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

MONTHLY = "appointments-per-month"
CENTRUM = (("location", "centrum"),)


@pytest.fixture
async def salon(tmp_path: Path, recorder: Recorder, clock: ManualClock) -> AsyncIterator[FairUse]:
    """Run a salon with one case, of which it was told."""
    tenants = {"salon": contract("salon", "booking", "[packages.standard]\nlocations = 2\n")}
    config = shipped(tmp_path, tenants)
    policy = config / "policies/booking.toml"
    policy.write_text(policy.read_text().replace('"5000"', '"2"'))
    go_to(clock, "2026-10-05T09:00")
    async with running(config, recorder, clock) as fair:
        for _ in range(3):
            await call(fair, "POST", "/locations/centrum/appointments", key=key_of("salon"))
        await told(fair.service)
        await delivered(fair, clock)
        yield fair


@pytest.fixture
async def desk(salon: FairUse) -> Desk:
    """Give the desk of an operator."""
    ledger = await told(salon.service)
    return Desk(salon.service.configuration, ledger, "olga", salon.service.clock)


async def test_nothing_is_approved_that_was_not_proposed(desk: Desk) -> None:
    """A18: to approve a case in which nothing is proposed does nothing to it."""
    for happening in ("approved", "rejected"):
        with pytest.raises(NotPossible, match="nothing is proposed in case 1"):
            await desk.decide(1, happening)
    assert (await desk.case(1)).state == "notified"
    with pytest.raises(NotPossible, match="there is no case 7"):
        await desk.decide(7, "approved")


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({"do": "charge", "tariff": "minuet"}, 'no tariff "minuet"'),
        (
            {"do": "reduce", "limit": MONTHLY, "amount": "1", "until": "7 days"},
            "refuses nothing, so another amount would change nothing",
        ),
        ({"on": "renegotiation failed", "do": "terminate"}, "after a talk that failed"),
        ({"do": "switch tariff", "review": "7 days"}, "has no tariff of its own"),
        ({"do": "throttle", "limit": "burst", "amount": "1", "until": "7 days"}, "no limit"),
    ],
)
async def test_what_is_proposed_by_hand_fits_the_policy(
    desk: Desk, table: dict[str, Any], wrong: str
) -> None:
    """P4, P6, P9: what `check` would refuse in a policy can't be proposed by hand either."""
    with pytest.raises(NotPossible, match=wrong):
        await desk.propose(1, Step.model_validate({"on": "still over", **table}))


async def test_a_measure_on_a_case_opened_by_hand_has_an_end(
    salon: FairUse, desk: Desk, clock: ManualClock
) -> None:
    """A13, A14, B20, D03, P6: a free reason opens the same process, with ends as ever."""
    assert await desk.open("salon", "key-sharing", "five people share one key")
    assert not await desk.open("salon", "key-sharing", "five people share one key")
    await delivered(salon, clock)
    [_, case] = await desk.ledger.cases("salon", closed=False)
    step = {"on": "still over", "do": "suspend", "routes": ["* /**"]}
    with pytest.raises(NotPossible, match="P6"):
        await desk.propose(case.id, Step.model_validate({**step, "until": "under the limit"}))
    await desk.propose(case.id, Step.model_validate({**step, "until": "7 days"}))
    assert (await desk.decide(case.id, "approved")).state == "measured"
    await pass_time(salon, clock, "2026-10-13T09:00")
    assert (await desk.case(case.id)).outcome == "ended"


async def test_a_window_is_forgiven_by_the_day_of_the_customer(desk: Desk) -> None:
    """D24: the window is that of the customer's own day, of the part that the limit counts."""
    with pytest.raises(NotPossible, match="is counted by location"):
        await desk.forgive("salon", MONTHLY, (), date(2026, 10, 31), "peak")
    assert await desk.forgive("salon", MONTHLY, CENTRUM, date(2026, 10, 31), "peak")
    assert not await desk.forgive("salon", MONTHLY, CENTRUM, None, "peak")
    with pytest.raises(NotPossible, match="has no calendar window"):
        await desk.forgive("salon", "appointments-burst", (), None, "peak")


async def test_more_time_is_given_while_time_runs(
    salon: FairUse, desk: Desk, clock: ManualClock
) -> None:
    """A17, A18: an operator may give a customer more time; the case then waits for it."""
    extended = await desk.extend(1, clock.wall + 40 * 86_400, "on holiday")
    assert extended.answer_by == clock.wall + 40 * 86_400
    await pass_time(salon, clock, "2026-10-25T09:00")
    assert (await desk.case(1)).state == "notified"


async def test_what_was_bought_is_not_charged(
    salon: FairUse, desk: Desk, clock: ManualClock
) -> None:
    """A27, E10, D12: an override before more is used leaves nothing to charge."""
    await chosen(salon, clock, "salon", "accept charges")
    wanted = Grant(0, "salon", MONTHLY, "override", "50", CENTRUM, reason="wedding season")
    assert await desk.grant(wanted)
    with pytest.raises(NotPossible, match='there is no limit "nothing"'):
        await desk.grant(wanted._replace(limit="nothing"))
    assert salon.service.process is not None
    await salon.service.process.take_up()
    for _ in range(4):
        await call(salon, "POST", "/locations/centrum/appointments", key=key_of("salon"))
    await pass_time(salon, clock, "2026-11-05T12:00")
    assert await charges_of(desk.ledger, account="salon") == []


async def test_a_cost_is_told_like_every_charge(salon: FairUse, desk: Desk) -> None:
    """A21, C20, D23, P1: a cost has a notice, and can be waived before it is final."""
    made = await desk.cost(1, "finding the script", parse_price("EUR 75.00"))
    assert made is not None
    found = [each.notice for each in await letters(desk.ledger, "waiting")]
    assert any("finding the script" in notice.body for notice in found)
    waived = await desk.waive(made.id, "50%", "a good customer")
    assert str(waived.due) == "37.50"
    assert await decided(salon, "salon", "withdrawn") is not None
