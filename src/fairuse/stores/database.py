"""A SQLite database file: opened alone, beside its gateway, or to look into it only."""

from __future__ import annotations

import asyncio
import fcntl
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import quote

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fairuse.base.errors import LedgerError
from fairuse.stores.migrate import check_schema, migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

BUSY_MILLISECONDS = 5_000


class Database:
    """One database file, with its transactions."""

    def __init__(self, engine: AsyncEngine, path: Path, lock: IO[bytes] | None) -> None:
        self.path = path.absolute()
        self._engine = engine
        self._lock = lock

    @classmethod
    async def open(cls, url: str, *, alone: bool = True) -> Self:
        """Open the database; alone, it keeps others out and is made or brought up to date first.

        Raises LedgerError where it can't be opened, is in use, or is from a newer version.
        """
        path = make_url(url).database or ""
        lock = await asyncio.to_thread(_lock, Path(path), alone=alone)
        engine = create_async_engine(make_url(url).set(drivername="sqlite+aiosqlite"))
        event.listen(engine.sync_engine, "connect", _set_pragmas)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(migrate if alone else check_schema, path)
        except (SQLAlchemyError, LedgerError) as error:
            await engine.dispose()
            if lock is not None:
                lock.close()
            raise LedgerError(f"the ledger {path} can't be used: {_reason(error)}") from error
        return cls(engine, Path(path), lock)

    @staticmethod
    def exists(url: str) -> bool:
        """Say whether there is a database already."""
        return _existing(make_url(url).database or "") is not None

    @classmethod
    async def look_into(cls, url: str) -> Self | None:
        """Open a database to read only, whoever uses it; None where there is none yet.

        Raises LedgerError where it can't be opened, or is not of this version.
        """
        path = await asyncio.to_thread(_existing, make_url(url).database or "")
        if path is None:
            return None
        name = f"file:{quote(str(path))}"
        options = {"mode": "ro", "uri": "true"}
        engine = create_async_engine(URL.create("sqlite+aiosqlite", database=name, query=options))
        try:
            async with engine.connect() as connection:
                await connection.run_sync(check_schema, str(path))
        except (SQLAlchemyError, LedgerError) as error:
            await engine.dispose()
            raise LedgerError(f"the ledger {path} can't be read: {_reason(error)}") from error
        return cls(engine, path, None)

    async def close(self) -> None:
        """Close the database, and let another process have it."""
        await self._engine.dispose()
        if self._lock is not None:
            self._lock.close()

    async def rows(self, query: Select[Any]) -> Sequence[Any]:
        """Give what a query finds. Raises LedgerError."""
        async with self.transaction() as connection:
            rows: Sequence[Any] = (await connection.execute(query)).all()
            return rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Do several things, or none of them. Raises LedgerError."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise LedgerError(_reason(error)) from error


def _existing(name: str) -> Path | None:
    path = Path(name).absolute()
    return path if path.exists() else None


def _lock(path: Path, *, alone: bool) -> IO[bytes]:
    """Keep a second gateway out: counters in memory are exact in one process only.

    Who only adds a record, such as a snapshot, need not be alone.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("ab")
    except OSError as error:
        raise LedgerError(f"the ledger {path} can't be made: {error.strerror}") from error
    if not alone:
        return lock
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
