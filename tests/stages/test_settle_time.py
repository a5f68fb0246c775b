"""Settle: how long requests last, and how many are under way, while they are and afterwards."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.stages.support import pages, policy, used
from tests.support import call, mounted, told, write_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send
    from tests.support import Reply

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

SECONDS = policy('measure = "seconds open"', amount="100", over="case")
SHORT = policy('shorter_than = "10 seconds"', amount="5", window="10 minutes", over="signal")
LONG = policy('longer_than = "1 hour"', amount="1", over="case")
AT_ONCE = policy('measure = "in flight"', amount="2", window="always")
PEAK = policy('measure = "in flight"', amount="2", over="case")


class Held:
    """An app that answers each request when it is let, and as it is told to."""

    def __init__(self, status: int = 201) -> None:
        self.status = status
        self.waiting: list[asyncio.Event] = []
        self.fails = False

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        let = asyncio.Event()
        self.waiting.append(let)
        await let.wait()
        if self.fails:
            raise ZeroDivisionError
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def has(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(20):
            while len(self.waiting) < count:  # noqa: ASYNC110
                await asyncio.sleep(0)


@asynccontextmanager
async def held(
    folder: Path, clock: ManualClock, rules: str, count: int = 1, app: Held | None = None
) -> AsyncIterator[tuple[FairUse, Held, list[asyncio.Task[Reply]]]]:
    """Have so many requests under way."""
    app = app or Held()
    async with mounted(write_config(folder, policy=rules), app, clock) as fair:
        tasks = [asyncio.create_task(pages(fair)) for _ in range(count)]
        await app.has(count)
        yield fair, app, tasks
        for let in app.waiting:
            let.set()
        await asyncio.gather(*tasks, return_exceptions=True)


def settle_lasting(fair: FairUse) -> None:
    """Do what upkeep does once a minute."""
    assert fair.service.pipeline is not None
    fair.service.pipeline.settle_lasting()


async def cases(fair: FairUse) -> list[int]:
    """Give the readings of the notices that opened cases."""
    ledger = await told(fair.service)
    assert len(await ledger.cases("salon")) == len(await ledger.notices("salon"))
    return [notice.reading for notice in await ledger.notices("salon")]


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


async def test_places_in_flight_are_refused_and_come_free(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E11, E13: with 2 under way the third is told there is no room, until one has ended."""
    async with held(tmp_path, clock, AT_ONCE, count=2) as (fair, app, tasks):
        refused = await pages(fair)
        assert (refused.status, refused.json()["rule"]) == (429, "one")
        assert refused.json()["title"] == "There is no room at the moment"
        assert "retry-after" not in refused.headers
        app.waiting[0].set()
        await tasks[0]
        tasks.append(asyncio.create_task(pages(fair)))
        await app.has(3)
        assert (await used(fair))[0] == 2


@pytest.mark.parametrize("ends", ["2xx", "4xx", "5xx", "an exception", "cancelled"])
async def test_a_place_comes_free_whatever_happens(
    tmp_path: Path, clock: ManualClock, ends: str
) -> None:
    """E11, F-26, F-46: answered, refused, raised or cancelled, a request gives its place back."""
    app = Held({"4xx": 404, "5xx": 503}.get(ends, 201))
    app.fails = ends == "an exception"
    async with held(tmp_path, clock, AT_ONCE, count=2, app=app) as (fair, _, tasks):
        for task, let in zip(tasks, app.waiting, strict=True):
            if ends == "cancelled":
                task.cancel()
            let.set()
        await asyncio.wait(tasks)
        assert (await used(fair))[0] == 0
        app.fails = False
        again = [asyncio.create_task(pages(fair)) for _ in range(2)]
        await app.has(4)
        for let in app.waiting:
            let.set()
        assert {(await task).status for task in again} == {app.status}


async def test_a_refused_request_holds_no_place(tmp_path: Path, clock: ManualClock) -> None:
    """E11, F-24: however often it is refused, a request that never was under way frees nothing."""
    async with held(tmp_path, clock, AT_ONCE, count=2) as (fair, _, _tasks):
        assert {(await pages(fair)).status for _ in range(5)} == {429}
        assert (await used(fair))[0] == 2


async def test_the_peak_is_recorded_and_nobody_is_refused(
    tmp_path: Path, clock: ManualClock
) -> None:
    """S9, E12: 5 under way where 2 are agreed are served; the page shows now and the highest."""
    async with held(tmp_path, clock, PEAK, count=5) as (fair, app, tasks):
        for let in app.waiting:
            let.set()
        assert [(await task).status for task in tasks] == [201] * 5
        assert await cases(fair) == [5]
        [entry] = (await call(fair, "GET", "/fairuse/usage")).json()["limits"]
        assert (entry["used"], entry["highest"], entry["standing"]) == (0, 5, "excessive")
