"""A ledger in PostgreSQL, for processes on any machines.

Whoever writes waits for whoever writes already, as with a SQLite file: so no two transactions can
each hold what the other needs, and what one has looked at stays so until it has written.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import text

from fairuse.base.errors import InDoubt, LedgerError
from fairuse.stores.locks import Hold, taken, turn
from fairuse.stores.migrate import check_schema, migrate, schema_of
from fairuse.stores.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sqlalchemy import Connection, Dialect, Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from fairuse.stores.backend import Access

_WRITER = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('fairuse.writer.' || current_schema(), 0)),"
    " pg_current_xact_id()::text"
)
_OUTCOME = text(
    "SELECT CASE WHEN number >= pg_snapshot_xmax(pg_current_snapshot())"
    " THEN 'aborted' ELSE pg_xact_status(number) END"
    " FROM (SELECT CAST(CAST(:number AS text) AS xid8) AS number) AS asked"
)
"""What became of a transaction. A number this server has not given yet is of one that failed."""


class Postgres:
    """A database that is open, with the connections to it."""

    def __init__(self, server: Server, engine: AsyncEngine, hold: Hold | None = None) -> None:
        self._server = server
        self._engine = engine
        self._snapshots = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._locks = server.engine("locks")
        self._hold = hold

    @classmethod
    async def open(cls, url: str, access: Access) -> Self:
        """Open a database; alone or shared, it is made or brought up to date first."""
        server = Server(url)
        hold = None if access == "beside" else Hold(server, access)
        async with AsyncExitStack() as stack:
            if hold is not None:
                stack.push_async_callback(hold.release)
                await hold.take()
            await _prepare(server, access)
            stack.pop_all()
        return cls(server, server.engine(), hold)

    @staticmethod
    def exists(_url: str) -> bool:
        """Say yes: whether there is one on a server, opening it says."""
        return True

    @classmethod
    async def look_into(cls, url: str) -> Self | None:
        """Open a database to read only; None where there is no ledger in it yet."""
        server = Server(url)
        engine = server.engine("reading")
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            with server.errors("read"):
                async with engine.connect() as connection:
                    if await connection.run_sync(schema_of) is None:
                        return None
                    await connection.run_sync(check_schema, server.name)
            stack.pop_all()
        return cls(server, engine)

    @property
    def name(self) -> str:
        """Give the server and the database, without who logs in."""
        return self._server.name

    @property
    def dialect(self) -> Dialect:
        """Give which SQL is spoken."""
        return self._engine.dialect

    async def close(self) -> None:
        """Close all connections, and let another process have the database."""
        await self._engine.dispose()
        await self._locks.dispose()
        if self._hold is not None:
            await self._hold.release()

    async def rows(self, query: Select[Any]) -> Sequence[Any]:
        """Give what a query finds; nobody who writes is waited for."""
        with self._server.errors():
            async with self._reader.connect() as connection:
                rows: Sequence[Any] = (await connection.execute(query)).all()
                return rows

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Read everything as it is at one moment; nobody who writes is kept waiting."""
        with self._server.errors():
            async with self._snapshots.begin() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Do several things, or none of them."""
        async with self._writing() as (connection, _):
            yield connection

    async def at_once(self, work: Callable[[Connection], None]) -> None:
        """Do several things or none, each statement with all its rows in one go."""
        number = ""
        try:
            async with self._writing() as (connection, begun):
                await connection.run_sync(work)
                number = begun
        except LedgerError as error:
            if not number:
                raise
            raise InDoubt(str(error), partial(self._committed, number)) from error

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[tuple[AsyncConnection, str]]:
        """Begin a transaction that writes, once nobody else does; gives its number with it."""
        if self._hold is not None:
            await self._hold.make_sure()
        try:
            with self._server.errors():
                async with self._engine.begin() as connection:
                    begun = (await connection.execute(_WRITER)).one()
                    yield connection, str(begun[1])
        except LedgerError:
            if self._hold is not None:
                self._hold.doubt()
            raise

    async def _committed(self, number: str) -> bool:
        """Find out what became of a transaction. Raises LedgerError while nobody can tell."""
        with self._server.errors():
            async with self._reader.connect() as connection:
                outcome = await connection.scalar(_OUTCOME, {"number": number})
        if outcome == "in progress":
            raise LedgerError(f"the ledger {self.name} can't be used: it is being written to still")
        return bool(outcome == "committed")

    @asynccontextmanager
    async def one_at_a_time(self, what: str) -> AsyncIterator[None]:
        """Wait for one's turn."""
        async with turn(self._server, self._locks, what):
            yield

    @asynccontextmanager
    async def try_alone(self, what: str) -> AsyncIterator[bool]:
        """Have one's turn at once, or not at all."""
        async with taken(self._server, self._locks, what) as mine:
            yield mine


async def _prepare(server: Server, access: Access) -> None:
    """Make the schema, or bring it up to date; beside others, only look whether it is."""
    async with AsyncExitStack() as stack:
        engine = server.engine("migrating")
        stack.push_async_callback(engine.dispose)
        if access != "beside":
            locks = server.engine("locks")
            stack.push_async_callback(locks.dispose)
            await stack.enter_async_context(turn(server, locks, "migrate"))
        with server.errors():
            async with engine.begin() as connection:
                work = check_schema if access == "beside" else migrate
                await connection.run_sync(work, server.name)
