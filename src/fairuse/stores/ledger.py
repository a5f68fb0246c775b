"""The ledger: usage, open windows, cases, notices and blocks, in SQLite.

Only the journal and the background stages call it; a request never waits for it. Every write is
one transaction. A database that can't be opened, or was written by a newer version, is an error
that leaves the file as it is (F-41, F-42).
"""

from __future__ import annotations

import asyncio
import fcntl
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sqlalchemy import delete, event, insert, make_url, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fairuse.base.errors import LedgerError
from fairuse.rules.blocks import Block
from fairuse.rules.tally import TallyKey
from fairuse.stores import schema
from fairuse.stores.migrate import migrate
from fairuse.stores.rows import (
    Batch,
    CaseRow,
    NoticeRow,
    SlotRow,
    UsageKey,
    block_values,
    notice_values,
    parse_scope,
    scope_text,
    slot_values,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

BUSY_MILLISECONDS = 5_000


class Ledger:
    """One database, one process."""

    def __init__(self, engine: AsyncEngine, path: Path, lock: IO[bytes]) -> None:
        self.path = path.absolute()
        self._engine = engine
        self._lock = lock

    @classmethod
    async def open(cls, url: str) -> Ledger:
        """Open the database, made or brought up to date first.

        Raises LedgerError where it can't be opened, is in use, or is from a newer version.
        """
        path = make_url(url).database or ""
        lock = await asyncio.to_thread(_lock, Path(path))
        engine = create_async_engine(make_url(url).set(drivername="sqlite+aiosqlite"))
        event.listen(engine.sync_engine, "connect", _set_pragmas)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(migrate, path)
        except (SQLAlchemyError, LedgerError) as error:
            await engine.dispose()
            lock.close()
            raise LedgerError(f"the ledger {path} can't be used: {_reason(error)}") from error
        return cls(engine, Path(path), lock)

    async def close(self) -> None:
        """Close the database, and let another process have it."""
        await self._engine.dispose()
        self._lock.close()

    async def write(self, batch: Batch) -> None:
        """Write a batch of the journal, whole or not at all. Raises LedgerError."""
        async with self._transaction() as connection:
            if batch.slots:
                await connection.execute(_PUT_SLOT, [slot_values(row) for row in batch.slots])
            if batch.usage:
                values = [{**key._asdict(), "units": units} for key, units in batch.usage]
                await connection.execute(_ADD_USAGE, values)
            if batch.blocks:
                values = [block_values(block) for block in batch.blocks]
                await connection.execute(insert(schema.blocks), values)

    async def open_case(self, case: CaseRow, notice: NoticeRow) -> bool:
        """Open a case and write its notice, both or neither; False where the case exists (P8)."""
        values = {**case._asdict(), "scope": scope_text(case.scope)}
        open_once = upsert(schema.cases).values(values).on_conflict_do_nothing()
        async with self._transaction() as connection:
            case_id = await connection.scalar(open_once.returning(schema.cases.c.id))
            if case_id is None:
                return False
            await connection.execute(insert(schema.notices), notice_values(notice, case_id))
        return True

    async def write_notice(self, notice: NoticeRow) -> None:
        """Write a notice that belongs to no case. Raises LedgerError."""
        async with self._transaction() as connection:
            await connection.execute(insert(schema.notices), notice_values(notice, None))

    async def open_slots(self, moment: float) -> list[SlotRow]:
        """Give the slots that have not ended, oldest first."""
        table = schema.slots
        query = select(table).where(table.c.ends_at > moment).order_by(table.c.slot)
        return [
            SlotRow(
                TallyKey(row.account, row.limit_name, row.window_text, parse_scope(row.scope)),
                row.slot,
                row.ends_at,
                row.units,
            )
            for row in await self._rows(query)
        ]

    async def blocks_since(self, moment: float) -> list[Block]:
        """Give the blocks that ended after a moment or run still, oldest first."""
        table = schema.blocks
        query = select(table).where(table.c.ends_at > moment).order_by(table.c.id)
        return [
            Block(row.address, row.account, row.rule, row.starts_at, row.ends_at, row.repetition)
            for row in await self._rows(query)
        ]

    async def cases(self, account: str) -> list[CaseRow]:
        """Give the cases of an account, oldest first."""
        table = schema.cases
        query = select(table).where(table.c.account == account).order_by(table.c.id)
        return [
            CaseRow(
                row.tenant,
                row.account,
                row.rule,
                parse_scope(row.scope),
                row.starts_at,
                row.ends_at,
                row.opened_at,
                row.state,
            )
            for row in await self._rows(query)
        ]

    async def notices(self, account: str, at_most: int = 50) -> list[NoticeRow]:
        """Give the latest notices of an account, newest first."""
        table = schema.notices
        query = (
            select(table)
            .where(table.c.account == account)
            .order_by(table.c.id.desc())
            .limit(at_most)
        )
        return [
            NoticeRow(
                row.tenant,
                row.account,
                row.rule,
                row.written_at,
                row.reading,
                row.amount,
                row.source,
                row.language,
                tuple(json.loads(row.contact)),
                row.subject,
                row.body,
            )
            for row in await self._rows(query)
        ]

    async def usage(self, account: str) -> dict[UsageKey, int]:
        """Give the usage of an account, by location, meter and hour."""
        table = schema.usage
        rows = await self._rows(select(table).where(table.c.account == account))
        return {UsageKey(row.account, row.location, row.meter, row.hour): row.units for row in rows}

    async def prune(self, moment: float) -> None:
        """Drop the slots that ended before a moment; usage, cases, notices and blocks stay."""
        async with self._transaction() as connection:
            await connection.execute(delete(schema.slots).where(schema.slots.c.ends_at < moment))

    async def _rows(self, query: Select[Any]) -> Sequence[Any]:
        async with self._transaction() as connection:
            rows: Sequence[Any] = (await connection.execute(query)).all()
            return rows

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise LedgerError(_reason(error)) from error


_slot_insert = upsert(schema.slots)
_PUT_SLOT = _slot_insert.on_conflict_do_update(
    set_={"units": _slot_insert.excluded.units, "ends_at": _slot_insert.excluded.ends_at}
)
_usage_insert = upsert(schema.usage)
_ADD_USAGE = _usage_insert.on_conflict_do_update(
    set_={"units": schema.usage.c.units + _usage_insert.excluded.units}
)


def _lock(path: Path) -> IO[bytes]:
    """Keep a second process out: counters in memory are exact in one process only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("ab")
    except OSError as error:
        raise LedgerError(f"the ledger {path} can't be made: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise LedgerError(
            f"the ledger {path} is in use by another process;"
            " the embedded store counts in one process only, so run one worker"
        ) from None
    return lock


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={BUSY_MILLISECONDS}",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)
