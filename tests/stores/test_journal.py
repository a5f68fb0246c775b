"""The journal: what was noted is known until it is written, and a failed write loses nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import NOON

from fairuse.base.errors import LedgerError
from fairuse.rules.amounts import MAX_AMOUNT
from fairuse.rules.blocks import Block
from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import TallyKey
from fairuse.stores.history import breaches_since, note_judged, unjudged
from fairuse.stores.journal import Journal
from fairuse.stores.rows import BreachRow, EventRow, ItemRow, MemberRow, UsageKey

if TYPE_CHECKING:
    from tests.ledgers import Place

    from fairuse.base.clock import ManualClock
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

KEY = TallyKey("anna", "burst", "1 minute", ())
BLOCK = Block("203.0.113.9", "anna", "burst", NOON, NOON + 900, 0)
EVENT = EventRow("crm", "/calls", "1", NOON, NOON - 60, adjusted=False)
ITEM = ItemRow("anna", "drafts", "plan", 1, NOON)
BREACH = BreachRow("salon", "anna", "burst", (), NOON, NOON + 60, NOON, 11, 10)
USAGE = UsageKey("anna", "x", "m", int(NOON))


def note_everything(journal: Journal, clock: ManualClock, units: int) -> None:
    """Note one of each."""
    tally = RollingTally(KEY, 60)
    slot = tally.take(units, clock.now(), None)
    tally.settle(slot, units, units)
    journal.note_slot(tally, slot)
    journal.note_member(tally, slot, "user-1")
    journal.note_usage("anna", "x", "m", units, int(NOON))
    journal.note_block(BLOCK)
    journal.note_event(EVENT)
    journal.note_item(ITEM)
    journal.note_breach(BREACH._replace(reading=units))


async def everything(ledger: Ledger) -> dict[str, Any]:
    """Read what was written, kind by kind."""
    return {
        "slots": [row.units for row in await ledger.open_slots(NOON)],
        "members": await ledger.members(NOON),
        "usage": await ledger.usage("anna"),
        "blocks": len(await ledger.blocks_since(NOON)),
        "events": await ledger.known_events([("crm", "/calls", "1"), ("crm", "/calls", "2")]),
        "items": await ledger.items(),
        "breaches": [row.reading for row in await breaches_since(ledger, NOON)],
    }


WRITTEN = {
    "slots": [3],
    "members": [MemberRow(KEY, int(NOON * 1_000), "user-1")],
    "usage": {USAGE: 5},
    "blocks": 2,
    "events": {("crm", "/calls", "1")},
    "items": [ITEM],
    "breaches": [3],
}
NOTHING = {
    "slots": [],
    "members": [],
    "usage": {},
    "blocks": 0,
    "events": set(),
    "items": [],
    "breaches": [],
}


async def test_everything_noted_is_written(ledger: Ledger, clock: ManualClock) -> None:
    """S15: of each kind the latest word is written, usage is added up, and blocks are all kept."""
    assert await everything(ledger) == NOTHING
    journal = Journal()
    for units in (2, 3):
        note_everything(journal, clock, units)
        assert await journal.flush(ledger, clock.now())
    assert await everything(ledger) == WRITTEN


@pytest.mark.parametrize("table", ["slots", "usage", "members", "events", "breaches", "items"])
async def test_a_write_that_fails_is_put_back_whole(
    place: Place, ledger: Ledger, clock: ManualClock, table: str
) -> None:
    """F-41: whatever part of a write fails, none of it is written, and all of it is next time."""
    journal = Journal()
    await place.sql(f"ALTER TABLE {table} RENAME TO away")
    for units in (2, 3):
        note_everything(journal, clock, units)
        assert not await journal.flush(ledger, clock.now())
    await place.sql(f"ALTER TABLE away RENAME TO {table}")
    assert await everything(ledger) == NOTHING
    assert await journal.flush(ledger, clock.now())
    assert await everything(ledger) == WRITTEN


async def test_an_event_is_known_until_it_is_written(
    ledger: Ledger, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: an event is known while it waits, while it is written, and while a write has failed."""
    journal, write = Journal(), ledger.write
    fails = [True, False]
    known_while_written = []

    async def failing(batch: Any) -> None:
        known_while_written.append(journal.knows_event("crm", "/calls", "1"))
        if fails.pop(0):
            raise LedgerError("disk full")
        await write(batch)

    monkeypatch.setattr(ledger, "write", failing)
    assert not journal.knows_event("crm", "/calls", "1")
    journal.note_event(EVENT)
    assert journal.knows_event("crm", "/calls", "1")
    assert not journal.knows_event("crm", "/calls", "2")
    assert not journal.knows_event("other", "/calls", "1")
    for written in (False, True):
        assert await journal.flush(ledger, clock.now()) is written
        assert journal.knows_event("crm", "/calls", "1") is not written
    assert known_while_written == [True, True]
    assert await ledger.known_events([("crm", "/calls", "1")]) == {("crm", "/calls", "1")}


async def test_what_is_noted_during_a_write_is_written_by_the_next(
    ledger: Ledger, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15: whoever waits for a flush knows that all it noted before is written."""
    journal, write = Journal(), ledger.write
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(batch: Any) -> None:
        begun.set()
        await go_on.wait()
        await write(batch)

    monkeypatch.setattr(ledger, "write", slow)
    journal.note_usage("anna", "x", "m", 1, int(NOON))
    first = asyncio.create_task(journal.flush(ledger, clock.now()))
    await begun.wait()
    journal.note_usage("anna", "x", "m", 10, int(NOON))
    second = asyncio.create_task(journal.flush(ledger, clock.now()))
    go_on.set()
    assert await first
    assert await second
    assert await ledger.usage("anna") == {USAGE: 11}


async def test_a_breach_that_goes_on_stays_one_and_is_judged_once(
    ledger: Ledger, clock: ManualClock
) -> None:
    """B25: what is new about a breach changes it, and does not bring it up for judgement again."""
    journal = Journal()
    later = BREACH._replace(ends_at=NOON + 90, last_at=NOON + 30, reading=15)
    for breach in (BREACH, later):
        journal.note_breach(breach)
        assert await journal.flush(ledger, clock.now())
    assert await unjudged(ledger, NOON + 89) == []
    assert await unjudged(ledger, NOON + 90) == [later]
    await note_judged(ledger, later)
    journal.note_breach(later._replace(reading=16))
    assert await journal.flush(ledger, clock.now())
    assert await unjudged(ledger, NOON + 90) == []
    assert await breaches_since(ledger, NOON) == [later._replace(reading=16)]


async def test_sums_beyond_all_counting_can_still_be_written(
    ledger: Ledger, clock: ManualClock
) -> None:
    """F-27: however large the costs that one account tells, the ledger takes what is gathered."""
    journal, tally = Journal(), RollingTally(KEY, 60)
    for _ in range(3):
        for _ in range(2_000):
            slot = tally.take(0, clock.now(), None)
            tally.settle(slot, 0, MAX_AMOUNT)
            journal.note_slot(tally, slot)
            journal.note_usage("anna", "x", "m", MAX_AMOUNT, int(NOON))
        assert await journal.flush(ledger, clock.now())
    [units] = (await ledger.usage("anna")).values()
    assert units == tally.slots[-1].settled == MAX_AMOUNT
