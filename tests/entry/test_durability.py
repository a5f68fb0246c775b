"""What a crash may forget: nothing that was admitted where strict, and who waits for that."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.entry.support import disk_full
from tests.stages.support import Held, pages, policy
from tests.support import NOON, SALON, Recorder, call, mounted, write_config

from fairuse.base.clock import ManualClock
from fairuse.stores import journal as journals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Message

    from fairuse import FairUse
    from fairuse.stores.rows import Batch

pytestmark = pytest.mark.anyio

MONTH = policy("", amount="3", window="calendar month")
BOTH = policy(
    "",
    amount="3",
    window="calendar month",
    more="""
[meters.f]
unit = "request"
count = ["POST /pages"]
measure = "in flight"
[limits.at-once]
meter = "f"
amount = "1"
window = "always"
over = "refuse"
""",
)


def configured(folder: Path, rules: str, durability: str | None) -> Path:
    """Write a configuration that says how durable counts are, or leaves it as it is."""
    config = write_config(folder, policy=rules)
    if durability is not None:
        with (config / "gateway.toml").open("a") as file:
            file.write(f'[counters]\ndurability = "{durability}"\n')
    return config


class Disk:
    """What stands before a ledger's writes: they wait until they are let."""

    def __init__(self, fair: FairUse, monkeypatch: pytest.MonkeyPatch) -> None:
        ledger = fair.service.ledger
        assert ledger is not None
        self._write = ledger.write
        self.asked = asyncio.Event()
        self.let = asyncio.Event()
        monkeypatch.setattr(ledger, "write", self.write)

    async def write(self, batch: Batch) -> None:
        """Write once it is let."""
        self.asked.set()
        await self.let.wait()
        await self._write(batch)


@asynccontextmanager
async def slow(
    folder: Path,
    app: Any,
    monkeypatch: pytest.MonkeyPatch,
    rules: str = MONTH,
    durability: str | None = "strict",
) -> AsyncIterator[tuple[FairUse, Disk]]:
    """Run the middleware on a ledger that is written only when it is let."""
    monkeypatch.setattr(journals, "COMMIT_SECONDS", 60)
    async with mounted(configured(folder, rules, durability), app, ManualClock(NOON)) as fair:
        disk = Disk(fair, monkeypatch)
        try:
            yield fair, disk
        finally:
            disk.let.set()


async def rows(fair: FairUse) -> dict[str, int]:
    """Give the units that a crash right now would leave, limit by limit."""
    assert fair.service.ledger is not None
    return {row.key.limit: row.units for row in await fair.service.ledger.open_slots(NOON)}


async def test_what_is_admitted_is_written_before_the_api_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15 (strict): first the ledger has what is reserved, and then the API has the request."""
    app = Held()
    async with slow(tmp_path, app, monkeypatch) as (fair, disk):
        task = asyncio.create_task(pages(fair))
        await disk.asked.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert app.waiting == []
        disk.let.set()
        await app.has(1)
        assert await rows(fair) == {"one": 1}
        app.waiting[0].set()
        assert (await task).status == 201


@pytest.mark.parametrize("durability", [None, "relaxed"])
async def test_a_relaxed_gateway_waits_for_nothing(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, durability: str | None
) -> None:
    """S15 (relaxed, unless told otherwise): whoever asks is served while the ledger is written."""
    async with slow(tmp_path, recorder, monkeypatch, durability=durability) as (fair, disk):
        statuses = [(await pages(fair)).status for _ in range(4)]
        assert statuses == [201, 201, 201, 429]
        assert not disk.let.is_set()


async def test_a_websocket_is_written_before_the_api_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15 (strict): a connection that is counted waits like any request."""
    seen = asyncio.Event()

    async def app(*_: Any) -> None:
        seen.set()

    scope = {
        "type": "websocket",
        "path": "/ws",
        "raw_path": b"/ws",
        "http_version": "1.1",
        "headers": [(b"host", b"a"), (b"x-api-key", SALON.encode())],
        "client": ("203.0.113.9", 1),
    }
    rules = policy('count = ["GET /ws"]', amount="3", window="calendar month")
    async with slow(tmp_path, app, monkeypatch, rules) as (fair, disk):
        task = asyncio.create_task(fair(scope, _never, _nowhere))
        await disk.asked.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not seen.is_set()
        disk.let.set()
        await seen.wait()
        await task


