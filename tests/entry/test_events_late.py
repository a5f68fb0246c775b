"""Usage events that come late, out of order or twice, over days and restarts (S16)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.entry.senders import DAY, config_of_senders, event, stored, tell, told
from tests.support import call, mounted
from tests.support import told as everything_told

from fairuse.base.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Recorder

    from fairuse import FairUse
    from fairuse.rules.ladder import Case

pytestmark = pytest.mark.anyio

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOVEMBER_ENDS = datetime(2026, 12, 1, tzinfo=AMSTERDAM).timestamp()
LAST_EVENING = NOVEMBER_ENDS - 3_600


def call_of(minutes: float, moment: float) -> dict[str, Any]:
    """Write a call of so many minutes."""
    data = {"usage": {"minutes": minutes}, "seconds": 60 * minutes, "location": "centrum"}
    return event(moment, data=data)


async def used(fair: FairUse, limit: str = "minutes-per-month") -> float:
    """Give what the usage page says of a limit."""
    limits = (await call(fair, "GET", "/fairuse/usage")).json()["limits"]
    [entry] = [entry for entry in limits if entry["limit"] == limit]
    return float(entry["used"])


async def cases(fair: FairUse) -> list[Case]:
    """Give the account's cases, once everybody has been told."""
    ledger = await everything_told(fair.service)
    return await ledger.cases("salon")


async def months(fair: FairUse) -> dict[int, int]:
    """Give the tenths of minutes that were written down, by the account's own month."""
    ledger = await everything_told(fair.service)
    found: dict[int, int] = {}
    for key, units in (await ledger.usage("salon")).items():
        if key.meter == "minutes":
            month = datetime.fromtimestamp(key.hour, AMSTERDAM).month
            found[month] = found.get(month, 0) + units
    return found


@pytest.mark.parametrize("restart", [False, True])
async def test_a_late_event_raises_its_own_month(
    tmp_path: Path, recorder: Recorder, *, restart: bool
) -> None:
    """S16: up to three days after it an event raises a closed month, over its amount too."""
    config, clock = config_of_senders(tmp_path), ManualClock(LAST_EVENING)
    async with mounted(config, recorder, clock) as fair:
        assert (await tell(fair, call_of(9, LAST_EVENING))).json() == told(counted=1)
        clock.advance(3_600 + 2 * DAY)
        if not restart:
            await tell(fair, call_of(4, clock.wall))
            assert (await tell(fair, call_of(2, LAST_EVENING))).json() == told(counted=1)
    async with mounted(config, recorder, clock) as fair:
        if restart:
            await tell(fair, call_of(4, clock.wall))
            assert (await tell(fair, call_of(2, LAST_EVENING))).json() == told(counted=1)
        assert await used(fair) == 4
        assert await months(fair) == {11: 110, 12: 40}
        [case] = await cases(fair)
        assert (case.rule, case.ends_at) == ("minutes-per-month", NOVEMBER_ENDS)
        [notice] = await (await everything_told(fair.service)).notices("salon")
        assert (notice.reading, notice.amount, notice.written_at) == (110, 100, clock.wall)


@pytest.mark.parametrize(("late", "days"), [("", 3), ("1 day", 1), ("7 days", 7)])
async def test_what_is_told_too_late_is_an_adjustment(
    tmp_path: Path, recorder: Recorder, late: str, days: int
) -> None:
    """S16: within the time that is agreed its own month is raised; after it, the one that runs."""
    clock = ManualClock(NOVEMBER_ENDS + 60)
    async with mounted(config_of_senders(tmp_path, late=late), recorder, clock) as fair:
        clock.advance(days * DAY - 60)
        on_time, too_late = call_of(2, NOVEMBER_ENDS), call_of(50, NOVEMBER_ENDS - 1)
        assert (await tell(fair, call_of(3, NOVEMBER_ENDS + 1))).json() == told(counted=1)
        assert (await tell(fair, on_time)).json() == told(counted=1)
        assert (await tell(fair, too_late)).json() == told(counted=1, adjusted=1)
        assert (await tell(fair, too_late)).json() == told(known=1)
        assert await used(fair) == 55
        assert await months(fair) == {12: 550}
        [case] = await cases(fair)
        assert case.starts_at == NOVEMBER_ENDS


