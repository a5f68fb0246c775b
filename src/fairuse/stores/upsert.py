"""Inserting what may be there already, in the SQL of either database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Table

    Insert = postgresql.Insert | sqlite.Insert


def upsert(dialect: Dialect, table: Table) -> Insert:
    """Give an insertion that can say what to do about a row that is there."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
