"""S18: months and days with a change of clocks in Amsterdam are whole, and no hour is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support import (
    contract,
    go_to,
    key_of,
    moment,
    opened,
    pass_time,
    running,
    shipped,
    shown,
    signals,
    used_before,
)
from tests.scenarios.support_telephony import OFFICE, a_usual_year, exchange_tenants, talk
from tests.support import Recorder, call, told

from fairuse.stores.history import breaches_since

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

SALON = contract("salon", "booking", "[packages.standard]\nlocations = 1")
HOUR = 3_600


async def book(fair: FairUse, clock: ManualClock, count: int = 1) -> None:
    """Make appointments at an ordinary pace."""
    for _ in range(count):
        clock.advance(1.1)
        assert (await call(fair, key=key_of("salon"))).status == 201


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [
        ("2026-10-01T00:00", "2026-11-01T00:00", 31 * 24 + 1),
        ("2027-03-01T00:00", "2027-04-01T00:00", 31 * 24 - 1),
    ],
    ids=["back in October", "forward in March"],
)
async def test_a_month_with_a_change_of_clocks_is_whole(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, first: str, last: str, hours: int
) -> None:
    """S18, A05: from local midnight to local midnight, one appointment in each hour counts once."""
    clock.wall = moment(first) - HOUR
    async with running(shipped(tmp_path, {"salon": SALON}), recorder, clock) as fair:
        for hour in range(-1, hours + 1):
            assert (await call(fair, key=key_of("salon"))).status == 201
            [entry] = await shown(fair, "salon", "appointments-per-month")
            within = 0 <= hour < hours
            assert entry["used"] == (hour + 1 if within else 1)
            assert (moment(entry["resets_at"]) == moment(last)) is within
            clock.advance(HOUR)
        usage = await (await told(fair.service)).usage("salon")
        assert [*usage.values()] == [1] * (hours + 2)


@pytest.mark.parametrize(
    ("day", "length"),
    [("2026-10-25", 25 * HOUR), ("2027-03-28", 23 * HOUR)],
    ids=["25 hours", "23 hours"],
)
async def test_a_day_with_a_change_of_clocks_is_whole(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    day: str,
    length: int,
) -> None:
    """S18, A24: a day of 25 or 23 hours is one day, from its first minute to its last."""
    midnight = moment(f"{day}T00:00")
    clock.wall = midnight - 12 * HOUR
    config = shipped(tmp_path, {"salon": SALON})
    usual = {f"2026-{month:02}-02T12:00": 50 for month in range(5, 13)}
    usual |= {f"2026-{month:02}-03T12:00": 50 for month in range(5, 13)}
    await used_before(config, "appointments", {"salon": usual})
    async with running(config, recorder, clock) as fair:
        clock.advance(12 * HOUR)
        await book(fair, clock, 250)
        clock.advance(midnight + length - 10 * 60 - clock.wall)
        await book(fair, clock, 249)
        assert (await opened(fair, "salon"), signals(caplog, "salon")) == ([], [])
        await book(fair, clock)
        assert await opened(fair, "salon") == []
        assert signals(caplog, "salon") == ["appointments-unlike-the-account"]
        clock.advance(midnight + length - clock.wall)
        await book(fair, clock, 400)
        assert await opened(fair, "salon") == []
        assert len(signals(caplog, "salon")) == 1


async def test_calls_of_the_hour_that_comes_twice(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S18, B21: both hours from two to three count, and the month ends at local midnight."""
    clock.wall = moment("2026-10-20T12:00")
    config = shipped(tmp_path, exchange_tenants())
    await a_usual_year(config, "2025-10")
    async with running(config, recorder, clock) as fair:
        go_to(clock, "2026-10-25T12:00")
        await talk(fair, 1_000, "2026-10-25T02:30+02:00")
        await talk(fair, 1_000, "2026-10-25T02:30+01:00")
        await pass_time(fair, clock, "2026-11-01T01:00")
        await talk(fair, 400, "2026-10-31T23:59")
        await talk(fair, 300, "2026-11-01T00:00")
        [entry] = await shown(fair, OFFICE, "minutes-per-month")
        assert (entry["used"], entry["amount"]) == (300, 2_400)
        ledger = await told(fair.service)
        assert await breaches_since(ledger, 0, OFFICE) == []
        await talk(fair, 1, "2026-10-31T23:59")
        [breach] = await breaches_since(await told(fair.service), 0, OFFICE)
        assert (breach.starts_at, breach.ends_at) == (
            moment("2026-10-01T00:00+02:00"),
            moment("2026-11-01T00:00+01:00"),
        )


async def test_usage_is_kept_by_the_hours_of_the_customer(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-34: where midnight is at half past, the hours before it and after it are kept apart."""
    salon = contract("salon", "booking", "[packages.standard]\nlocations = 1", zone="Asia/Kolkata")
    config = shipped(tmp_path, {"salon": salon})
    go_to(clock, "2026-10-31T18:29:00Z")
    async with running(config, recorder, clock) as fair:
        await book(fair, clock, 2)
        go_to(clock, "2026-10-31T18:30:00Z")
        await book(fair, clock, 3)
        usage = await (await told(fair.service)).usage("salon")
    hours = {"2026-10-31T17:30:00Z": 2, "2026-10-31T18:30:00Z": 3}
    assert {key.hour: units for key, units in usage.items()} == {
        moment(hour): units for hour, units in hours.items()
    }
