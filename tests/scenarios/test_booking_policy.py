"""The booking policy, row by row, without sockets where none is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import DENTIST, Recorder, call, mounted, tenant, told, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

SECONDS_BETWEEN = 1.1
"""Just slow enough for the burst limit of 60 a minute."""


async def book(fair: FairUse, clock: ManualClock, count: int, **options: Any) -> set[int]:
    """Make appointments at an ordinary pace, and give the statuses seen."""
    statuses = set()
    for _ in range(count):
        clock.advance(SECONDS_BETWEEN)
        statuses.add((await call(fair, **options)).status)
    return statuses


async def usage(fair: FairUse, limit: str, **options: Any) -> list[dict[str, Any]]:
    """Give what the usage page says of a limit."""
    body = (await call(fair, "GET", "/fairuse/usage", **options)).json()
    return [entry for entry in body["limits"] if entry["limit"] == limit]


async def test_growth_alone_is_no_problem(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A04: 300 appointments in one month and 1,000 in the next bring no notice and no refusal."""
    async with mounted(config, recorder, clock) as fair:
        assert await book(fair, clock, 300) == {201}
        clock.wall = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
        assert await book(fair, clock, 1_000) == {201}
        ledger = await told(fair.service)
        assert await ledger.notices("salon") == []
        assert await ledger.cases("salon") == []


async def test_unit_5001_opens_one_case_and_is_served(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A05, A06, P4: 5,000 are within, 5,001 opens one case and one notice, and is served."""
    async with mounted(config, recorder, clock) as fair:
        assert await book(fair, clock, 5_000) == {201}
        [entry] = await usage(fair, "appointments-per-month")
        assert (entry["used"], entry["standing"]) == (5_000, "warning")
        assert await (await told(fair.service)).cases("salon") == []

        before = await call(fair)
        after = await call(fair)
        [entry] = await usage(fair, "appointments-per-month")
        assert (entry["used"], entry["standing"]) == (5_002, "excessive")
        assert (before.status, after.status) == (201, 201)
        assert "appointments-per-month" not in str(after.headers)

        ledger = await told(fair.service)
        [case] = await ledger.cases("salon")
        [notice] = [each for each in await ledger.notices("salon") if each.kind == "over"]
        assert (case.rule, case.scope) == ("appointments-per-month", (("location", "centrum"),))
        assert (notice.reading, notice.amount) == (5_001, 5_000)
        assert "5,001 of 5,000" in notice.body
        assert "centrum" in notice.body


async def test_locations_count_apart(config: Path, recorder: Recorder, clock: ManualClock) -> None:
    """A05: three locations of one account have a count each, and each opens a case of its own."""
    places = ("centrum", "noord", "zuid")
    policy = (config / "policies/booking.toml").read_text().replace('"5000"', '"10"')
    (config / "policies/booking.toml").write_text(policy)
    async with mounted(config, recorder, clock) as fair:
        for count, place in enumerate(places, start=9):
            await book(fair, clock, count, path=f"/locations/{place}/appointments")
        used = {
            entry["scope"]["location"]: entry["used"]
            for entry in await usage(fair, "appointments-per-month")
        }
        assert used == {"centrum": 9, "noord": 10, "zuid": 11}
        [case] = await (await told(fair.service)).cases("salon")
        assert case.scope == (("location", "zuid"),)


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Europe/Amsterdam", datetime(2026, 11, 30, 23, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 12, 1, 5, tzinfo=UTC)),
    ],
)
async def test_the_month_begins_at_local_midnight(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, zone: str, midnight: datetime
) -> None:
    """A05: the count starts again at the first local midnight of the month, not before."""
    config = write_config(tmp_path, tenants={"salon": tenant("salon", "key-of-salon", zone=zone)})
    async with mounted(config, recorder, clock) as fair:
        clock.wall = midnight.timestamp() - 10
        await book(fair, clock, 3)
        [entry] = await usage(fair, "appointments-per-month")
        assert entry["used"] == 3
        assert datetime.fromisoformat(entry["resets_at"]) == midnight
        clock.wall = midnight.timestamp()
        await call(fair)
        [entry] = await usage(fair, "appointments-per-month")
        assert entry["used"] == 1


@pytest.mark.parametrize("status", [400, 404, 409, 500, 503])
async def test_only_accepted_requests_count(
    config: Path, recorder: Recorder, clock: ManualClock, status: int
) -> None:
    """What the API did not accept is given back, on every limit."""
    recorder.status = status
    async with mounted(config, recorder, clock) as fair:
        await call(fair)
        entries = (await call(fair, "GET", "/fairuse/usage")).json()["limits"]
        assert [entry["used"] for entry in entries] == [0, 0, 0, 0]
        assert await (await told(fair.service)).usage("salon") == {}


async def test_a_closed_window_keeps_its_case(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A05: every month over its amount has a case of its own."""
    policy = (config / "policies/booking.toml").read_text().replace('"5000"', '"2"')
    (config / "policies/booking.toml").write_text(policy)
    async with mounted(config, recorder, clock) as fair:
        await book(fair, clock, 4)
        clock.wall = datetime(2026, 12, 24, tzinfo=UTC).timestamp()
        await book(fair, clock, 4)
        cases = await (await told(fair.service)).cases("salon")
        assert [datetime.fromtimestamp(case.starts_at, UTC).month for case in cases] == [10, 11]


async def test_an_override_holds_between_its_dates(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A27 (the amount): 8,000 until a day, its source shown, and 5,000 again after it."""
    extra = """
[override.appointments-per-month]
amount = "8000"
from   = 2026-11-01
until  = 2026-12-31
reason = "wedding season"
"""
    config = write_config(tmp_path, tenants={"salon": tenant("salon", "key-of-salon", extra)})
    async with mounted(config, recorder, clock) as fair:
        [entry] = await usage(fair, "appointments-per-month")
        assert (entry["amount"], entry["source"]) == (8_000, "override until 2026-12-31")
        clock.wall = datetime(2026, 12, 31, 23, tzinfo=UTC).timestamp()
        [entry] = await usage(fair, "appointments-per-month")
        assert (entry["amount"], entry["source"]) == (5_000, "policy booking")


async def test_accounts_count_apart(config: Path, recorder: Recorder, clock: ManualClock) -> None:
    """P9: what one account uses is nothing to another."""
    async with mounted(config, recorder, clock) as fair:
        for _ in range(60):
            await call(fair)
        assert (await call(fair)).status == 429
        assert (await call(fair, key=DENTIST)).status == 201
