"""Changing a ledger behind its back, as somebody would who has something to hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from fairuse.stores import schema
from fairuse.stores.record import chained
from fairuse.stores.verify import CHAIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fairuse.stores.verify import Verified

ENTRIES = 20
"""How many entries a whole process leaves."""


def way_into(folder: Path) -> sa.Engine:
    """Give another way into the ledger of a folder."""
    return sa.create_engine(f"sqlite:///{folder}/fairuse.db", poolclass=sa.NullPool)


def change(engine: sa.Engine, statement: str, *values: object) -> None:
    """Change the ledger behind its back, with one statement that changes something."""
    with engine.begin() as connection:
        assert connection.exec_driver_sql(statement, values).rowcount


def row(engine: sa.Engine, number: int) -> dict[str, Any]:
    """Read a row of the record."""
    query = sa.select(schema.record).where(schema.record.c.number == number)
    with engine.begin() as connection:
        return dict(connection.execute(query).one()._mapping)


def number_of(engine: sa.Engine, kind: str) -> int:
    """Find the first entry of a kind."""
    query = sa.select(sa.func.min(schema.record.c.number)).where(schema.record.c.kind == kind)
    with engine.begin() as connection:
        return int(connection.execute(query).scalar_one())


def kinds(verified: Verified) -> set[str]:
    """Give what is wrong, by its kind."""
    return {violation.of for violation in verified.violations}


def where(verified: Verified) -> list[int | None]:
    """Give which entries the chain is broken at."""
    return [violation.entry for violation in verified.violations if violation.of == CHAIN]


def rewritten(engine: sa.Engine, first: int, alter: Callable[[dict[str, Any]], None]) -> str:
    """Change an entry and compute all hashes after it again, as who knows how would; give the last.

    The head stays as it is.
    """
    table = schema.record
    rows = [row(engine, number) for number in range(1, ENTRIES + 1)]
    alter(rows[first - 1])
    previous = rows[first - 2]["hash"] if first > 1 else ""
    with engine.begin() as connection:
        for each in rows[first - 1 :]:
            previous = each["hash"] = chained(previous, each)
            update = sa.update(table).where(table.c.number == each["number"])
            connection.execute(update.values(each))
    return str(previous)
