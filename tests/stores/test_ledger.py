"""The ledger and its journal: what is written is there, and a ledger that fails loses nothing."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from tests.support import NOON

from fairuse.base.errors import LedgerError
from fairuse.rules.blocks import Block
from fairuse.rules.tally import RollingTally, TallyKey
from fairuse.stores.journal import Journal
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import CaseRow, NoticeRow, UsageKey
from fairuse.stores.schema import metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

KEY = TallyKey("anna", "burst", "1 minute", (("location", "a/b"), ("address", "::/64")))
BLOCK = Block("203.0.113.9", "anna", "burst", NOON, NOON + 900, 0)
CASE = CaseRow("salon", "anna", "month", (("location", "x"),), NOON, NOON + 9, NOON + 1, "open")
NOTICE = NoticeRow(
    "salon", "anna", "month", NOON, 6, 5, "policy", "nl", ("mailto:a@b.c",), "s", "b"
)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Ledger]:
    """Open a ledger."""
    ledger = await Ledger.open(f"sqlite:///{folder}/deep/er/fairuse.db")
    try:
        yield ledger
    finally:
        await ledger.close()


def used_tally(clock: ManualClock, units: int) -> RollingTally:
    """Give a tally with settled units."""
    tally = RollingTally(KEY, 60)
    slot = tally.take(units, clock.now(), None)
    tally.settle(slot, units, units)
    return tally


async def test_what_is_written_is_there_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    """S15: slots, usage and blocks come back as they were, usage added up."""
    tally = used_tally(clock, 7)
    for _ in range(2):
        async with opened(tmp_path) as ledger:
            journal = Journal()
            journal.note_slot(tally, tally.slots[0])
            journal.note_usage("anna", "a/b", "m", 2, NOON + 1_800)
            journal.note_block(BLOCK)
            assert await journal.flush(ledger, clock.now())
    async with opened(tmp_path) as ledger:
        [row] = await ledger.open_slots(NOON)
        assert (row.key, row.units, row.ends_at) == (KEY, 7, NOON + 60)
        assert await ledger.usage("anna") == {UsageKey("anna", "a/b", "m", int(NOON)): 4}
        assert await ledger.blocks_since(NOON + 899) == [BLOCK, BLOCK]
        assert await ledger.blocks_since(NOON + 900) == []
        assert await ledger.open_slots(NOON + 60) == []
        await ledger.prune(NOON + 61)
        assert await ledger.open_slots(NOON) == []


async def test_a_case_is_opened_once_with_its_notice(tmp_path: Path) -> None:
    """P8: the same crossing told twice is one case and one notice."""
    async with opened(tmp_path) as ledger:
        assert await ledger.open_case(CASE, NOTICE)
        assert not await ledger.open_case(CASE, NOTICE)
        assert await ledger.open_case(CASE._replace(starts_at=NOON + 9), NOTICE)
        assert len(await ledger.cases("anna")) == 2
        assert await ledger.notices("anna") == [NOTICE, NOTICE]
        await ledger.write_notice(NOTICE._replace(subject="later"))
        assert [notice.subject for notice in await ledger.notices("anna")] == ["later", "s", "s"]
        assert await ledger.notices("bert") == []


async def test_one_open_case_is_enough(tmp_path: Path) -> None:
    """B25, E32: while a case is open the next breaches of its rule and scope open no other."""
    async with opened(tmp_path) as ledger:
        later = CASE._replace(starts_at=NOON + 9, ends_at=NOON + 18)
        elsewhere = later._replace(scope=(("location", "y"),))
        assert await ledger.open_case(CASE, NOTICE, unless_open=True)
        assert not await ledger.open_case(later, NOTICE, unless_open=True)
        assert await ledger.open_case(elsewhere, NOTICE, unless_open=True)
        assert await ledger.open_case(later._replace(rule="other"), NOTICE, unless_open=True)
        assert len(await ledger.cases("anna")) == len(await ledger.notices("anna")) == 3
        async with ledger.transaction() as connection:
            await connection.exec_driver_sql("UPDATE cases SET state = 'closed'")
        assert await ledger.open_case(later, NOTICE, unless_open=True)


async def test_a_ledger_that_fails_keeps_everything_for_later(
    tmp_path: Path, clock: ManualClock
) -> None:
    """F-41: what a broken ledger did not take is written, added up, once it works again."""
    journal, tally = Journal(), used_tally(clock, 3)
    async with opened(tmp_path) as ledger:
        path = tmp_path / "deep/er/fairuse.db"
        with closing(sqlite3.connect(path)) as other:
            other.execute("ALTER TABLE usage RENAME TO usage_away")
            journal.note_slot(tally, tally.slots[0])
            for _ in range(3):
                journal.note_usage("anna", "", "m", 1, NOON)
                journal.note_block(BLOCK)
                assert not await journal.flush(ledger, clock.now())
            other.execute("ALTER TABLE usage_away RENAME TO usage")
        assert await journal.flush(ledger, clock.now())
        assert await journal.flush(ledger, clock.now())
        assert list((await ledger.usage("anna")).values()) == [3]
        assert len(await ledger.blocks_since(NOON)) == 3
        assert [row.units for row in await ledger.open_slots(NOON)] == [3]


async def test_every_failure_of_the_database_is_a_ledger_error(tmp_path: Path) -> None:
    """F-41: whatever the database says, callers see a LedgerError with its reason."""
    async with opened(tmp_path) as ledger:
        with closing(sqlite3.connect(tmp_path / "deep/er/fairuse.db")) as other:
            for table in ("notices", "cases", "slots", "usage", "blocks"):
                other.execute(f"DROP TABLE {table}")
        for work in (
            ledger.open_case(CASE, NOTICE),
            ledger.write_notice(NOTICE),
            ledger.notices("anna"),
            ledger.prune(NOON),
        ):
            with pytest.raises(LedgerError, match="no such table"):
                await work


async def test_every_connection_is_durable(tmp_path: Path) -> None:
    """F-40 (the setting): WAL, synchronous FULL and foreign keys hold on every connection."""
    async with opened(tmp_path) as ledger, ledger._engine.connect() as connection:
        found = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5_000,
    }


async def test_a_newer_ledger_is_left_alone(tmp_path: Path) -> None:
    """F-42: a ledger of a newer version is refused with both versions named."""
    async with opened(tmp_path):
        pass
    path = tmp_path / "deep/er/fairuse.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()
    with pytest.raises(LedgerError, match=r"has schema 9999, and this version knows up to 0002"):
        await Ledger.open(f"sqlite:///{path}")


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """F-41: a corrupt file is refused and not overwritten."""
    path = tmp_path / "fairuse.db"
    path.write_bytes(b"something else entirely, and more of it" * 100)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="file is not a database"):
        await Ledger.open(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_a_ledger_belongs_to_one_process(tmp_path: Path) -> None:
    """A ledger in use is refused to the next who opens it, and free once it is closed."""
    async with opened(tmp_path):
        with pytest.raises(LedgerError, match="in use by another process"):
            await Ledger.open(f"sqlite:///{tmp_path}/deep/er/fairuse.db")
    async with opened(tmp_path):
        pass


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """F-41: a path below a file can't be made, and the message says which."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"file/x/fairuse.db can't be made"):
        await Ledger.open(f"sqlite:///{tmp_path}/file/x/fairuse.db")


async def test_the_migrations_make_the_schema(tmp_path: Path) -> None:
    """F-42: a migrated ledger is exactly what the tables in the code say."""
    async with opened(tmp_path):
        pass
    engine = create_engine(f"sqlite:///{tmp_path}/deep/er/fairuse.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
