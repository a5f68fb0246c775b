"""The statements that write a batch of the journal."""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    and_,
    bindparam,
    case,
    exists,
    insert,
    literal,
    or_,
    select,
    update,
)

from fairuse.rules.amounts import MAX_AMOUNT
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
from fairuse.stores.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import BindParameter, ColumnElement, Dialect, Insert, Table, Update

    from fairuse.stores.rows import Batch, ItemChange, ItemClosed
    from fairuse.stores.upsert import Insert as UpsertStatement


class _Statements(NamedTuple):
    """What writes many rows of a kind, in the SQL of one database."""

    slots: Insert
    usage: Insert
    evidence: Insert
    blocks: Insert
    members: Insert
    events: Insert
    breaches: tuple[Update, Insert]


@lru_cache(maxsize=8)
def _statements(dialect: Dialect) -> _Statements:
    return _Statements(
        _replacing(upsert(dialect, schema.slots), schema.slots, "units", "ends_at", "level"),
        _adding(upsert(dialect, schema.usage), schema.usage),
        _adding(upsert(dialect, schema.evidence), schema.evidence),
        insert(schema.blocks),
        upsert(dialect, schema.members).on_conflict_do_nothing(),
        upsert(dialect, schema.events).on_conflict_do_nothing(),
        (_go_on_with_breach(), _begin_breach()),
    )


def _replacing(insertion: UpsertStatement, table: Table, *columns: str) -> Insert:
    """Insert rows, or replace some columns of those that are there."""
    return insertion.on_conflict_do_update(
        index_elements=_identity(table),
        set_={name: insertion.excluded[name] for name in columns},
    )


def _adding(insertion: UpsertStatement, table: Table) -> Insert:
    """Insert rows, or add their units to those that are there."""
    total = table.c.units + insertion.excluded.units
    return insertion.on_conflict_do_update(
        index_elements=_identity(table), set_={"units": _least(total, literal(MAX_AMOUNT))}
    )


def _identity(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _least(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give the lesser of two; each database has a name of its own for that."""
    return case((one < other, one), else_=other)


def _greatest(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((one > other, one), else_=other)


def _new(name: str) -> BindParameter[Any]:
    """Give the place of a breach's column; the same name may not be a column's in an update."""
    return bindparam(f"_{name}", type_=schema.breaches.c[name].type)


def _same_breach() -> list[ColumnElement[bool]]:
    """Find the breach that one goes on with: several processes may see the same episode begin."""
    table = schema.breaches
    return [
        *(table.c[name] == _new(name) for name in ("account", "rule", "scope")),
        table.c.starts_at <= _new("last_at"),
        or_(table.c.ends_at > _new("starts_at"), table.c.starts_at == _new("starts_at")),
    ]


def _go_on_with_breach() -> Update:
    table = schema.breaches
    later = {name: _greatest(table.c[name], _new(name)) for name in ("ends_at", "last_at")}
    latest = {name: _new(name) for name in ("reading", "amount")}
    return update(table).where(*_same_breach()).values(later | latest)


def _begin_breach() -> Insert:
    row = select(*(_new(name).label(name) for name in BreachRow._fields))
    return insert(schema.breaches).from_select(
        BreachRow._fields, row.where(~exists().where(*_same_breach()))
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
    statement: Insert | Update, rows: Sequence[dict[str, Any]], dialect: Dialect
) -> tuple[str, list[tuple[Any, ...]]]:
    """Give a statement and its rows as the driver takes them: thousands of rows, many times.

    SQLAlchemy's own way costs more for each row than the database does.
    """
    sql, pick, constants = _compiled(statement, tuple(rows[0]), dialect)
    if constants:
        return sql, [pick(constants | row) for row in rows]
    return sql, [pick(row) for row in rows]


def batch_statements(
    batch: Batch, dialect: Dialect
) -> Iterator[tuple[Insert | Update, list[dict[str, Any]]]]:
    """Give the statements that write many rows each, with the rows."""
    into = _statements(dialect)
    yield into.slots, [slot_values(row) for row in batch.slots]
    yield into.usage, [{**key._asdict(), "units": units} for key, units in batch.usage]
    yield into.evidence, [{**key._asdict(), "units": units} for key, units in batch.evidence]
    yield into.blocks, [block_values(block) for block in batch.blocks]
    yield into.members, [member_values(row) for row in batch.members]
    yield into.events, [row._asdict() for row in batch.events]
    breaches = [
        {f"_{name}": value for name, value in breach_values(row).items()} for row in batch.breaches
    ]
    for statement in into.breaches:
        yield statement, breaches


def item_statement(item: ItemChange, dialect: Dialect) -> Insert | Update:
    """Open, close or age an item, in whichever order it is told that it was (S16)."""
    insertion = upsert(dialect, schema.items)
    if isinstance(item, ItemRow):
        return _open(item, insertion)
    if isinstance(item, ItemAged):
        table = schema.items
        return update(table).where(*same_item(item)).values(aged=True, units=item.units)
    return _close(item, insertion)


def same_item(item: ItemChange) -> list[ColumnElement[bool]]:
    """Give what finds an item."""
    table = schema.items
    return [table.c[name] == getattr(item, name) for name in ("account", "meter", "item")]


def _open(item: ItemRow, insertion: UpsertStatement) -> Insert:
    """Open an item; one that is open keeps the day it was opened on, one that aged what it was."""
    table = schema.items
    new, closed = insertion.excluded, table.c.closed_at.is_not(None)
    return insertion.values(item._asdict()).on_conflict_do_update(
        index_elements=_identity(table),
        set_={
            "units": new.units,
            "opened_at": case((closed, new.opened_at), else_=table.c.opened_at),
            "warned": and_(~closed, table.c.warned),
            "aged": False,
            "closed_at": None,
        },
        where=or_(and_(~closed, ~table.c.aged), new.opened_at >= table.c.closed_at),
    )


def _close(item: ItemClosed, insertion: UpsertStatement) -> Insert:
    """Close an item, and remember when: it may still be told that it was opened before."""
    table = schema.items
    known = {"units": 0, "opened_at": item.closed_at, "warned": False}
    new = insertion.excluded
    return insertion.values({**item._asdict(), **known}).on_conflict_do_update(
        index_elements=_identity(table),
        set_={"closed_at": new.closed_at},
        where=new.closed_at >= table.c.opened_at,
    )
