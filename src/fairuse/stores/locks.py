"""Locks in PostgreSQL: each is held by a connection, and ends with it, however that ends."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Self

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from fairuse.base.errors import LedgerError
from fairuse.base.log import logger
from fairuse.stores.backend import in_use

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from fairuse.stores.backend import Access
    from fairuse.stores.server import Server

TURN_SECONDS = 0.05
"""How often who waits asks whether it is their turn."""
SURE_SECONDS = 5.0
"""How long a lock is believed to be held without asking."""
LEDGER = "ledger"

# Each database has advisory locks of its own, and a ledger is one schema of it.
_KEY = "hashtextextended(concat_ws('.', 'fairuse', current_schema(), CAST(:what AS text)), 0)"
_ALONE = text(f"SELECT pg_try_advisory_lock({_KEY})")
_SHARED = text(f"SELECT pg_try_advisory_lock_shared({_KEY})")
_LET_GO = text("SELECT pg_advisory_unlock_all()")
_ANYTHING = text("SELECT 1")

log = logger(__name__)


class Locks:
    """The locks that one connection has."""

    def __init__(self, server: Server, connection: AsyncConnection) -> None:
        self._server = server
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def of(cls, server: Server, engine: AsyncEngine) -> AsyncIterator[Self]:
        """Connect, and let go of all locks at the end. Raises LedgerError."""
        with server.errors():
            connection = await engine.connect()
        try:
            yield cls(server, connection)
        finally:
            await _given_back(connection)

    async def take(self, what: str, *, shared: bool = False) -> bool:
        """Take a lock at once; False where somebody else has it. Raises LedgerError."""
        asked = asyncio.ensure_future(self._ask(what, shared=shared))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            # Its connection can only be told to let go once it has answered.
            await asyncio.wait((asked,))
            raise

    async def _ask(self, what: str, *, shared: bool) -> bool:
        with self._server.errors():
            query = _SHARED if shared else _ALONE
            return bool(await self._connection.scalar(query, {"what": what}))

    async def lost(self, *, ask: bool) -> bool:
        """Say whether the connection is gone, and all its locks with it."""
        if self._connection.closed or self._connection.invalidated:
            return True
        driver = (await self._connection.get_raw_connection()).driver_connection
        if driver is None or driver.is_closed():
            return True
        if ask:
            try:
                with self._server.errors():
                    await self._connection.execute(_ANYTHING)
            except LedgerError:
                return True
        return False


async def _given_back(connection: AsyncConnection) -> None:
    try:
        await connection.execute(_LET_GO)
    except (SQLAlchemyError, OSError):
        await connection.invalidate()
    finally:
        await connection.close()


@asynccontextmanager
async def taken(server: Server, engine: AsyncEngine, what: str) -> AsyncIterator[bool]:
    """Have one's turn at once, or not at all: False where somebody else has it."""
    async with Locks.of(server, engine) as locks:
        yield await locks.take(what)


@asynccontextmanager
async def turn(server: Server, engine: AsyncEngine, what: str) -> AsyncIterator[None]:
    """Wait for one's turn."""
    async with Locks.of(server, engine) as locks:
        while not await locks.take(what):  # noqa: ASYNC110  nobody here sets an event
            await asyncio.sleep(TURN_SECONDS)
        yield


class Hold:
    """A ledger that a process has, alone or with others that share it."""

    def __init__(self, server: Server, access: Access) -> None:
        self._server = server
        self._engine = server.engine("locks")
        self._access = access
        self._locks: Locks | None = None
        self._stack = AsyncExitStack()
        self._sure_until = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def take(self) -> None:
        """Take the ledger. Raises LedgerError where somebody else has it."""
        async with AsyncExitStack() as stack:
            locks = await stack.enter_async_context(Locks.of(self._server, self._engine))
            if not await locks.take(LEDGER, shared=self._access == "shared"):
                shared = self._access == "alone" and await locks.take(LEDGER, shared=True)
                raise LedgerError(in_use(self._server.name, self._access, shared=shared))
            self._locks, self._stack = locks, stack.pop_all()

    async def make_sure(self) -> None:
        """Make sure that the ledger is held still, or take it again: who lost it writes nothing.

        Raises LedgerError where somebody else has it now, or nobody can say.
        """
        async with self._one_at_a_time:
            now = asyncio.get_running_loop().time()
            ask = now >= self._sure_until
            if self._locks is None or await self._locks.lost(ask=ask):
                await self._let_go()
                await self.take()
                log.warning("ledger.taken_again", ledger=self._server.name)
            if ask:
                self._sure_until = now + SURE_SECONDS

    def doubt(self) -> None:
        """Have it asked for the next time: a connection was lost, and so may this one be."""
        self._sure_until = 0.0

    async def release(self) -> None:
        """Let the ledger go."""
        await self._let_go()
        await self._engine.dispose()

    async def _let_go(self) -> None:
        self._locks = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()
