"""Settle: how long requests last, while they are open and when they end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.stages.support import Held, cases, held, pages, policy, used
from tests.support import mounted, told, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

SECONDS = policy('measure = "seconds open"', amount="100", over="case")
SHORT = policy('shorter_than = "10 seconds"', amount="5", window="10 minutes", over="signal")
LONG = policy('longer_than = "1 hour"', amount="1", over="case")


def settle_lasting(fair: FairUse) -> None:
    """Do what upkeep does once a minute."""
    assert fair.service.pipeline is not None
    fair.service.pipeline.settle_lasting()


@pytest.mark.parametrize(("seconds", "counted"), [(0, 0), (0.2, 1), (1, 1), (59.5, 60), (99, 99)])
async def test_seconds_are_counted_at_the_end(
    tmp_path: Path, clock: ManualClock, seconds: float, counted: int
) -> None:
    """B08: a request counts the seconds it was open, each that was begun."""
    async with held(tmp_path, clock, SECONDS) as (fair, app, tasks):
        clock.advance(seconds)
        app.waiting[0].set()
        await tasks[0]
        assert await used(fair) == (counted, counted)


async def test_seconds_are_counted_while_a_request_is_open(
    tmp_path: Path, clock: ManualClock
) -> None:
    """B08: a stream that stays open counts minute by minute, opens its case, and ends with all."""
    async with held(tmp_path, clock, SECONDS) as (fair, app, tasks):
        for minute in (1, 2, 3):
            clock.advance(60)
            settle_lasting(fair)
            settle_lasting(fair)
            assert await used(fair) == (60 * minute, 60 * minute)
        assert await cases(fair) == [120]
        clock.advance(20.5)
        app.waiting[0].set()
        assert (await tasks[0]).status == 201
        assert await used(fair) == (201, 201)
        assert await cases(fair) == [120]
        settle_lasting(fair)
        assert await used(fair) == (201, 201)


@pytest.mark.parametrize("ends", ["5xx", "an exception", "cancelled"])
async def test_seconds_count_whatever_becomes_of_the_request(
    tmp_path: Path, clock: ManualClock, ends: str
) -> None:
    """B08: seconds were used also by a request that fails, raises or is cut off."""
    app = Held(503)
    app.fails = ends == "an exception"
    async with held(tmp_path, clock, SECONDS, app=app) as (fair, _, tasks):
        clock.advance(30)
        if ends == "cancelled":
            tasks[0].cancel()
        app.waiting[0].set()
        await asyncio.wait(tasks)
        assert await used(fair) == (30, 30)


async def test_a_long_request_is_signalled_while_it_is_open(
    tmp_path: Path, clock: ManualClock
) -> None:
    """B08: a request over its length counts as soon as it is, once, and not again at its end."""
    async with held(tmp_path, clock, LONG, count=2) as (fair, app, tasks):
        clock.advance(3_600)
        settle_lasting(fair)
        assert await used(fair) == (2, 0)  # reserved, and long only after the hour
        assert await cases(fair) == []
        clock.advance(1)
        for _ in range(2):
            settle_lasting(fair)
            assert await used(fair) == (2, 2)
        assert await cases(fair) == [2]
        for let in app.waiting:
            let.set()
        await asyncio.gather(*tasks)
        assert await used(fair) == (2, 2)
        assert await cases(fair) == [2]


async def test_a_long_request_counts_at_its_end_where_nobody_looked(
    tmp_path: Path, clock: ManualClock
) -> None:
    """B08: between two looks a request can become long and end; it is counted then."""
    async with held(tmp_path, clock, LONG, count=2) as (fair, app, tasks):
        clock.advance(3_599)
        app.waiting[0].set()
        await tasks[0]
        assert await used(fair) == (1, 0)
        clock.advance(2)
        app.waiting[1].set()
        await tasks[1]
        assert await used(fair) == (1, 1)


@pytest.mark.parametrize(("seconds", "counted"), [(9.9, 1), (10, 0), (11, 0)])
async def test_a_short_request_is_counted_when_it_ends(
    tmp_path: Path, clock: ManualClock, seconds: float, counted: int
) -> None:
    """B09: a call shorter than ten seconds counts, one of ten seconds or more does not."""
    async with held(tmp_path, clock, SHORT) as (fair, app, tasks):
        clock.advance(seconds)
        settle_lasting(fair)
        app.waiting[0].set()
        await tasks[0]
        ledger = await told(fair.service)
        assert sum((await ledger.usage("salon")).values()) == counted


async def test_many_short_requests_raise_a_signal(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """B09, E32: more short calls in ten minutes than agreed are signalled once an episode."""
    app = Held()
    async with mounted(write_config(tmp_path, policy=SHORT), app, clock) as fair:
        for number in range(8):
            task = asyncio.create_task(pages(fair))
            await app.has(number + 1)
            app.waiting[-1].set()
            assert (await task).status == 201
            clock.advance(30)
        ledger = await told(fair.service)
        assert await ledger.cases("salon") == []
    assert caplog.text.count("'signal.raised'") == 1
    assert "'reading': 6" in caplog.text
