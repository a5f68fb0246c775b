"""Measures without an end: the operator hears of the day on which to look at them again (P6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.measures import take_up
from tests.scenarios.process import delivered
from tests.scenarios.support import contract, go_to, key_of, pass_time, running, shipped, upkeep
from tests.support import Recorder, call, told

from fairuse.base.errors import NotPossible
from fairuse.base.metrics import REVIEWS_DUE
from fairuse.entry.case_tables import REVIEW_DUE, cases_of
from fairuse.entry.desk import Desk
from fairuse.rules.process import Step
from fairuse.stores.outbox import letters
from fairuse.stores.record import entries_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

EXPORTS = "/locations/centrum/appointments.csv"
ROUTE = "GET /locations/{location}/appointments.csv"
DESK = "mailto:desk@booking.example"
DEGRADE = {"on": "still over", "do": "degrade", "routes": [ROUTE]}


@pytest.fixture
def config(tmp_path: Path, clock: ManualClock) -> Path:
    """Give a salon's contract, in January: long ago for the clock of this machine."""
    go_to(clock, "2024-01-08T09:00")
    salon = contract("salon", "booking", "[packages.standard]\nlocations = 1")
    config = shipped(tmp_path, {"salon": salon})
    settings = config / "gateway.toml"
    settings.write_text(f'{settings.read_text()}[notices]\noperators = ["{DESK}"]\n')
    return config


async def measured(fair: FairUse, clock: ManualClock, **end: str) -> Desk:
    """Put a measure in force, and give the desk of who did."""
    desk = Desk(fair.service.configuration, await told(fair.service), "olga", clock)
    assert await desk.open("salon", "key-sharing", "five people share one key")
    await delivered(fair, clock)
    await desk.propose(1, Step.model_validate(DEGRADE | end))
    await desk.decide(1, "approved")
    await delivered(fair, clock)
    return desk


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the days of which it was said that they have come."""
    found: list[Any] = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line["review"] for line in found if line["event"] == "measure.review_due"]


async def test_the_day_of_a_review_is_said_once(
    config: Path, recorder: Recorder, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """P6, S15: in the log and in the record once, also after a restart; the measure goes on."""
    async with running(config, recorder, clock) as fair:
        await measured(fair, clock, review="30 days")
        await pass_time(fair, clock, "2024-02-07T08:59")
        assert (said(caplog), REVIEWS_DUE._value.get()) == ([], 0)
        await pass_time(fair, clock, "2024-02-07T09:00")
        await upkeep(fair)
        assert said(caplog) == ["2024-02-07T08:00:00+00:00"]
        assert REVIEWS_DUE._value.get() == 1
    async with running(config, recorder, clock) as fair:
        await pass_time(fair, clock, "2024-02-20T09:00")
        assert said(caplog) == ["2024-02-07T08:00:00+00:00"]
        ledger = await told(fair.service)
        [due] = [each for each in await entries_of(ledger, 1) if each.kind == "measure.due"]
        assert due.data == {"measure": 1, "review": due.at}
        assert (await call(fair, "GET", EXPORTS, key=key_of("salon"))).status == 403
        [memo] = [each for each in await letters(ledger, "waiting", "dead") if each.channel == DESK]
        assert memo.notice.subject == "Case 1 is to be looked at again: degrade, salon"
        assert "`fairuse extend 1`" in memo.notice.body
        [case] = await cases_of(fair.service.configuration, None, "", closed=False)
        assert case["waits_for"] == REVIEW_DUE


async def test_the_next_day_is_set_and_told(
    config: Path, recorder: Recorder, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """P6: the customer is told that it goes on until when, and that day is said, too."""
    async with running(config, recorder, clock) as fair:
        desk = await measured(fair, clock, review="30 days")
        await pass_time(fair, clock, "2024-02-07T09:00")
        with pytest.raises(NotPossible, match="is still to come"):
            await desk.extend(1, clock.wall, "they asked")
        await desk.extend(1, clock.wall + 14 * 86_400, "they asked for two weeks")
        await upkeep(fair)
        assert REVIEWS_DUE._value.get() == 0
        notice, *_ = await desk.ledger.notices("salon")
        assert notice.subject == "A measure stays in force: key-sharing"
        assert re.search(r"these functions are switched off: .*\n\nIt ends when we", notice.body)
        assert "we look at it again on February 21, 2024" in notice.body
        await take_up(fair)
        assert (await call(fair, "GET", EXPORTS, key=key_of("salon"))).status == 403
        await pass_time(fair, clock, "2024-02-21T09:00")
        assert [day[:10] for day in said(caplog)] == ["2024-02-07", "2024-02-21"]
        await desk.decide(1, "withdrawn")
        await upkeep(fair)
        assert REVIEWS_DUE._value.get() == 0
        await take_up(fair)
        assert (await call(fair, "GET", EXPORTS, key=key_of("salon"))).status == 201
        assert (await verify(desk.ledger)).violations == []


async def test_what_ends_by_itself_has_no_day_to_be_set(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """P6: nobody looks again at a measure that ends by itself, so there is nothing to extend."""
    async with running(config, recorder, clock) as fair:
        desk = await measured(fair, clock, until="7 days")
        with pytest.raises(NotPossible, match="ends by itself"):
            await desk.extend(1, clock.wall + 86_400, "they asked")
