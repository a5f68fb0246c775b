"""A ledger's database: a SQLite file, or PostgreSQL; opened alone, with others, or beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from fairuse.stores.postgres import Postgres
from fairuse.stores.sqlite import SqliteFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Connection, Dialect, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.stores.backend import Access, Backend


class Database:
    """One database, with its transactions. Whatever can't be done is a LedgerError."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @classmethod
    async def open(cls, url: str, *, access: Access = "alone") -> Self:
        """Open the database; alone or shared, it is made or brought up to date first.

        Who counts in memory opens it alone, and who counts in Redis shares it: neither gets in
        where the other is. Of several that start at once, one brings it up to date.

        Raises LedgerError where it can't be opened, is in use, or is from a newer version.
        """
        return cls(await _kind(url).open(url, access))

    @staticmethod
    def exists(url: str) -> bool:
        """Say whether there is a database already; of PostgreSQL only opening it can tell."""
        return _kind(url).exists(url)

    @classmethod
    async def look_into(cls, url: str) -> Self | None:
        """Open a database to read only, whoever uses it; None where there is none yet.

        Raises LedgerError where it can't be opened, or is not of this version.
        """
        backend = await _kind(url).look_into(url)
        return cls(backend) if backend is not None else None

    @property
    def name(self) -> str:
        """Give what people call it: the file, or the server and the database; no password."""
        return self._backend.name

    @property
    def dialect(self) -> Dialect:
        """Give which SQL is spoken."""
        return self._backend.dialect

    async def close(self) -> None:
        """Close the database, and let another process have it."""
        await self._backend.close()

    async def rows(self, query: Select[Any]) -> Sequence[Any]:
        """Give what a query finds. Raises LedgerError."""
        return await self._backend.rows(query)

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Read everything as it is at one moment, whoever writes meanwhile. Raises LedgerError."""
        return self._backend.reading()

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Do several things, or none of them; one transaction writes at a time.

        Raises LedgerError.
        """
        return self._backend.transaction()

    async def at_once(self, work: Callable[[Connection], None]) -> None:
        """Do several things or none, as the journal does: as fast as can be.

        Raises LedgerError; InDoubt where the connection was lost while they were committed.
        """
        await self._backend.at_once(work)

    def one_at_a_time(self, what: str) -> AbstractAsyncContextManager[None]:
        """Wait for one's turn at what only one task of all processes may do at a time.

        The turn ends with the block, or with the process. Raises LedgerError.
        """
        return self._backend.one_at_a_time(what)

    def try_alone(self, what: str) -> AbstractAsyncContextManager[bool]:
        """Have one's turn at once, or not at all: False where somebody else has it.

        Raises LedgerError.
        """
        return self._backend.try_alone(what)


def _kind(url: str) -> type[Postgres | SqliteFile]:
    return Postgres if url.startswith("postgresql:") else SqliteFile