async def _never() -> Message:
    """Hear nothing."""
    await asyncio.Event().wait()
    raise AssertionError


async def _nowhere(_message: Message) -> None:
    """Send nothing."""


async def test_many_wait_for_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S15 (group commit): who comes while the ledger is written is written together, next."""
    app, batches = Held(), []
    rules = policy("", amount="50", window="calendar month")
    async with slow(tmp_path, app, monkeypatch, rules) as (fair, disk):
        write = disk._write

        async def counting(batch: Batch) -> None:
            batches.append(sum(row.units for row in batch.slots))
            await write(batch)

        monkeypatch.setattr(disk, "_write", counting)
        first = asyncio.create_task(pages(fair))
        await disk.asked.wait()
        others = [asyncio.create_task(pages(fair)) for _ in range(20)]
        for _ in range(20):
            await asyncio.sleep(0)
        disk.let.set()
        await app.has(21)
        assert batches == [1, 21]
        for let in app.waiting:
            let.set()
        await asyncio.gather(first, *others)


async def test_who_is_refused_waits_for_nothing(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-24: a refusal has nothing to be written, and so has a request that moves nothing."""
    none = policy("", amount="0", window="calendar month")
    async with slow(tmp_path, recorder, monkeypatch, none) as (fair, _):
        assert (await pages(fair)).status == 429
        assert (await call(fair, path="/other")).status == 201


async def test_a_ledger_that_fails_holds_nobody_up(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: where the ledger can't be written everybody is served, and counted in memory."""
    config = configured(tmp_path, MONTH, "strict")
    async with mounted(config, recorder, ManualClock(NOON)) as fair:
        with monkeypatch.context() as patch:
            patch.setattr(fair.service.ledger, "write", disk_full)
            statuses = [(await pages(fair)).status for _ in range(4)]
            assert statuses == [201, 201, 201, 429]
            assert await rows(fair) == {}
        assert fair.service.ledger is not None
        assert fair.service.journal is not None
        assert await fair.service.journal.flush(fair.service.ledger, fair.service.clock.now())
        assert await rows(fair) == {"one": 3}


async def test_a_ledger_that_hangs_holds_nobody_up_for_long(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: a request waits for its units to be written for so long, and is served then."""
    async with slow(tmp_path, recorder, monkeypatch) as (fair, disk):
        monkeypatch.setattr(journals, "COMMIT_SECONDS", 0.01)
        assert (await pages(fair)).status == 201
        assert not disk.let.is_set()


async def test_a_crash_forgets_nothing_that_is_under_way(tmp_path: Path) -> None:
    """S15 (strict): after a crash the requests that were under way are counted, once."""
    app, config = Held(), configured(tmp_path, MONTH, "strict")
    async with mounted(config, app, ManualClock(NOON)) as fair:
        tasks = [asyncio.create_task(pages(fair)) for _ in range(2)]
        await app.has(2)
        as_it_is_now(tmp_path, "crashed")
        for let in app.waiting:
            let.set()
        await asyncio.gather(*tasks)
    gateway = config / "gateway.toml"
    gateway.write_text(gateway.read_text().replace("fairuse.db", "crashed.db"))
    async with mounted(config, Recorder(), ManualClock(NOON + 60)) as fair:
        assert [(await pages(fair)).status for _ in range(2)] == [201, 429]


def as_it_is_now(folder: Path, name: str) -> None:
    """Copy a ledger as a crash would leave it."""
    for ending in ("db", "db-wal"):
        copy, ledger = folder / f"{name}.{ending}", folder / f"fairuse.{ending}"
        copy.write_bytes(ledger.read_bytes())


async def test_who_gives_up_waiting_leaves_nothing_behind(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-26, E11: a request cancelled before the API sees it gives back its units and its place."""
    async with slow(tmp_path, recorder, monkeypatch, BOTH) as (fair, disk):
        task = asyncio.create_task(pages(fair))
        await disk.asked.wait()
        task.cancel()
        await asyncio.wait([task])
        disk.let.set()
        assert recorder.requests == []
        assert not any((await in_use(fair)).values())
        assert (await pages(fair)).status == 201


async def in_use(fair: FairUse) -> dict[str, int]:
    """Give what is used, limit by limit."""
    assert fair.service.pipeline is not None
    readings = await fair.service.pipeline.counters.read("salon", fair.service.clock.now())
    return {reading.limit: reading.used for reading in readings}
