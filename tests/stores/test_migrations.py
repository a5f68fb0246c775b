"""Migrations: a ledger of an earlier version is brought up to date, whole or not at all (F-42)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from tests.support import NOON

from fairuse.base.errors import LedgerError
from fairuse.rules.blocks import Block
from fairuse.rules.tally import TallyKey
from fairuse.stores.history import breaches_since, latest_snapshots
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import CaseRow, EventRow, NoticeRow, SlotRow, UsageKey
from fairuse.stores.schema import metadata

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ROWS = {
    "slots": ("anna", "month", "calendar month", '[["location","x"]]', 1_000, NOON + 9, 7),
    "usage": ("anna", "x", "m", 3_600, 7),
    "blocks": (1, "203.0.113.9", "anna", "burst", NOON, NOON + 900, 2),
    "cases": (1, "salon", "anna", "month", '[["location","x"]]', NOON, NOON + 9, NOON, "open"),
    "notices": (
        *(1, 1, "salon", "anna", "month", NOON, 6, 5, "policy", "nl"),
        *('["mailto:a@b.c"]', "subject", "body"),
    ),
}
NEW_TABLES = {"members", "events", "items", "breaches", "snapshots", "snapshot_members"}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Make a ledger as the first version did, with a row in each table."""
    path = tmp_path / "fairuse.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", "fairuse.stores:migrations")
        config.set_main_option("path_separator", "os")
        command.upgrade(config, "0001")
        for table, row in ROWS.items():
            connection.exec_driver_sql(
                f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})",  # noqa: S608
                row,
            )
    engine.dispose()
    return path


def schema_of(path: Path) -> tuple[str, set[str]]:
    """Give a ledger's version and its tables."""
    with closing(sqlite3.connect(path)) as connection:
        [[version]] = connection.execute("SELECT version_num FROM alembic_version")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return version, {name for [name] in tables} - {"alembic_version"}


async def test_a_ledger_of_the_first_version_keeps_its_rows(old: Path) -> None:
    """F-42, S15: an old ledger is brought to this version, and everything in it is there."""
    assert schema_of(old) == ("0001", set(ROWS))
    ledger = await Ledger.open(f"sqlite:///{old}")
    place = (("location", "x"),)
    key = TallyKey("anna", "month", "calendar month", place)
    assert await ledger.open_slots(NOON) == [SlotRow(key, 1_000, NOON + 9, 7, "requests", 0)]
    assert await ledger.usage("anna") == {UsageKey("anna", "x", "m", 3_600): 7}
    assert await ledger.blocks_since(NOON) == [
        Block("203.0.113.9", "anna", "burst", NOON, NOON + 900, 2)
    ]
    assert await ledger.cases("anna") == [
        CaseRow("salon", "anna", "month", place, NOON, NOON + 9, NOON, "open")
    ]
    assert await ledger.notices("anna") == [
        NoticeRow(
            *("salon", "anna", "month", NOON, 6, 5, "policy", "nl", ("mailto:a@b.c",)),
            *("subject", "body"),
        )
    ]
    assert await ledger.members(0) == []
    assert await ledger.items() == []
    assert await breaches_since(ledger, 0) == []
    assert await latest_snapshots(ledger) == {}
    await ledger.close()
    assert schema_of(old) == ("0002", set(ROWS) | NEW_TABLES)


async def test_an_old_ledger_becomes_what_a_new_one_is(old: Path) -> None:
    """F-42: a ledger that was migrated is exactly what the tables in the code say."""
    await (await Ledger.open(f"sqlite:///{old}")).close()
    engine = create_engine(f"sqlite:///{old}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_a_migration_that_fails_changes_nothing(old: Path) -> None:
    """F-42: a migration that fails halfway leaves the ledger as it was, to be tried again."""
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("CREATE TABLE snapshots (x)")
    with pytest.raises(LedgerError, match="table snapshots already exists"):
        await Ledger.open(f"sqlite:///{old}")
    assert schema_of(old) == ("0001", {*ROWS, "snapshots"})
    with closing(sqlite3.connect(old)) as connection:
        assert len(list(connection.execute("PRAGMA table_info(slots)"))) == 7
        connection.execute("DROP TABLE snapshots")
    ledger = await Ledger.open(f"sqlite:///{old}")
    assert await ledger.usage("anna") == {UsageKey("anna", "x", "m", 3_600): 7}
    await ledger.close()


async def test_what_was_told_is_remembered_for_a_year(tmp_path: Path) -> None:
    """P8: the ids of usage events are kept longer than anybody retries, and not for ever."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    event = EventRow("crm", "/calls", "1", NOON, NOON, adjusted=False)
    async with ledger.transaction() as connection:
        await connection.execute(metadata.tables["events"].insert(), event._asdict())
    for days, known in ((365, 1), (401, 0)):
        await ledger.prune(NOON + days * 86_400)
        assert len(await ledger.known_events([("crm", "/calls", "1")])) == known
    await ledger.close()
