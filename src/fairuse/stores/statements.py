"""The statements that write a batch of the journal."""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    UniqueConstraint,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from fairuse.rules.tally import MOST
from fairuse.stores import schema
from fairuse.stores.rows import (
    BreachRow,
    ItemAged,
    ItemRow,
    block_values,
    breach_values,
    member_values,
    slot_values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import ColumnElement, Dialect, Insert, Table, Update

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


def _same_breach() -> list[ColumnElement[bool]]:
    """Find the breach that one goes on with: several processes may see the same episode begin."""
    table = schema.breaches
    same = [table.c[name] == bindparam(f"_{name}") for name in ("account", "rule", "scope")]
    return [
        *same,
        table.c.starts_at <= bindparam("_last_at"),
        or_(
            table.c.ends_at > bindparam("_starts_at"), table.c.starts_at == bindparam("_starts_at")
        ),
    ]


_GO_ON_WITH_BREACH = (
    update(schema.breaches)
    .where(*_same_breach())
    .values(
        ends_at=func.max(schema.breaches.c.ends_at, bindparam("_ends_at")),
        last_at=func.max(schema.breaches.c.last_at, bindparam("_last_at")),
        reading=bindparam("_reading"),
        amount=bindparam("_amount"),
    )
)
_BEGIN_BREACH = insert(schema.breaches).from_select(
    BreachRow._fields,
    select(
        *(
            bindparam(f"_{name}", type_=schema.breaches.c[name].type).label(name)
            for name in BreachRow._fields
        )
    ).where(~exists().where(*_same_breach())),
)


@lru_cache(maxsize=64)
def _compiled(
    statement: Insert | Update, columns: tuple[str, ...], dialect: Dialect
) -> tuple[str, Callable[[dict[str, Any]], tuple[Any, ...]], dict[str, Any]]:
    """Compile once: the text, what picks a row's values in their order, and the constants."""
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns))
    constants = {name: value for name, value in compiled.params.items() if name not in columns}
    return str(compiled), itemgetter(*compiled.positiontup), constants


def driver_sql(
    statement: Insert | Update, rows: list[dict[str, Any]], dialect: Dialect
) -> tuple[str, list[tuple[Any, ...]]]:
    """Give a statement and its rows as the driver takes them: thousands of rows, many times.

    SQLAlchemy's own way costs more for each row than the database does.
    """
    sql, pick, constants = _compiled(statement, tuple(rows[0]), dialect)
    if constants:
        return sql, [pick(constants | row) for row in rows]
    return sql, [pick(row) for row in rows]


def batch_statements(batch: Batch) -> Iterator[tuple[Insert | Update, list[dict[str, Any]]]]:
    """Give the statements that write many rows each, with the rows."""
    yield _PUT_SLOT, [slot_values(row) for row in batch.slots]
    yield _ADD_USAGE, [{**key._asdict(), "units": units} for key, units in batch.usage]
    yield insert(schema.blocks), [block_values(block) for block in batch.blocks]
    yield _PUT_MEMBER, [member_values(row) for row in batch.members]
    yield _PUT_EVENT, [row._asdict() for row in batch.events]
    breaches = [
        {f"_{name}": value for name, value in breach_values(row).items()} for row in batch.breaches
    ]
    yield _GO_ON_WITH_BREACH, breaches
    yield _BEGIN_BREACH, breaches


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
