"""What runs beside the requests: it survives faults, and nothing told is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import Recorder, call, mounted, told

from fairuse import followups as way
from fairuse.base.errors import LedgerError
from fairuse.entry import beside
from fairuse.stages import notify
from fairuse.stages.notify import notify_over
from fairuse.stores.casebook import open_case
from fairuse.stores.ledger import Ledger
from fairuse.stores.memory import MemoryCounters

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_a_notice_the_ledger_could_not_take_is_written_later(
    config: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: a notice waits for a ledger that fails, and is then written once."""
    policy = config / "policies/booking.toml"
    policy.write_text(policy.read_text().replace('"5000"', '"1"'))
    monkeypatch.setattr(way, "RETRY_SECONDS", 0)
    async with mounted(config, recorder, clock) as fair:
        ledger = fair.service.ledger
        assert ledger is not None
        failures = iter(range(3))

        async def failing(*arguments: Any, **options: Any) -> bool:
            for _ in failures:
                raise LedgerError("disk full")
            return await open_case(*arguments, **options)

        monkeypatch.setattr(notify, "open_case", failing)
        for _ in range(3):
            await call(fair)
        assert len(await (await told(fair.service)).notices("salon")) == 1


async def test_one_account_that_cannot_be_told_keeps_no_other_from_it(
    config: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-55 (off the path): a bug in telling one account is logged, and the next one is told."""
    policy = config / "policies/booking.toml"
    policy.write_text(policy.read_text().replace('"5000"', '"1"'))

    async def buggy(case: Any, *rest: Any) -> bool:
        if case.account == "salon":
            raise ZeroDivisionError
        return await notify_over(case, *rest)

    monkeypatch.setattr(way, "notify_over", buggy)
    async with mounted(config, recorder, clock) as fair:
        for key in ("key-of-salon", "key-of-dentist"):
            for _ in range(2):
                await call(fair, key=key)
        ledger = await told(fair.service)
        assert len(await ledger.notices("salon")) == 0
        assert len(await ledger.notices("dentist")) == 1


async def test_an_account_that_is_gone_is_told_nothing(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A crossing of a tenant that was removed meanwhile is passed over."""
    policy = config / "policies/booking.toml"
    policy.write_text(policy.read_text().replace('"5000"', '"1"'))
    async with mounted(config, recorder, clock) as fair:
        await call(fair)
        (config / "tenants/salon.toml").unlink()
        crossing = call(fair)
        await crossing
        fair.service.configuration.reload()
        ledger = await told(fair.service)
        assert await ledger.notices("salon") == []


async def test_housekeeping_forgets_what_is_over(
    config: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows and blocks that are long over leave memory by themselves."""
    monkeypatch.setattr(beside, "SWEEP_SECONDS", 0.001)
    async with mounted(config, recorder, clock) as fair:
        for _ in range(90):
            await call(fair)
        assert fair.service.pipeline is not None
        counters, blocks = fair.service.pipeline.counters, fair.service.pipeline.blocks
        assert isinstance(counters, MemoryCounters)
        assert len(counters) == 4
        assert blocks.of_account("salon", clock.wall)
        assert blocks.latest("203.0.113.9", "salon") is not None
        clock.advance(40 * 86_400)
        await until(lambda: len(counters) == 0)
        await until(lambda: blocks.latest("203.0.113.9", "salon") is None)


async def test_housekeeping_survives_a_ledger_that_fails(
    config: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: a ledger that can't be pruned is tried again, round after round."""
    tried = asyncio.Event()
    rounds = iter(range(3))

    async def failing(*_: Any) -> None:
        if next(rounds, None) is not None:
            raise LedgerError("disk full")
        tried.set()

    monkeypatch.setattr(beside, "SWEEP_SECONDS", 0)
    monkeypatch.setattr(Ledger, "prune", failing)
    async with mounted(config, recorder, clock):
        async with asyncio.timeout(20):
            await tried.wait()


async def until(done: Any) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0)