async def test_a_late_event_moves_no_notice(tmp_path: Path, recorder: Recorder) -> None:
    """S16: what was written stays as it was written, though the month is raised after it."""
    clock = ManualClock(LAST_EVENING)
    async with mounted(config_of_senders(tmp_path), recorder, clock) as fair:
        await tell(fair, call_of(11, LAST_EVENING))
        before = await (await everything_told(fair.service)).notices("salon")
        clock.advance(DAY)
        await tell(fair, call_of(20, LAST_EVENING - DAY))
        ledger = await everything_told(fair.service)
        assert await ledger.notices("salon") == before
        assert len(await ledger.cases("salon")) == len(before) == 1
        assert await months(fair) == {11: 310}


async def test_events_out_of_order_add_up(tmp_path: Path, recorder: Recorder) -> None:
    """S16: in whatever order they come, events of a month are the month's, and order is kept."""
    clock = ManualClock(LAST_EVENING)
    async with mounted(config_of_senders(tmp_path), recorder, clock) as fair:
        moments = [LAST_EVENING - seconds for seconds in (0, 2 * DAY, 60, DAY)]
        await tell(fair, *(call_of(1, moment) for moment in moments))
        assert await used(fair) == 4
        levels = [(9, -60), (50, -3_600), (7, -120)]
        await tell(fair, *(stored(size, LAST_EVENING + seconds) for size, seconds in levels))
        assert await used(fair, "storage") == 9
        [entry] = [
            entry
            for entry in (await call(fair, "GET", "/fairuse/usage")).json()["limits"]
            if entry["limit"] == "storage"
        ]
        assert entry["highest"] == 50


async def test_a_clock_that_is_a_little_ahead_is_taken_for_now(
    tmp_path: Path, recorder: Recorder
) -> None:
    """S16: a sender's clock may be five minutes ahead; what happens then counts now."""
    clock = ManualClock(NOVEMBER_ENDS - 60)
    async with mounted(config_of_senders(tmp_path), recorder, clock) as fair:
        assert (await tell(fair, call_of(2, NOVEMBER_ENDS + 200))).json() == told(counted=1)
        assert (await tell(fair, call_of(2, NOVEMBER_ENDS + 300))).status == 422
        assert await months(fair) == {11: 20}
        clock.advance(120)
        assert await used(fair) == 0


@pytest.mark.parametrize("days", [0, 2, 399])
async def test_an_event_counts_once_over_restarts(
    tmp_path: Path, recorder: Recorder, days: int
) -> None:
    """P8, S15, S16: an event that is told again after a restart, or a year later, is known."""
    config, clock = config_of_senders(tmp_path), ManualClock(LAST_EVENING)
    one = call_of(2, LAST_EVENING)
    async with mounted(config, recorder, clock) as fair:
        assert (await tell(fair, one)).json() == told(counted=1)
    clock.advance(days * DAY)
    async with mounted(config, recorder, clock) as fair:
        assert fair.service.upkeep is not None
        await fair.service.upkeep.run()
        assert (await tell(fair, one, one)).json() == told(known=2)
        assert sum((await months(fair)).values()) == 20


async def test_short_calls_told_late_are_one_episode(tmp_path: Path, recorder: Recorder) -> None:
    """B09, E32, S16: short calls of the last ten minutes count in them, older ones do not."""
    clock = ManualClock(LAST_EVENING)
    async with mounted(config_of_senders(tmp_path), recorder, clock) as fair:
        short = {"usage": {"minutes": 0.1}, "seconds": 6}
        for seconds in (700, 599, 300, 0):
            await tell(fair, event(LAST_EVENING - seconds, data=short))
        assert await used(fair, "short-calls-at-once") == 3
        assert [case.rule for case in await cases(fair)] == ["short-calls-at-once"]


@pytest.mark.parametrize("since", ["2026-11-30", "2026-12-01"])
async def test_usage_of_a_contract_that_the_policy_is_not_for_is_written_down(
    tmp_path: Path, recorder: Recorder, since: str
) -> None:
    """A01, E02: where the policy does not hold yet usage is metered, and moves no limit."""
    config, clock = config_of_senders(tmp_path), ManualClock(LAST_EVENING)
    policy = config / "policies/booking.toml"
    applies = f"[applies]\ncontracts_from = {since}\n"
    policy.write_text(policy.read_text().replace("[counts]", f"{applies}[counts]"))
    salon = config / "tenants/salon.toml"
    salon.write_text(salon.read_text().replace("since = 2019-03-01", "since = 2026-12-01"))
    async with mounted(config, recorder, clock) as fair:
        assert (await tell(fair, call_of(20, LAST_EVENING))).json() == told(counted=1)
        assert await used(fair) == 0
        assert await cases(fair) == []
        clock.advance(7_200)
        await tell(fair, call_of(20, LAST_EVENING), call_of(3, clock.wall))
        assert await used(fair) == 3
        assert await months(fair) == {11: 400, 12: 30}
