"""Migrations: a ledger of an earlier version is brought up to date, whole or not at all (F-42)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from tests.support import NOON

from fairuse.base.errors import LedgerError
from fairuse.rules.blocks import Block
from fairuse.rules.ladder import Case
from fairuse.rules.tally import TallyKey
from fairuse.stores.history import breaches_since, latest_snapshots
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import EventRow, ItemRow, NoticeRow, SlotRow, UsageKey
from fairuse.stores.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from tests.ledgers import Place

pytestmark = pytest.mark.anyio

PLACE = '[["location","x"]]'
Rows = dict[str, dict[str, Any]]
FIRST: Rows = {
    "slots": {
        "account": "anna",
        "limit_name": "month",
        "window_text": "calendar month",
        "scope": PLACE,
        "slot": 1_000,
        "ends_at": NOON + 9,
        "units": 7,
    },
    "usage": {"account": "anna", "location": "x", "meter": "m", "hour": 3_600, "units": 7},
    "blocks": {
        "id": 1,
        "address": "203.0.113.9",
        "account": "anna",
        "rule": "burst",
        "starts_at": NOON,
        "ends_at": NOON + 900,
        "repetition": 2,
    },
    "cases": {
        "id": 1,
        "tenant": "salon",
        "account": "anna",
        "rule": "month",
        "scope": PLACE,
        "starts_at": NOON,
        "ends_at": NOON + 9,
        "opened_at": NOON,
        "state": "open",
    },
    "notices": {
        "id": 1,
        "case_id": 1,
        "tenant": "salon",
        "account": "anna",
        "rule": "month",
        "written_at": NOON,
        "reading": 6,
        "amount": 5,
        "source": "policy",
        "language": "nl",
        "contact": '["mailto:a@b.c"]',
        "subject": "subject",
        "body": "body",
    },
}
SECOND: Rows = {
    "items": {
        "account": "anna",
        "meter": "drafts",
        "item": "plan",
        "units": 1,
        "opened_at": NOON,
        "warned": True,
    },
    "events": {
        "sender": "crm",
        "source": "/calls",
        "id": "1",
        "told_at": NOON,
        "happened_at": NOON,
        "adjusted": False,
    },
}
VERSIONS = {"0001": FIRST, "0002": FIRST | SECOND, "0003": FIRST | SECOND}


@pytest.fixture(params=VERSIONS)
async def old(request: pytest.FixtureRequest, place: Place) -> Place:
    """Make a ledger as an earlier version did, with rows in it."""
    async with place.connection() as connection:
        await connection.run_sync(make, request.param, VERSIONS[request.param])
    return place


def make(connection: Connection, version: str, rows: Rows) -> None:
    """Make the tables of a version, and put rows in them."""
    command.upgrade(config(connection), version)
    for table, row in rows.items():
        columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        insertion = f"INSERT INTO {table} ({columns}) VALUES ({values})"  # noqa: S608
        connection.execute(text(insertion), row)


def config(connection: Connection | None = None) -> Config:
    """Say where the migrations are."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "fairuse.stores:migrations")
    config.set_main_option("path_separator", "os")
    return config


def tables(connection: Connection) -> set[str]:
    """Give the names of a ledger's tables."""
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def differences(connection: Connection) -> list[Any]:
    """Compare a ledger with the tables in the code."""
    found: list[Any] = compare_metadata(MigrationContext.configure(connection), metadata)
    return found


async def schema_of(place: Place) -> tuple[str, set[str]]:
    """Give a ledger's version and its tables."""
    [[version]] = await place.sql("SELECT version_num FROM alembic_version")
    async with place.connection() as connection:
        return version, await connection.run_sync(tables)


async def test_an_old_ledger_keeps_its_rows(old: Place) -> None:
    """F-42, S15: an old ledger is brought to this version, and everything in it is there."""
    version, _ = await schema_of(old)
    ledger = await Ledger.open(old.url)
    place = (("location", "x"),)
    key = TallyKey("anna", "month", "calendar month", place)
    assert await ledger.open_slots(NOON) == [SlotRow(key, 1_000, NOON + 9, 7, "requests", 0)]
    assert await ledger.usage("anna") == {UsageKey("anna", "x", "m", 3_600): 7}
    assert await ledger.blocks_since(NOON) == [
        Block("203.0.113.9", "anna", "burst", NOON, NOON + 900, 2)
    ]
    assert await ledger.cases("anna") == [
        Case(1, "salon", "anna", "month", place, NOON, NOON + 9, NOON, "open")
    ]
    assert await ledger.notices("anna") == [
        NoticeRow(
            *("salon", "anna", "month", NOON, 6, 5, "policy", "nl", ("mailto:a@b.c",)),
            *("subject", "body"),
        )
    ]
    since_the_second = version != "0001"
    event = ("crm", "/calls", "1")
    item = ItemRow("anna", "drafts", "plan", 1, NOON, warned=True)
    assert await ledger.known_events([event]) == ({event} if since_the_second else set())
    assert await ledger.items() == ([item] if since_the_second else [])
    assert await ledger.members(0) == []
    assert await breaches_since(ledger, 0) == []
    assert await latest_snapshots(ledger) == {}
    await ledger.close()
    head = ScriptDirectory.from_config(config()).get_current_head()
    assert await schema_of(old) == (head, set(metadata.tables))


async def test_an_old_ledger_becomes_what_a_new_one_is(old: Place) -> None:
    """F-42: a ledger that was migrated is exactly what the tables in the code say."""
    async with old.connection() as connection:
        assert await connection.run_sync(differences) != []
    await (await Ledger.open(old.url)).close()
    async with old.connection() as connection:
        assert await connection.run_sync(differences) == []


async def test_an_old_ledger_is_not_read_before_it_is_brought_up_to_date(old: Place) -> None:
    """F-42: who only reads or adds is told what to do, and changes nothing."""
    before = await schema_of(old)
    for work in (Ledger.look_into(old.url), Ledger.open(old.url, access="beside")):
        with pytest.raises(LedgerError, match="start the gateway once to bring it up to date"):
            await work
    assert await schema_of(old) == before


async def test_a_migration_that_fails_changes_nothing(old: Place) -> None:
    """F-42: a migration that fails halfway leaves the ledger as it was, to be tried again."""
    before = await schema_of(old)
    await old.sql("CREATE TABLE evidence (x INTEGER)")
    with pytest.raises(LedgerError, match=r'(table|relation) "?evidence"? already exists'):
        await Ledger.open(old.url)
    assert await schema_of(old) == (before[0], before[1] | {"evidence"})
    await old.sql("DROP TABLE evidence")
    ledger = await Ledger.open(old.url)
    assert await ledger.usage("anna") == {UsageKey("anna", "x", "m", 3_600): 7}
    await ledger.close()


async def test_what_was_told_is_remembered_for_a_year(ledger: Ledger) -> None:
    """P8: the ids of usage events are kept longer than anybody retries, and not for ever."""
    event = EventRow("crm", "/calls", "1", NOON, NOON, adjusted=False)
    async with ledger.transaction() as connection:
        await connection.execute(metadata.tables["events"].insert(), event._asdict())
    for days, known in ((365, 1), (401, 0)):
        await ledger.prune(NOON + days * 86_400)
        assert len(await ledger.known_events([("crm", "/calls", "1")])) == known
