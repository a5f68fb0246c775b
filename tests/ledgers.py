"""Places for ledgers: a SQLite file, or a database of each test process's own in PostgreSQL.

The server is one that runs already: FAIRUSE_TEST_POSTGRES, or the one on port 5432. What is in it
is left alone: databases are made, and dropped again.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection

SERVER = os.environ.get("FAIRUSE_TEST_POSTGRES", "postgresql://postgres@localhost:5432/postgres")
SERVER_NAME = make_url(SERVER).render_as_string(hide_password=True)
AWAY = (
    f"no postgresql lets us in at {SERVER_NAME}: apt-get install postgresql; service postgresql"
    " start; then trust 127.0.0.1 in pg_hba.conf, or set PGPASSWORD"
)

POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)
BOTH = ["sqlite", POSTGRES]
"""What a test of ledgers is parametrised with."""


class Place:
    """Where a ledger is to be, and a way around it: SQL by somebody else, beside whoever has it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.kind = make_url(url).get_backend_name()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Connect, and commit at the end."""
        driver = {"sqlite": "aiosqlite", "postgresql": "asyncpg"}[self.kind]
        url = make_url(self.url).set(drivername=f"{self.kind}+{driver}")
        engine = create_async_engine(url, poolclass=NullPool)
        try:
            async with engine.begin() as connection:
                yield connection
        finally:
            await engine.dispose()

    async def sql(self, *statements: str) -> list[Any]:
        """Run statements in one transaction, and give the rows of the last."""
        rows: list[Any] = []
        async with self.connection() as connection:
            for statement in statements:
                result = await connection.exec_driver_sql(statement)
                rows = [tuple(row) for row in result] if result.returns_rows else []
        return rows


class PostgresPlace(Place):
    """A database of one's own on the server; each test finds nothing in it."""

    def __init__(self) -> None:
        self.database = f"fairuse_test_{secrets.token_hex(6)}"
        parts = urlsplit(SERVER)
        self.host, self.port = parts.hostname or "localhost", parts.port or 5_432
        super().__init__(parts._replace(path=f"/{self.database}").geturl())

    async def make(self) -> None:
        """Make the database. Raises OSError or PostgresError where there is no server."""
        await _ask(SERVER, f"CREATE DATABASE {self.database} TEMPLATE template0 ENCODING 'UTF8'")

    async def drop(self) -> None:
        """Drop the database, whoever is still in it."""
        await _ask(SERVER, f"DROP DATABASE {self.database} WITH (FORCE)")

    async def empty(self) -> None:
        """Leave nothing of what an earlier test did."""
        await self.disconnect_all()
        await _ask(self.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    async def disconnect_all(self) -> None:
        """End every connection to the database, as a server that goes away does."""
        others = "SELECT pid FROM pg_stat_activity WHERE datname = $1"
        ended = f"SELECT pg_terminate_backend(pid, 10000) FROM ({others}) AS others"  # noqa: S608
        await _ask(SERVER, ended, self.database)

    def behind(self, port: int) -> str:
        """Give the URL of the database behind a proxy on a port."""
        url = make_url(self.url).set(host="127.0.0.1", port=port)
        return url.render_as_string(hide_password=False)


async def _ask(url: str, command: str, *values: object) -> None:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        await connection.execute(command, *values)
    finally:
        await connection.close()


@contextmanager
def postgres_database() -> Iterator[PostgresPlace]:
    """Make a database, for as long as the block runs; where there is no server, skip the test."""
    place = PostgresPlace()
    try:
        asyncio.run(place.make())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        pytest.skip(f"{AWAY}: {error}")
    try:
        yield place
    finally:
        asyncio.run(place.drop())
