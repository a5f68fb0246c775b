"""A SQLite database file, for processes on one machine.

Its locks are files beside it, which the system lets go of when a process ends, however it ends.
"""

from __future__ import annotations

import asyncio
import fcntl
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import quote

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fairuse.base.errors import LedgerError
from fairuse.stores.backend import in_use
from fairuse.stores.migrate import check_schema, migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sqlalchemy import Connection, Dialect, Engine, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.stores.backend import Access

BUSY_MILLISECONDS = 5_000
LOCK_SECONDS = 0.02


class SqliteFile:
    """A database file that is open."""

    def __init__(self, engine: AsyncEngine, path: Path, lock: IO[bytes] | None) -> None:
        self.path = path.absolute()
        self._engine = engine
        self._writer = _engine(path)
        self._lock = lock

    @classmethod
    async def open(cls, url: str, access: Access) -> Self:
        """Open a file; alone or shared, it is made or brought up to date first."""
        path = Path(make_url(url).database or "")
        if access == "beside" and not await asyncio.to_thread(path.exists):
            # To connect would make an empty file, which every other command then stumbles over.
            raise LedgerError(f"there is no ledger {path} yet; starting the gateway makes it")
        async with AsyncExitStack() as stack:
            # Not in a thread: a start that is cancelled then would leave the lock behind.
            lock = stack.enter_context(_lock(path, access))
            engine = create_async_engine(make_url(url).set(drivername="sqlite+aiosqlite"))
            event.listen(engine.sync_engine, "connect", _set_pragmas)
            stack.push_async_callback(engine.dispose)
            try:
                await _prepare(engine, path, access)
            except (SQLAlchemyError, LedgerError) as error:
                raise LedgerError(f"the ledger {path} can't be used: {_reason(error)}") from error
            stack.pop_all()
        return cls(engine, path, lock)

    @staticmethod
    def exists(url: str) -> bool:
        """Say whether there is a file already."""
        return _existing(make_url(url).database or "") is not None

    @classmethod
    async def look_into(cls, url: str) -> Self | None:
        """Open a file to read only; None where there is none yet."""
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

    @property
    def name(self) -> str:
        """Give the file's path."""
        return str(self.path)

    @property
    def dialect(self) -> Dialect:
        """Give which SQL is spoken."""
        return self._writer.dialect

    async def close(self) -> None:
        """Close the file, and let another process have it."""
        await self._engine.dispose()
        await asyncio.to_thread(self._writer.dispose)
        if self._lock is not None:
            self._lock.close()

    async def rows(self, query: Select[Any]) -> Sequence[Any]:
        """Give what a query finds."""
        async with self.transaction() as connection:
            rows: Sequence[Any] = (await connection.execute(query)).all()
            return rows

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Read everything as it is at one moment."""
        async with self.transaction() as connection:
            await connection.exec_driver_sql("BEGIN")  # the driver begins none to read
            yield connection

    async def at_once(self, work: Callable[[Connection], None]) -> None:
        """Do several things or none, in one go in a thread.

        A statement awaited by itself costs a change of threads each, which takes long when the
        loop is busy: the journal writes this way.
        """
        try:
            await asyncio.to_thread(self._at_once, work)
        except SQLAlchemyError as error:
            raise await self._given_up(error) from error

    def _at_once(self, work: Callable[[Connection], None]) -> None:
        with self._writer.begin() as connection:
            work(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Do several things, or none of them."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise await self._given_up(error) from error

    async def _given_up(self, error: SQLAlchemyError) -> LedgerError:
        """Give up all connections, and say what is wrong.

        One that was opened while the file could only be read, or has read a damaged page, never
        finds out that it was mended, and keeps the others from it.
        """
        await self._engine.dispose()
        await asyncio.to_thread(self._writer.dispose)
        return LedgerError(f"the ledger {self.path} can't be used: {_reason(error)}")

    @asynccontextmanager
    async def one_at_a_time(self, what: str) -> AsyncIterator[None]:
        """Wait for one's turn."""
        async with _turn(self.path, what):
            yield

    @asynccontextmanager
    async def try_alone(self, what: str) -> AsyncIterator[bool]:
        """Have one's turn at once, or not at all."""
        with _lock_file(self.path, what) as lock:
            yield _flock(lock, fcntl.LOCK_EX)


async def _prepare(engine: AsyncEngine, path: Path, access: Access) -> None:
    """Make the schema, or bring it up to date; beside others, only look whether it is."""
    if access == "beside":
        async with engine.begin() as connection:
            await connection.run_sync(check_schema, str(path))
    else:
        async with _turn(path, "migrate"), engine.begin() as connection:
            await connection.run_sync(migrate, str(path))


@asynccontextmanager
async def _turn(path: Path, what: str) -> AsyncIterator[None]:
    with _lock_file(path, what) as lock:
        # A thread that waits in flock() can't be called back, and would hold up the end.
        while not _flock(lock, fcntl.LOCK_EX):  # noqa: ASYNC110  nobody here sets an event
            await asyncio.sleep(LOCK_SECONDS)
        yield


def _engine(path: Path) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path.absolute())))
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _existing(name: str) -> Path | None:
    path = Path(name).absolute()
    return path if path.exists() else None


def _lock(path: Path, access: Access) -> IO[bytes]:
    """Keep a second gateway out where one counts in memory: that is exact in one process only.

    Who only adds a record, such as a snapshot, need not be alone.
    """
    how = {"alone": fcntl.LOCK_EX, "shared": fcntl.LOCK_SH, "beside": fcntl.LOCK_UN}[access]
    with ExitStack() as stack:
        lock = stack.enter_context(_lock_file(path))
        if not _flock(lock, how):
            shared = access == "alone" and _flock(lock, fcntl.LOCK_SH)
            raise LedgerError(in_use(str(path), access, shared=shared))
        stack.pop_all()
    return lock


def _lock_file(path: Path, what: str = "") -> IO[bytes]:
    name = ".".join(part for part in (path.name, what, "lock") if part)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.with_name(name).open("ab")
    except OSError as error:
        raise LedgerError(f"the ledger {path} can't be made: {error.strerror}") from error


def _flock(lock: IO[bytes], how: int) -> bool:
    """Take a lock at once; False where somebody else has it."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LedgerError(f"{lock.name} can't be locked: {error.strerror}") from error
    return True


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
