"""The statements that write a batch of the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import UniqueConstraint, and_, case, func, insert, or_, update
from sqlalchemy.dialects.sqlite import insert as upsert

from fairuse.rules.tally import MOST
from fairuse.stores import schema
from fairuse.stores.rows import (
    ItemAged,
    ItemRow,
    block_values,
    breach_values,
    member_values,
    slot_values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Insert, Table, Update

    from fairuse.stores.rows import Batch, ItemChange, ItemClosed


def _replacing(table: Table, *columns: str) -> Insert:
    """Insert rows, or replace some columns of those that are there."""
    statement = upsert(table)
    return statement.on_conflict_do_update(
        index_elements=_identity(table),
        set_={name: statement.excluded[name] for name in columns},
    )


def _identity(table: Table) -> list[str]:
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            return [column.name for column in constraint.columns]
    return [column.name for column in table.primary_key]


_usage_insert = upsert(schema.usage)
_ADD_USAGE = _usage_insert.on_conflict_do_update(
    set_={"units": func.min(schema.usage.c.units + _usage_insert.excluded.units, MOST)}
)
_PUT_SLOT = _replacing(schema.slots, "units", "ends_at", "level")
_PUT_MEMBER = upsert(schema.members).on_conflict_do_nothing()
_PUT_EVENT = upsert(schema.events).on_conflict_do_nothing()
_PUT_BREACH = _replacing(schema.breaches, "ends_at", "last_at", "reading", "amount")


def batch_statements(batch: Batch) -> Iterator[tuple[Insert, list[dict[str, Any]]]]:
    """Give the statements that write many rows each, with the rows."""
    yield _PUT_SLOT, [slot_values(row) for row in batch.slots]
    yield _ADD_USAGE, [{**key._asdict(), "units": units} for key, units in batch.usage]
    yield insert(schema.blocks), [block_values(block) for block in batch.blocks]
    yield _PUT_MEMBER, [member_values(row) for row in batch.members]
    yield _PUT_EVENT, [row._asdict() for row in batch.events]
    yield _PUT_BREACH, [breach_values(row) for row in batch.breaches]


def item_statement(item: ItemChange) -> Insert | Update:
    """Open, close or age an item, in whichever order it is told that it was (S16)."""
    if isinstance(item, ItemRow):
        return _open(item)
    if isinstance(item, ItemAged):
        table = schema.items
        return update(table).where(*same_item(item)).values(aged=True, units=item.units)
    return _close(item)


def same_item(item: ItemChange) -> list[ColumnElement[bool]]:
    """Give what finds an item."""
    table = schema.items
    return [table.c[name] == getattr(item, name) for name in ("account", "meter", "item")]


def _open(item: ItemRow) -> Insert:
    """Open an item; one that is open keeps the day it was opened on, one that aged what it was."""
    table = schema.items
    statement = upsert(table).values(item._asdict())
    new, closed = statement.excluded, table.c.closed_at.is_not(None)
    return statement.on_conflict_do_update(
        set_={
            "units": new.units,
            "opened_at": case((closed, new.opened_at), else_=table.c.opened_at),
            "warned": and_(~closed, table.c.warned),
            "aged": False,
            "closed_at": None,
        },
        where=or_(and_(~closed, ~table.c.aged), new.opened_at >= table.c.closed_at),
    )


def _close(item: ItemClosed) -> Insert:
    """Close an item, and remember when: it may still be told that it was opened before."""
    table = schema.items
    known = {"units": 0, "opened_at": item.closed_at, "warned": False}
    statement = upsert(table).values({**item._asdict(), **known})
    new = statement.excluded
    return statement.on_conflict_do_update(
        set_={"closed_at": new.closed_at}, where=new.closed_at >= table.c.opened_at
    )
