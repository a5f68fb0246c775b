"""The ledger and its journal: what is written is there, and a ledger that fails loses nothing."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select
from tests.support import NOON

from fairuse.base.errors import LedgerError
from fairuse.rules.blocks import Block
from fairuse.rules.ladder import Case
from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import TallyKey
from fairuse.stores.casebook import open_case, write_notice
from fairuse.stores.journal import Journal
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import Batch, EventRow, ItemRow, NoticeRow, UsageKey
from fairuse.stores.schema import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection
    from tests.ledgers import Place

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

KEY = TallyKey("anna", "burst", "1 minute", (("location", "a/b"), ("address", "::/64")))
BLOCK = Block("203.0.113.9", "anna", "burst", NOON, NOON + 900, 0)
CASE = Case(1, "salon", "anna", "month", (("location", "x"),), NOON, NOON + 9, NOON + 1, "open")
NOTICE = NoticeRow(
    "salon", "anna", "month", NOON, 6, 5, "policy", "nl", ("mailto:a@b.c",), "s", "b"
)


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Ledger]:
    """Open a ledger."""
    ledger = await Ledger.open(place.url)
    try:
        yield ledger
    finally:
        await ledger.close()


def differences(connection: Connection) -> list[Any]:
    """Compare a ledger with the tables in the code."""
    found: list[Any] = compare_metadata(MigrationContext.configure(connection), metadata)
    return found


def used_tally(clock: ManualClock, units: int) -> RollingTally:
    """Give a tally with settled units."""
    tally = RollingTally(KEY, 60)
    slot = tally.take(units, clock.now(), None)
    tally.settle(slot, units, units)
    return tally


async def test_what_is_written_is_there_after_a_restart(place: Place, clock: ManualClock) -> None:
    """S15: slots, usage and blocks come back as they were, usage added up."""
    tally = used_tally(clock, 7)
    for _ in range(2):
        async with opened(place) as ledger:
            journal = Journal()
            journal.note_slot(tally, tally.slots[0])
            journal.note_usage("anna", "a/b", "m", 2, int(NOON))
            journal.note_block(BLOCK)
            assert await journal.flush(ledger, clock.now())
    async with opened(place) as ledger:
        [row] = await ledger.open_slots(NOON)
        assert (row.key, row.units, row.ends_at) == (KEY, 7, NOON + 60)
        assert await ledger.usage("anna") == {UsageKey("anna", "a/b", "m", int(NOON)): 4}
        assert await ledger.blocks_since(NOON + 899) == [BLOCK, BLOCK]
        assert await ledger.blocks_since(NOON + 900) == []
        assert await ledger.open_slots(NOON + 60) == []
        await ledger.prune(NOON + 61)
        assert await ledger.open_slots(NOON) == []


async def test_a_case_is_opened_once_with_its_notice(ledger: Ledger) -> None:
    """P8: the same crossing told twice is one case and one notice."""
    assert await open_case(ledger, CASE, lambda _: NOTICE, ())
    assert not await open_case(ledger, CASE, lambda _: NOTICE, ())
    assert await open_case(ledger, CASE._replace(starts_at=NOON + 9), lambda _: NOTICE, ())
    assert len(await ledger.cases("anna")) == 2
    assert await ledger.notices("anna") == [NOTICE, NOTICE]
    await write_notice(ledger, NOTICE._replace(subject="later"), ())
    assert [notice.subject for notice in await ledger.notices("anna")] == ["later", "s", "s"]
    assert await ledger.notices("bert") == []


async def test_one_open_case_is_enough(ledger: Ledger) -> None:
    """B25, E32: while a case is open the next breaches of its rule and scope open no other."""
    later = CASE._replace(starts_at=NOON + 9, ends_at=NOON + 18)
    elsewhere = later._replace(scope=(("location", "y"),))
    assert await open_case(ledger, CASE, lambda _: NOTICE, (), unless_open=True)
    assert not await open_case(ledger, later, lambda _: NOTICE, (), unless_open=True)
    assert await open_case(ledger, elsewhere, lambda _: NOTICE, (), unless_open=True)
    assert await open_case(
        ledger, later._replace(rule="other"), lambda _: NOTICE, (), unless_open=True
    )
    assert len(await ledger.cases("anna")) == len(await ledger.notices("anna")) == 3
    async with ledger.transaction() as connection:
        await connection.exec_driver_sql("UPDATE cases SET state = 'closed'")
    assert await open_case(ledger, later, lambda _: NOTICE, (), unless_open=True)


async def test_a_ledger_that_fails_keeps_everything_for_later(
    place: Place, ledger: Ledger, clock: ManualClock
) -> None:
    """F-41: what a broken ledger did not take is written, added up, once it works again."""
    journal, tally = Journal(), used_tally(clock, 3)
    await place.sql("ALTER TABLE usage RENAME TO usage_away")
    journal.note_slot(tally, tally.slots[0])
    for _ in range(3):
        journal.note_usage("anna", "", "m", 1, int(NOON))
        journal.note_block(BLOCK)
        assert not await journal.flush(ledger, clock.now())
    await place.sql("ALTER TABLE usage_away RENAME TO usage")
    assert await journal.flush(ledger, clock.now())
    assert await journal.flush(ledger, clock.now())
    assert list((await ledger.usage("anna")).values()) == [3]
    assert len(await ledger.blocks_since(NOON)) == 3
    assert [row.units for row in await ledger.open_slots(NOON)] == [3]


async def test_every_failure_of_the_database_is_a_ledger_error(
    place: Place, ledger: Ledger
) -> None:
    """F-41: whatever the database says, callers see a LedgerError with its reason."""
    drop = {"sqlite": "DROP TABLE {}", "postgresql": "DROP TABLE {} CASCADE"}[place.kind]
    tables = ("notices", "cases", "slots", "usage", "blocks")
    await place.sql(*map(drop.format, tables))
    for work in (
        open_case(ledger, CASE, lambda _: NOTICE, ()),
        write_notice(ledger, NOTICE, ()),
        ledger.notices("anna"),
        ledger.prune(NOON),
        ledger.write(Batch(blocks=[BLOCK])),
    ):
        with pytest.raises(LedgerError, match=r"can't be used: .*(no such table|does not exist)"):
            await work


async def test_a_newer_ledger_is_left_alone(place: Place) -> None:
    """F-42: a ledger of a newer version is refused with both versions named."""
    async with opened(place):
        pass
    await place.sql("UPDATE alembic_version SET version_num = '9999'")
    for opening in (Ledger.open(place.url), Ledger.open(place.url, access="shared")):
        with pytest.raises(LedgerError, match=r"has schema 9999, and this version knows up to 0"):
            await opening
    with pytest.raises(LedgerError, match=r"has schema 9999, and this version needs 0"):
        await Ledger.look_into(place.url)
    assert await place.sql("SELECT version_num FROM alembic_version") == [("9999",)]


async def test_a_ledger_belongs_to_one_process(place: Place) -> None:
    """A ledger in use is refused to the next who opens it, and free once it is closed."""
    async with opened(place):
        with pytest.raises(LedgerError, match="in use by another process"):
            await Ledger.open(place.url)
    async with opened(place):
        pass


async def test_a_ledger_is_looked_into_beside_who_has_it(place: Place) -> None:
    """`fairuse explain` reads a ledger whoever has it, and can change nothing in it."""
    assert await Ledger.look_into(place.url) is None
    async with opened(place) as ledger:
        await ledger.write(Batch(blocks=[BLOCK]))
        looked = await Ledger.look_into(place.url)
        assert looked is not None
        assert await looked.blocks_since(NOON) == [BLOCK]
        with pytest.raises(LedgerError, match=r"read-?only"):
            await looked.prune(NOON)
        await looked.close()


async def test_reading_sees_one_moment_and_keeps_nobody_from_writing(ledger: Ledger) -> None:
    """S20: who reads all of a ledger reads what stood in it when it began, while others write."""
    await ledger.write(Batch(blocks=[BLOCK]))
    everything = select(metadata.tables["blocks"])
    async with ledger.reading() as connection:
        before = (await connection.execute(everything)).all()
        await ledger.write(Batch(blocks=[BLOCK]))
        assert (await connection.execute(everything)).all() == before
    assert len(before) == 1
    assert len(await ledger.rows(everything)) == 2


async def test_names_that_no_database_takes_keep_nothing_from_being_written(
    ledger: Ledger, clock: ManualClock
) -> None:
    """F-21, F-41: a NUL in what a request or an event calls itself breaks no batch."""
    journal, tally = Journal(), used_tally(clock, 3)
    journal.note_slot(tally, tally.slots[0])
    journal.note_member(tally, tally.slots[0], "us\0er")
    journal.note_usage("anna", "pl\0ace", "m", 1, int(NOON))
    journal.note_event(EventRow("crm", "/ca\0lls", "\0", NOON, NOON, adjusted=False))
    journal.note_item(ItemRow("anna", "drafts", "pl\0an", 1, NOON))
    assert await journal.flush(ledger, clock.now())
    assert [row.units for row in await ledger.open_slots(NOON)] == [3]
    assert list((await ledger.usage("anna")).values()) == [1]
    assert len(await ledger.members(NOON)) == len(await ledger.items()) == 1


async def test_the_migrations_make_the_schema(place: Place) -> None:
    """F-42: a migrated ledger is exactly what the tables in the code say."""
    async with opened(place):
        pass
    async with place.connection() as connection:
        assert await connection.run_sync(differences) == []
