"""The journal: what the requests changed, gathered in memory and written a few times a second.

All writers share one transaction (group commit). A strict journal writes reserved units like
settled ones, and a request waits until its own are written. A ledger that can't be written keeps
nothing from being served: what is gathered stays in memory, merged, until a write succeeds (F-41).
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fairuse.base.log import logger
from fairuse.rules.amounts import MAX_AMOUNT
from fairuse.rules.meters import KINDS
from fairuse.stores.rows import (
    FOREVER,
    Batch,
    BreachRow,
    ItemAged,
    ItemClosed,
    MemberRow,
    SlotRow,
    UsageKey,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.rules.blocks import Block
    from fairuse.rules.evidence import EvidenceKey
    from fairuse.rules.tally import ScopeKey, Slot, Tally
    from fairuse.rules.terms import MeterTerms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import EventRow, ItemChange, ItemRow

FLUSH_SECONDS = 0.2
COMMIT_SECONDS = 1.0
"""How long a request waits for its units to be written; then it is served all the same."""

log = logger(__name__)

EventKey = tuple[str, str, str]
ItemKey = tuple[str, str, str]
BreachKey = tuple[str, str, "ScopeKey", float]


@dataclass(slots=True)
class _Changes:
    """What is gathered; all but `usage` and `evidence` may be written twice and is the same."""

    slots: dict[Slot, Tally] = field(default_factory=dict)
    members: dict[MemberRow, None] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    events: dict[EventKey, EventRow] = field(default_factory=dict)
    items: list[ItemChange] = field(default_factory=list)
    breaches: dict[BreachKey, BreachRow] = field(default_factory=dict)
    usage: Counter[UsageKey] = field(default_factory=Counter)
    evidence: Counter[EvidenceKey] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return any(
            (
                self.slots,
                self.members,
                self.blocks,
                self.events,
                self.items,
                self.breaches,
                self.usage,
                self.evidence,
            )
        )

    def before(self, later: _Changes) -> _Changes:
        """Give these changes and later ones, merged."""
        return _Changes(
            self.slots | later.slots,
            self.members | later.members,
            self.blocks + later.blocks,
            self.events | later.events,
            self.items + later.items,
            self.breaches | later.breaches,
            self.usage + later.usage,
            self.evidence + later.evidence,
        )

    def batch(self, at: Instant, *, strict: bool) -> Batch:
        """Give them as rows; a strict one has what is reserved in them, too."""
        return Batch(
            [_row(slot, tally, at, strict=strict) for slot, tally in self.slots.items()],
            [*self.usage.items()],
            self.blocks,
            [*self.members],
            [*self.events.values()],
            self.items,
            [*self.breaches.values()],
            [*self.evidence.items()],
        )


class SlotJournal(Protocol):
    """Hears of what is counted."""

    strict: bool
    """Whether it is to hear of what is only reserved, too."""

    def note_slot(self, tally: Tally, slot: Slot) -> None:
        """Hear of the units of a slot."""
        ...

    def note_member(self, tally: Tally, slot: Slot, member: str) -> None:
        """Hear of somebody who was told apart in a slot."""
        ...


class Journal:
    """Gathers changes and writes them to the ledger."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._commit: asyncio.Future[None] | None = None
        self._changes = _Changes()
        self._writing = _Changes()
        self._aged: dict[ItemKey, int] = {}
        self._moved: set[str] = set()
        self._urgent = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._failing = False
        self._stopped = False

    @property
    def failing(self) -> bool:
        """Say whether the ledger could not be written the last time."""
        return self._failing

    def note_slot(self, tally: Tally, slot: Slot) -> None:
        """Have a slot's units written."""
        self._changes.slots[slot] = tally

    def note_member(self, tally: Tally, slot: Slot, member: str) -> None:
        """Have somebody who was told apart in a slot written."""
        self._changes.members[MemberRow(tally.key, slot.key, member)] = None

    def note_usage(self, account: str, location: str, meter: str, units: int, hour: int) -> None:
        """Have units added to the usage of an hour: see `hour_of`."""
        usage, key = self._changes.usage, UsageKey(account, location, meter, hour)
        usage[key] = min(usage[key] + units, MAX_AMOUNT)

    def note_evidence(self, counted: Mapping[EvidenceKey, int]) -> None:
        """Have added up where use came from."""
        evidence = self._changes.evidence
        for key, count in counted.items():
            evidence[key] = min(evidence[key] + count, MAX_AMOUNT)

    @property
    def unwritten_evidence(self) -> Mapping[EvidenceKey, int]:
        """Give where use came from as far as it is not written, while writing is `paused`."""
        return self._changes.evidence

    def note_block(self, block: Block) -> None:
        """Have a block written, at once."""
        self._changes.blocks.append(block)
        self._urgent.set()

    @property
    def blocks_waiting(self) -> bool:
        """Say whether a block is in force that is not written yet."""
        return bool(self._changes.blocks or self._writing.blocks)

    def note_event(self, event: EventRow) -> None:
        """Have a usage event remembered as counted."""
        self._changes.events[event.sender, event.source, event.id] = event

    def note_item(self, item: ItemChange) -> None:
        """Have an item opened, aged or closed."""
        self._changes.items.append(item)
        if isinstance(item, ItemAged):
            self._aged[_item(item)] = item.units
        elif isinstance(item, ItemClosed):
            self._aged.pop(_item(item), None)

    def restore(self, aged: Iterable[ItemAged | ItemRow]) -> None:
        """Take up the open items that have counted as finished already, as the ledger has them."""
        unwritten = (*self._writing.items, *self._changes.items)
        aging = [item for item in unwritten if isinstance(item, ItemAged)]
        closed = {_item(item) for item in unwritten if isinstance(item, ItemClosed)}
        known = {_item(item): item.units for item in (*aged, *aging)}
        self._aged = {item: units for item, units in known.items() if item not in closed}

    def counted_already(
        self, account: str, closed: Iterable[tuple[MeterTerms, str]]
    ) -> Counter[str]:
        """Give what items that are closed now have counted before, by the meter it is on (E29)."""
        counted: Counter[str] = Counter()
        for meter, item in closed:
            if meter.rule.ageing is not None:
                units = self._aged.get((account, meter.name, item), 0)
                counted[meter.rule.ageing.into] += units
        return counted

    def paused(self) -> asyncio.Lock:
        """Give what holds back writing, as long as it is held."""
        return self._flushing

    def changing_items(self) -> set[ItemKey]:
        """Give the items that are opened or closed and not written yet."""
        changes = (*self._changes.items, *self._writing.items)
        return {_item(item) for item in changes}

    def note_breach(self, breach: BreachRow) -> None:
        """Have a breach written, or what is new about it."""
        key = (breach.account, breach.rule, breach.scope, breach.starts_at)
        self._changes.breaches[key] = breach

    def knows_event(self, sender: str, source: str, event_id: str) -> bool:
        """Say whether a usage event was counted and is still to be written."""
        key = (sender, source, event_id)
        return key in self._changes.events or key in self._writing.events

    def moved(self) -> set[str]:
        """Give the accounts whose counts were written since the last time somebody asked."""
        moved, self._moved = self._moved, set()
        return moved

    async def committed(self) -> None:
        """Wait until all that was noted so far is written; not where the ledger is away (F-41)."""
        if self._failing or self._stopped:
            return
        if self._commit is None:
            self._commit = asyncio.get_running_loop().create_future()
        self._urgent.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(COMMIT_SECONDS):
                await asyncio.shield(self._commit)

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
                changes = self._changes
                log.error("ledger.lost", slots=len(changes.slots), blocks=len(changes.blocks))

    def stop(self) -> None:
        """Have `run` end after a last write."""
        self._stopped = True
        self._urgent.set()

    async def flush(self, ledger: Ledger, at: Instant) -> bool:
        """Write what is gathered; False where the ledger could not take it and it is kept.

        One at a time: whoever waits for a flush knows that all it noted before is written.
        """
        async with self._flushing:
            commit, self._commit = self._commit, None
            try:
                return await self._flush(ledger, at)
            finally:
                if commit is not None:
                    commit.set_result(None)

    async def _flush(self, ledger: Ledger, at: Instant) -> bool:
        if not self._changes:
            return True
        self._writing, self._changes = self._changes, _Changes()
        batch = self._writing.batch(at, strict=self.strict)
        self._moved.update(key.account for key, _ in batch.usage)
        self._moved.update(row.key.account for row in batch.slots)
        writing = asyncio.create_task(ledger.write(batch))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # Whoever cancels this waits until the write is through, one way or the other.
            await asyncio.wait((writing,))
            if writing.cancelled():
                # It may have been committed; all but what adds up can be written twice.
                self._writing.usage.clear()
                self._writing.evidence.clear()
                self._put_back()
            elif writing.exception():
                self._put_back()
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, nothing gathered may be lost
            self._put_back()
            if not self._failing:
                log.error("ledger.write_failed", reason=repr(error))
            self._failing = True
            return False
        finally:
            self._writing = _Changes()
        if self._failing:
            log.info("ledger.write_recovered")
        self._failing = False
        return True

    def _put_back(self) -> None:
        self._changes = self._writing.before(self._changes)


def _item(item: ItemChange) -> ItemKey:
    return item.account, item.meter, item.item


def _row(slot: Slot, tally: Tally, at: Instant, *, strict: bool) -> SlotRow:
    if tally.tab is not None:
        tally.tab.enter()
    measure = tally.measure
    ends_at = slot.ends + at.wall - at[tally.clock]
    level = tally.level if measure == "gauge" else None
    return SlotRow(
        tally.key,
        slot.key,
        FOREVER if math.isinf(ends_at) else ends_at,
        slot.settled + (slot.open if strict and KINDS[measure] == "flow" else 0),
        measure,
        level or 0,
    )
