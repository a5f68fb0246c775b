"""The connections to a PostgreSQL server, and what is said when there is none."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from fairuse.base.errors import LedgerError

try:
    import asyncpg
except ImportError:  # an extra, which only those need who have a ledger on several machines
    INSTALLED = False
else:
    INSTALLED = True

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.ext.asyncio import AsyncEngine

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 30.0
"""How long an answer may take before the connection is given up."""
CONNECTIONS = 10
"""How many connections a process has at most, besides those that hold locks."""
SETTINGS = {
    "application_name": "fairuse",
    "lock_timeout": "5s",
    # A machine that is gone holds its locks until the server notices: within half a minute.
    "idle_in_transaction_session_timeout": "30s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


Use = Literal["writing", "reading", "migrating", "locks"]
"""What connections are for: a migration may take as long as it does."""


class Server:
    """Where a database is, and how it is connected to."""

    def __init__(self, url: str) -> None:
        if not INSTALLED:
            raise LedgerError(
                'a ledger in PostgreSQL needs a package: pip install "fairuse[postgres]"'
            )
        parts = urlsplit(url)
        # Without who logs in, nor the options: either may hold a password.
        self.name = f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._url = url

    def engine(self, use: Use = "writing") -> AsyncEngine:
        """Give an engine; who only tries locks needs as many connections as there are tries."""
        settings = SETTINGS | ({"default_transaction_read_only": "on"} if use == "reading" else {})
        seconds = None if use == "migrating" else COMMAND_SECONDS

        async def connect() -> Any:
            connecting = asyncio.ensure_future(self._connect(settings, seconds))
            try:
                return await asyncio.shield(connecting)
            except asyncio.CancelledError:
                # Half a connection can't be closed, and would be left behind.
                await asyncio.wait((connecting,))
                if not connecting.exception():
                    connecting.result().terminate()
                raise

        # The URL is asyncpg's to read: SQLAlchemy never has the password.
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=connect,
            pool_pre_ping=True,
            pool_size=CONNECTIONS // 2,
            max_overflow=-1 if use == "locks" else CONNECTIONS - CONNECTIONS // 2,
            isolation_level="AUTOCOMMIT" if use == "locks" else "READ COMMITTED",
        )
        event.listen(engine.sync_engine, "handle_error", _give_up_broken)
        return engine

    async def _connect(self, settings: dict[str, str], seconds: float | None) -> Any:
        connection = await asyncpg.connect(
            self._url, timeout=CONNECT_SECONDS, command_timeout=seconds, server_settings=settings
        )
        for kind in ("text", "varchar"):
            await connection.set_type_codec(
                kind, schema="pg_catalog", format="binary", encoder=_written, decoder=bytes.decode
            )
        return connection

    @contextmanager
    def errors(self, done: str = "used") -> Iterator[None]:
        """Turn whatever a connection says into a LedgerError."""
        try:
            yield
        except (
            SQLAlchemyError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            OSError,
        ) as error:
            raise LedgerError(
                f"the ledger {self.name} can't be {done}: {_reason(error)}"
            ) from error


def _give_up_broken(context: ExceptionContext) -> None:
    """Give up a connection over which no answer came: the next may come for what was asked then."""
    if isinstance(context.original_exception, OSError):
        context.is_disconnect = True


def _written(text: str) -> bytes:
    """Write a text as PostgreSQL takes it: it knows no NUL, and no half of a character.

    Names come from requests. One that can't be written would keep all that is written with it
    from the ledger, again and again.
    """
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")


def _reason(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return str(cause) or "it does not answer in time"
