"""Telephony: what somebody should look at: open lines, storms of short calls, strangers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support import (
    key_of,
    opened,
    running,
    shipped,
    signals,
    tell,
    upkeep,
    written,
)
from tests.scenarios.support_telephony import OFFICE, ended, exchange_tenants
from tests.support import Recorder, call, told

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from starlette.types import Receive, Scope, Send

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

HOUR = 3_600
NOW = "2026-11-02T13:00"


@dataclass(slots=True)
class Line:
    """An app that keeps a line open until somebody hangs up."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, for as long as the line is open."""
        if scope["type"] != "http":
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.open.set()
        await self.hung_up.wait()
        await send({"type": "http.response.body", "body": b""})


async def nothing_follows(fair: FairUse) -> bool:
    """Say whether the office has no case, no notice and no block."""
    page = (await call(fair, "GET", "/fairuse/usage", key=key_of(OFFICE))).json()
    told_of = [*await opened(fair, OFFICE), *await written(fair, OFFICE)]
    return not told_of and page["blocks"] == []


async def report(fair: FairUse, events: Iterable[dict[str, Any]]) -> None:
    """Have events told, and wait until everybody has been told what follows."""
    reply = await tell(fair, events)
    assert reply.json()["refused"] == []
    await told(fair.service)


async def test_a_line_left_open_is_seen_while_it_is_open(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """B08, P4: a stream of more than four hours raises a signal, once, and goes on."""
    line = Line()
    async with running(shipped(tmp_path, exchange_tenants()), line, clock) as fair:
        calling = asyncio.create_task(
            call(fair, "GET", "/calls/7/media", key=key_of(OFFICE)), name="caller"
        )
        await line.open.wait()
        clock.advance(4 * HOUR)
        await upkeep(fair)
        assert signals(caplog, OFFICE) == []
        for seconds in (1, HOUR):
            clock.advance(seconds)
            await upkeep(fair)
            assert signals(caplog, OFFICE) == ["long-calls"]
        line.hung_up.set()
        assert (await calling).status == 200
        assert signals(caplog, OFFICE) == ["long-calls"]
        assert await nothing_follows(fair)
        used: dict[str, int] = {}
        for key, units in (await (await told(fair.service)).usage(OFFICE)).items():
            used[key.meter] = used.get(key.meter, 0) + units
        assert used == {"long-calls": 1, "seconds-open": 5 * HOUR + 1}


@pytest.mark.parametrize(
    ("seconds", "raised"), [(4 * HOUR, []), (4 * HOUR + 1, ["long-calls"])], ids=["4 h", "more"]
)
async def test_a_call_of_hours_is_seen_when_it_is_told(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    seconds: int,
    raised: list[str],
) -> None:
    """B08: a call of more than four hours that the exchange tells of raises a signal."""
    async with running(shipped(tmp_path, exchange_tenants()), recorder, clock) as fair:
        await report(fair, [ended(240, NOW, seconds=seconds)])
        assert signals(caplog, OFFICE) == raised
        assert await nothing_follows(fair)


@pytest.mark.parametrize(
    ("seconds", "apart", "raised"),
    [(9, 2.9, ["short-calls"]), (10, 2.9, []), (9, 3.2, [])],
    ids=["short and many", "not short", "not many at a time"],
)
async def test_many_short_calls_in_a_short_time(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
    seconds: int,
    apart: float,
    raised: list[str],
) -> None:
    """B09, P4: the 200th call of less than 10 s in 10 minutes raises a signal, and no earlier."""
    async with running(shipped(tmp_path, exchange_tenants()), recorder, clock) as fair:
        for number in range(1, 301):
            clock.advance(apart)
            when = _iso(clock)
            await report(fair, [ended(0.15, when, seconds=seconds, user="anna")])
            if number == 199:
                assert signals(caplog, OFFICE) == []
            if number == 200:
                assert signals(caplog, OFFICE) == raised
        assert signals(caplog, OFFICE) == raised
        assert await nothing_follows(fair)


async def test_a_storm_is_one_signal_until_it_is_over(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """B09: calls that go on are one storm; after ten quiet minutes the next one is another."""
    async with running(shipped(tmp_path, exchange_tenants()), recorder, clock) as fair:
        for storm in (1, 2):
            await report(fair, [ended(0.1, _iso(clock), seconds=6) for _ in range(400)])
            assert signals(caplog, OFFICE) == ["short-calls"] * storm
            clock.advance(601)


async def test_more_callers_than_the_users_explain(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """B04: three users may have six who call; a seventh raises a signal, and nothing else."""
    async with running(shipped(tmp_path, exchange_tenants()), recorder, clock) as fair:
        for _ in range(3):
            await report(fair, [ended(1, NOW, user=f"caller-{n}") for n in range(6)])
        assert signals(caplog, OFFICE) == []
        for _ in range(2):
            await report(fair, [ended(1, NOW, user="caller-7")])
            assert signals(caplog, OFFICE) == ["callers"]
        assert await nothing_follows(fair)
        assert signals(caplog, "other-1") == []


def _iso(clock: ManualClock) -> str:
    return datetime.fromtimestamp(clock.wall, UTC).isoformat()
