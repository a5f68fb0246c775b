"""A strict journal: who has units written waits for that, and not for a ledger that is away."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import NOON

from fairuse.base.errors import LedgerError
from fairuse.rules.calendar_tally import CalendarTally
from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import TallyKey
from fairuse.rules.windows import Span
from fairuse.stores import journal as journals
from fairuse.stores.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fairuse.base.clock import ManualClock
    from fairuse.stores.rows import Batch

pytestmark = pytest.mark.anyio

KEY = TallyKey("anna", "burst", "1 minute", ())


class Disk:
    """A ledger that writes when it is let, or fails."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.asked = 0
        self.fails = False
        self.held = False
        self._let = asyncio.Semaphore(0)

    def let(self) -> None:
        """Let one write through that is held."""
        self._let.release()

    async def write(self, batch: Batch) -> None:
        """Write."""
        self.asked += 1
        if self.held:
            await self._let.acquire()
        if self.fails:
            raise LedgerError("disk full")
        self.batches.append(batch)

    @property
    def units(self) -> int:
        """Count what is written."""
        return sum(units for batch in self.batches for _, units in batch.usage)


@asynccontextmanager
async def running(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Journal, Disk]]:
    """Run a strict journal that writes when it is asked to, and only then."""
    monkeypatch.setattr(journals, "FLUSH_SECONDS", 1_000)
    monkeypatch.setattr(journals, "COMMIT_SECONDS", 1_000)
    journal, disk = Journal(strict=True), Disk()
    ledger: Any = disk
    task = asyncio.create_task(journal.run(ledger, clock))
    try:
        yield journal, disk
    finally:
        disk.held = False
        disk.let()
        journal.stop()
        async with asyncio.timeout(20):
            await task


def note(journal: Journal, units: int = 1) -> asyncio.Task[None]:
    """Note units, and begin to wait until they are written."""
    journal.note_usage("anna", "", "m", units, int(NOON))
    return asyncio.create_task(journal.committed())


async def turns(count: int = 20) -> None:
    """Let everybody go on as far as they can."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until_asked(disk: Disk, count: int) -> None:
    """Wait until the disk was asked so many times."""
    async with asyncio.timeout(20):
        while disk.asked < count:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_who_waits_finds_it_written(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15 (strict): the wait is over when the units are written, and not before."""
    async with running(clock, monkeypatch) as (journal, disk):
        disk.held = True
        waiting = note(journal, 7)
        await until_asked(disk, 1)
        await turns()
        assert not waiting.done()
        disk.let()
        await waiting
        assert disk.units == 7


async def test_who_comes_during_a_write_waits_for_the_next(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15 (strict): a write that began before the units were noted is no proof of them."""
    async with running(clock, monkeypatch) as (journal, disk):
        disk.held = True
        first = note(journal, 1)
        await until_asked(disk, 1)
        second = [note(journal, 10) for _ in range(3)]
        disk.let()
        await first
        await until_asked(disk, 2)
        await turns()
        assert disk.units == 1
        assert not any(each.done() for each in second)
        disk.let()
        await asyncio.gather(*second)
        assert (disk.units, disk.asked) == (31, 2)


async def test_who_has_nothing_to_be_written_waits_for_nothing(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15 (strict): where all is written already nothing is written again."""
    async with running(clock, monkeypatch) as (journal, disk):
        await journal.committed()
        assert disk.asked == 0


async def test_one_who_gives_up_leaves_the_others_waiting(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15 (strict): who hangs up while it waits takes nobody's write along."""
    async with running(clock, monkeypatch) as (journal, disk):
        disk.held = True
        gone, stays = note(journal), note(journal)
        await until_asked(disk, 1)
        gone.cancel()
        await turns()
        assert gone.cancelled()
        assert not stays.done()
        disk.let()
        await stays
        assert disk.units == 2


async def test_nobody_waits_for_a_ledger_that_fails(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: the first is let go when the write fails, the next at once, until one succeeds."""
    async with running(clock, monkeypatch) as (journal, disk):
        disk.fails = True
        await note(journal, 1)
        assert (disk.asked, disk.units) == (1, 0)
        for _ in range(3):
            await note(journal, 10)
        assert disk.asked == 1
        disk.fails = False
        ledger: Any = disk
        assert await journal.flush(ledger, clock.now())
        assert disk.units == 31
        disk.held = True
        waiting = note(journal, 100)
        await until_asked(disk, 3)
        await turns()
        assert not waiting.done()
        disk.let()
        await waiting
        assert disk.units == 131


async def test_nobody_waits_long_for_a_ledger_that_hangs(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: after a while a request is served all the same; what it used is written later."""
    async with running(clock, monkeypatch) as (journal, disk):
        monkeypatch.setattr(journals, "COMMIT_SECONDS", 0.01)
        disk.held = True
        await note(journal, 7)
        assert disk.units == 0
        disk.held = False
        disk.let()
        monkeypatch.setattr(journals, "COMMIT_SECONDS", 1_000)
        await note(journal, 1)
        assert disk.units == 8


async def test_nobody_waits_for_a_journal_that_has_stopped(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15 (the end): a request that comes while the gateway stops is served, and written last."""
    async with running(clock, monkeypatch) as (journal, disk):
        journal.stop()
        await note(journal, 7)
    assert disk.units == 7


async def test_who_waits_when_the_writer_is_cancelled_is_let_go(clock: ManualClock) -> None:
    """F-41: a writer that ends leaves nobody waiting, and writes what there was."""
    journal, disk = Journal(strict=True), Disk()
    ledger: Any = disk
    disk.held = True
    writer = asyncio.create_task(journal.run(ledger, clock))
    waiting = note(journal, 7)
    await until_asked(disk, 1)
    writer.cancel()
    await turns()
    disk.let()
    with pytest.raises(asyncio.CancelledError):
        await writer
    async with asyncio.timeout(20):
        await waiting
    assert disk.units == 7


@pytest.mark.parametrize(("strict", "units"), [(True, 5), (False, 2)])
async def test_a_strict_row_has_what_is_reserved(
    clock: ManualClock, *, strict: bool, units: int
) -> None:
    """S15 (strict): the row of a slot says what is settled, and what is open besides."""
    disk, journal = Disk(), Journal(strict=strict)
    ledger: Any = disk
    day = Span(int(NOON), int(NOON) + 86_400)
    for tally, span in ((RollingTally(KEY, 60), None), (CalendarTally(KEY), day)):
        slot = tally.take(2, clock.now(), span)
        tally.settle(slot, 2, 2)
        tally.take(3, clock.now(), span)
        journal.note_slot(tally, slot)
    assert await journal.flush(ledger, clock.now())
    [batch] = disk.batches
    assert [row.units for row in batch.slots] == [units, units]
