"""A bug in a stage of ours: the request is served and the bug is counted, and no customer pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from tests.support import DENTIST, Recorder, call, mounted, told

from fairuse import pipeline as way
from fairuse.rules.refusal import PROBLEMS
from fairuse.stores import faults
from fairuse.stores.memory import MemoryCounters

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

OPEN = ["blocked_here", "restricted", "meter", "decide", "limit_headers"]
CLOSED = ["admit", "identify"]


def counted(became: str) -> float:
    """Count the faults of which something became."""
    return REGISTRY.get_sample_value("fairuse_faults_total", {"became": became}) or 0.0


def broken(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """Have a stage fail, whatever it is asked."""

    def bug(*_: Any, **_more: Any) -> Any:
        raise ZeroDivisionError(stage)

    monkeypatch.setattr(way, stage, bug)


async def usage(fair: FairUse) -> dict[tuple[str, str], int]:
    """Give what was counted, by location and meter."""
    rows = await (await told(fair.service)).usage("salon")
    return {(key.location, key.meter): units for key, units in rows.items()}


def reserved(fair: FairUse) -> int:
    """Count the units that are held for requests under way."""
    counters = fair.service.pipeline.counters  # type: ignore[union-attr]
    assert isinstance(counters, MemoryCounters)
    return sum(slot.open for tally in counters.tallies("salon") for slot in tally.slots)


@pytest.mark.parametrize("stage", OPEN)
async def test_a_bug_before_the_request_is_forwarded_refuses_nobody(
    config: Path,
    recorder: Recorder,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    """F-55: served uncounted, and it says so; the exception is counted; the next is as always."""
    before = counted("served")
    async with mounted(config, recorder, clock) as fair:
        with monkeypatch.context() as patched:
            broken(patched, stage)
            reply = await call(fair)
        assert (reply.status, reply.headers["fairuse-degraded"]) == (201, "gateway")
        assert len(recorder.requests) == 1
        assert (await usage(fair), reserved(fair)) == ({}, 0)
        assert counted("served") == before + 1
        reply = await call(fair)
        assert (reply.status, "fairuse-degraded" in reply.headers) == (201, False)
        assert ("centrum", "appointments") in await usage(fair)


async def test_a_bug_is_no_way_around_every_limit(
    config: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-55: so many of an account are served in a minute, then refused; others still are served."""
    monkeypatch.setattr(faults, "SERVED", 3)
    broken(monkeypatch, "decide")
    async with mounted(config, recorder, clock) as fair:
        assert [(await call(fair)).status for _ in range(5)] == [201, 201, 201, 500, 500]
        assert (await call(fair, key=DENTIST)).status == 201
        clock.advance(faults.SECONDS + 1)
        assert (await call(fair)).status == 201


@pytest.mark.parametrize("stage", CLOSED)
async def test_a_bug_before_anybody_is_known_lets_nobody_in(
    config: Path,
    recorder: Recorder,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    """F-55: who can't be told from a stranger is refused, with problem details and no traceback."""
    before = counted("refused")
    async with mounted(config, recorder, clock) as fair:
        broken(monkeypatch, stage)
        reply = await call(fair)
    assert (reply.status, recorder.requests) == (500, [])
    assert reply.json()["title"] == PROBLEMS["gateway-fault"].title
    assert b"ZeroDivision" not in reply.body
    assert counted("refused") == before + 1


async def test_a_bug_at_the_end_gives_back_what_was_reserved(
    config: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-55, F-26: the answer is whole, nothing stays reserved, and the next request counts."""
    async with mounted(config, recorder, clock) as fair:
        with monkeypatch.context() as patched:
            broken(patched, "settle")
            reply = await call(fair)
        assert (reply.status, reply.body) == (201, b"{}")
        assert reserved(fair) == 0
        await call(fair)
        assert (await usage(fair))["centrum", "appointments"] == 1


async def test_what_an_app_raises_is_the_apps(config: Path, clock: ManualClock) -> None:
    """F-55: the middleware handles its own faults, and hands on those of the app it wraps."""

    async def app(*_: Any) -> None:
        raise ZeroDivisionError

    before = counted("served"), counted("refused")
    async with mounted(config, app, clock) as fair:
        with pytest.raises(ZeroDivisionError):
            await call(fair)
    assert (counted("served"), counted("refused")) == before


async def test_a_limit_that_does_harm_is_made_to_watch_only(
    config: Path, recorder: Recorder, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """F-55: a word in the policy's file stops a limit from refusing; it counts on, and says so."""
    policy = config / "policies/booking.toml"
    text = policy.read_text().replace('amount = "60"\n', 'amount = "2"\n')
    policy.write_text(text)
    async with mounted(config, recorder, clock) as fair:
        assert [(await call(fair)).status for _ in range(3)] == [201, 201, 429]
        watching = text.replace('over   = "refuse"\nthen', 'over   = "signal"\n# then')
        assert watching != text
        policy.write_text(watching)
        assert fair.service.configuration.reload() == []
        assert [(await call(fair)).status for _ in range(3)] == [201, 201, 201]
        await told(fair.service)
    said = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    rules = {line["rule"] for line in said if line["event"] == "signal.raised"}
    assert "appointments-burst" in rules
