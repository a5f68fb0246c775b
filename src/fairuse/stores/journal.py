"""The journal: what the requests changed, gathered in memory and written a few times a second.

All writers share one transaction (group commit). A ledger that can't be written keeps nothing
from being served: what is gathered stays in memory, merged, until a write succeeds (F-41).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from fairuse.base.log import logger
from fairuse.stores.rows import Batch, SlotRow, UsageKey

if TYPE_CHECKING:
    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.rules.blocks import Block
    from fairuse.rules.tally import Slot, Tally
    from fairuse.stores.ledger import Ledger

FLUSH_SECONDS = 0.2

log = logger(__name__)


class Journal:
    """Gathers changes and writes them to the ledger."""

    def __init__(self) -> None:
        self._slots: dict[Slot, Tally] = {}
        self._usage: Counter[UsageKey] = Counter()
        self._blocks: list[Block] = []
        self._urgent = asyncio.Event()
        self._failing = False
        self._stopped = False

    def note_slot(self, tally: Tally, slot: Slot) -> None:
        """Have a slot's settled units written."""
        self._slots[slot] = tally

    def note_usage(
        self, account: str, location: str, meter: str, units: int, moment: float
    ) -> None:
        """Have units added to the usage of the hour that holds the moment."""
        hour = int(moment // 3_600) * 3_600
        self._usage[UsageKey(account, location, meter, hour)] += units

    def note_block(self, block: Block) -> None:
        """Have a block written, at once."""
        self._blocks.append(block)
        self._urgent.set()

    async def run(self, ledger: Ledger, clock: Clock) -> None:
        """Write what is gathered, again and again, and a last time once stopped or cancelled."""
        try:
            while not self._stopped:
                with suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await self._urgent.wait()
                self._urgent.clear()
                await self.flush(ledger, clock.now())
        finally:
            if not await self.flush(ledger, clock.now()):
                log.error("ledger.lost", slots=len(self._slots), blocks=len(self._blocks))

    def stop(self) -> None:
        """Have `run` end after a last write."""
        self._stopped = True
        self._urgent.set()

    async def flush(self, ledger: Ledger, at: Instant) -> bool:
        """Write what is gathered; False where the ledger could not take it and it is kept."""
        slots, usage, blocks = self._slots, self._usage, self._blocks
        if not (slots or usage or blocks):
            return True
        self._slots, self._usage, self._blocks = {}, Counter(), []
        batch = Batch(
            [_row(tally, slot, at) for slot, tally in slots.items()], [*usage.items()], blocks
        )
        writing = asyncio.create_task(ledger.write(batch))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # Whoever cancels this waits until the write is through, one way or the other.
            await asyncio.wait((writing,))
            if writing.cancelled():
                # It may have been committed; slots and blocks can be written twice, usage can't.
                self._put_back(slots, Counter(), blocks)
            elif writing.exception():
                self._put_back(slots, usage, blocks)
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, nothing gathered may be lost
            self._put_back(slots, usage, blocks)
            if not self._failing:
                log.error("ledger.write_failed", reason=repr(error))
            self._failing = True
            return False
        if self._failing:
            log.info("ledger.write_recovered")
        self._failing = False
        return True

    def _put_back(
        self, slots: dict[Slot, Tally], usage: Counter[UsageKey], blocks: list[Block]
    ) -> None:
        self._slots = slots | self._slots
        self._usage = usage + self._usage
        self._blocks = blocks + self._blocks


def _row(tally: Tally, slot: Slot, at: Instant) -> SlotRow:
    ends_at = slot.ends + at.wall - tally.clock(at)
    return SlotRow(tally.key, slot.key, ends_at, slot.settled)
