"""Settle: how many requests are under way, and that each gives its place back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.stages.support import Held, cases, held, pages, policy, used
from tests.support import call

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

AT_ONCE = policy('measure = "in flight"', amount="2", window="always")
PEAK = policy('measure = "in flight"', amount="2", over="case")


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
