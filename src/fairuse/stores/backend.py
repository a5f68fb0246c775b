"""What a ledger asks of the database it is in: SQLite and PostgreSQL promise the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Connection, Dialect, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

Access = Literal["alone", "shared", "beside"]
"""Alone: no gateway else. Shared: with others that share. Beside: only adds to what there is."""


class Backend(Protocol):
    """A database that is open, and the locks that go with the process, however it ends.

    One writes at a time, for a few seconds at most: who waits longer hears a LedgerError, which
    everything here raises where the database can't be used.
    """

    @property
    def name(self) -> str:
        """Give what people call it: the file, or the server and the database; no password."""
        ...

    @property
    def dialect(self) -> Dialect:
        """Give which SQL is spoken."""
        ...

    async def close(self) -> None:
        """Close the database, and let another process have it."""
        ...

    async def rows(self, query: Select[Any]) -> Sequence[Any]:
        """Give what a query finds."""
        ...

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Read everything as it is at one moment; nobody who writes is waited for, or kept out."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Do several things, or none of them."""
        ...

    async def at_once(self, work: Callable[[Connection], None]) -> None:
        """Do several things or none, as fast as this database does them.

        Raises InDoubt where the connection was lost while they were committed.
        """
        ...

    def one_at_a_time(self, what: str) -> AbstractAsyncContextManager[None]:
        """Wait for one's turn at what only one task of all processes may do at a time."""
        ...

    def try_alone(self, what: str) -> AbstractAsyncContextManager[bool]:
        """Have one's turn at once, or not at all: False where somebody else has it."""
        ...


def in_use(name: str, access: Access, *, shared: bool) -> str:
    """Say who has a ledger, and why that keeps others out; `shared`: those who share it do."""
    if access == "shared":
        others = "another process, which counts in memory and so needs the ledger alone"
    elif shared:
        others = "processes that count in Redis; one that counts in memory needs the ledger alone"
    else:
        others = "another process; the embedded store counts in one process only, so run one worker"
    return f"the ledger {name} is in use by {others}"
