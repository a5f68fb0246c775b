"""Telephony: one busy month is nothing; three of six above the limit are looked at, once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support import (
    AMSTERDAM,
    CONTACT,
    key_of,
    moment,
    months,
    opened,
    pass_time,
    running,
    shipped,
    shown,
    written,
)
from tests.scenarios.support_telephony import (
    OFFICE,
    a_usual_year,
    exchange_tenants,
    talk,
)
from tests.support import Recorder, call, told

from fairuse.stores.history import breaches_since

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock
    from fairuse.stores.rows import BreachRow

pytestmark = pytest.mark.anyio

FIRST = "2026-08"
"""The first month of each scenario; 2,400 minutes are the office's limit in it."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the shipped telephony policy with the office and eleven others."""
    return shipped(tmp_path, exchange_tenants())


@pytest.fixture
def clock(clock: ManualClock) -> ManualClock:
    """Give a clock in the morning of the first month's first day."""
    clock.wall = moment("2026-08-01T09:00")
    return clock


async def live_through(fair: FairUse, clock: ManualClock, minutes: Mapping[int, float]) -> None:
    """Telephone in some months (1 is the first) as told, and let each of them end."""
    closes = [*months(FIRST, max(minutes) + 1, "01T00:01")][1:]
    for number, (when, close) in enumerate(
        zip(months(FIRST, max(minutes)), closes, strict=True), 1
    ):
        await pass_time(fair, clock, when)
        if number in minutes:
            await talk(fair, minutes[number], when)
        await pass_time(fair, clock, close)


async def breaches(fair: FairUse) -> list[BreachRow]:
    """Give the office's breaches."""
    return await breaches_since(await told(fair.service), 0, OFFICE)


def month_of(second: float) -> int:
    """Give the month in which a moment lies in Amsterdam, 1 for the first one of a scenario."""
    day = datetime.fromtimestamp(second, AMSTERDAM)
    return (day.year - 2026) * 12 + day.month - 7


async def test_one_month_at_ten_times_the_average_is_no_case(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B07, P4: the breach of one month is kept, and nothing follows from it."""
    await a_usual_year(config, "2025-08")
    async with running(config, recorder, clock) as fair:
        await live_through(fair, clock, {1: 24_000, 3: 600})
        [breach] = await breaches(fair)
        assert (breach.rule, breach.amount) == ("minutes-per-month", 240_000)
        assert (breach.starts_at, breach.ends_at) == (
            moment("2026-08-01T00:00"),
            moment("2026-09-01T00:00"),
        )
        assert (await opened(fair, OFFICE), await written(fair, OFFICE)) == ([], [])


@pytest.mark.parametrize(
    ("over", "closes_with"),
    [
        ([1, 3, 6], 6),
        ([1, 2, 8], None),
        ([1, 2], None),
        ([4, 5, 6], 6),
        ([1, 3, 7], None),
        ([1, 3, 7, 8], 8),
        ([1, 2, 3, 5], 3),
        ([1, 2, 3, 4, 5, 6, 7], 3),
    ],
)
async def test_three_breaches_in_six_months(
    config: Path, recorder: Recorder, clock: ManualClock, over: list[int], closes_with: int | None
) -> None:
    """B25: 1, 3 and 6 open a case when 6 is over, 1, 2 and 8 none; four are still one case."""
    await a_usual_year(config, "2025-08")
    async with running(config, recorder, clock) as fair:
        minutes = dict.fromkeys(range(1, 9), 800) | dict.fromkeys(over, 3_000)
        await live_through(fair, clock, minutes)
        assert [month_of(breach.starts_at) for breach in await breaches(fair)] == over
        cases = await opened(fair, OFFICE)
        assert len(await written(fair, OFFICE)) == len(cases)
        if closes_with is None:
            assert cases == []
            return
        [case] = cases
        assert (month_of(case.ends_at - 1), month_of(case.opened_at)) == (
            closes_with,
            closes_with + 1,
        )
        assert case.ends_at <= case.opened_at <= case.ends_at + 60


async def test_the_third_breach_is_judged_when_its_month_is_over(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B25, B26, D27, P4: a case is proposed when the month is over, and nothing else changes."""
    await a_usual_year(config, "2025-08")
    async with running(config, recorder, clock) as fair:
        await live_through(fair, clock, {1: 3_000, 2: 3_000})
        await pass_time(fair, clock, "2026-10-02T12:00")
        await talk(fair, 3_000, "2026-10-02T12:00")
        await pass_time(fair, clock, "2026-10-31T23:59")
        assert await opened(fair, OFFICE) == []
        await pass_time(fair, clock, "2026-11-01T00:00")
        [case] = await opened(fair, OFFICE)
        assert (case.rule, case.state) == ("minutes-per-month", "open")
        assert (case.starts_at, case.ends_at) == (
            moment("2026-08-01T00:00"),
            moment("2026-11-01T00:00"),
        )
        [notice] = await written(fair, OFFICE)
        assert "minutes-per-month" in notice.subject
        assert "3 times within 6 months" in notice.body
        assert CONTACT in notice.body

        assert (await call(fair, "GET", "/calls", key=key_of(OFFICE))).status == 201
        await talk(fair, 100, "2026-11-01T00:00")
        page = (await call(fair, "GET", "/fairuse/usage", key=key_of(OFFICE))).json()
        assert page["blocks"] == []
        assert [entry["used"] for entry in page["limits"]] == [100]


async def test_eight_months_with_a_yearly_snapshot(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S4, B21-B25, P7: a new average in January moves the limit from January on, and no earlier."""
    await a_usual_year(config, "2025-08")
    minutes = [3_000, 2_000, 3_000, 2_000, 2_400, 2_000, 600, 600]
    amounts, cases = [], []
    async with running(config, recorder, clock) as fair:
        for number, when in enumerate(months(FIRST, 8)):
            if number:
                await pass_time(fair, clock, f"{when[:7]}-01T02:00")
            await pass_time(fair, clock, when)
            await talk(fair, minutes[number], when)
            if number < 5:  # so that 2026 makes 48,000 minutes: 160 for each of 25 users
                await talk(fair, 120, when, account="other-1")
            [entry] = await shown(fair, OFFICE, "minutes-per-month")
            amounts.append(entry["amount"])
            cases.append(len(await opened(fair, OFFICE)))
        assert amounts == [2_400] * 5 + [1_920] * 3
        assert cases == [0] * 6 + [1] * 2
        assert [
            (month_of(breach.starts_at), breach.amount, breach.reading)
            for breach in await breaches(fair)
        ] == [(1, 240_000, 260_000), (3, 240_000, 260_000), (6, 192_000, 200_000)]
