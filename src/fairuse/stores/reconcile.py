"""Reconcile: compare what the tables say of cases, measures, charges and grants with the record."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from fairuse.stores import schema
from fairuse.stores.rows import parse_scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.rules.recorded import SoFar

PAGE = 1_000
"""Rows read at a time."""

Told = dict[str, object]
"""What a row says, or what was recorded of it, in the words of the record."""


async def differences(connection: AsyncConnection, so_far: SoFar) -> AsyncIterator[str]:
    """Say where a table and the record disagree; each row that only one of them has, too."""
    for name, table, told, recorded in (
        ("case", schema.cases, _case, _recorded_cases(so_far)),
        ("measure", schema.measures, _measure, _recorded_measures(so_far)),
        ("charge", schema.charges, _charge, _recorded_charges(so_far)),
        ("grant", schema.grants, _grant, _recorded_grants(so_far)),
    ):
        async for difference in _compared(connection, name, table, told, recorded):
            yield difference


async def _compared(
    connection: AsyncConnection,
    name: str,
    table: Table,
    told: Callable[[Any], Told],
    recorded: dict[int, Told],
) -> AsyncIterator[str]:
    async for row in _rows(connection, table):
        known = recorded.pop(row.id, None)
        if known is not None:
            for difference in _differing(_read(row, told), known):
                yield f"{name} {row.id}: {difference}"
        elif table is not schema.cases or row.version:  # older cases were never recorded
            yield f"{name} {row.id} of {row.account} is in no entry of the record"
    for number in recorded:
        yield f"{name} {number} was recorded, and is not there"


def _read(row: Any, told: Callable[[Any], Told]) -> Told:
    try:
        return told(row)
    except (ValueError, TypeError):
        return {"scope or figures": "no JSON"}


def _differing(told: Told, recorded: Mapping[str, object]) -> Iterator[str]:
    for name, value in told.items():
        if value != recorded.get(name):
            yield f"{name} is {value!r}, and {recorded.get(name)!r} was recorded"


async def _rows(connection: AsyncConnection, table: Table) -> AsyncIterator[Any]:
    query = select(table).order_by(table.c.id).limit(PAGE)
    page = (await connection.execute(query)).all()
    while page:
        for row in page:
            yield row
        page = (await connection.execute(query.where(table.c.id > page[-1].id))).all()


def _recorded_cases(so_far: SoFar) -> dict[int, Told]:
    return {
        number: {"account": case.account, "state": case.state}
        for number, case in so_far.cases.items()
    }


def _recorded_measures(so_far: SoFar) -> dict[int, Told]:
    return {
        number: {
            **measure.entry.data,
            "state": measure.state,
            "case": measure.entry.case,
            "account": measure.entry.account,
        }
        for number, measure in so_far.measures.items()
    }


def _recorded_charges(so_far: SoFar) -> dict[int, Told]:
    return {
        number: {
            "text": "",
            **_table(charge.entry.data.get("arithmetic")),
            **charge.entry.data,
            "case": charge.entry.case,
            "account": charge.entry.account,
            "made_at": charge.entry.at,
            "waived": _money(charge.waived),
            "final": charge.final,
        }
        for number, charge in so_far.charges.items()
    }


def _recorded_grants(so_far: SoFar) -> dict[int, Told]:
    return {
        number: {**entry.data, "account": entry.account, "made_at": entry.at, "by": entry.by}
        for number, entry in so_far.grants.items()
    }


def _money(amount: str) -> str:
    """Write an amount as it is compared: 0 and 0.00 are the same, and what is none is itself."""
    try:
        return f"{Decimal(amount):.8f}"
    except ArithmeticError:
        return amount


def _table(value: object) -> Told:
    return value if isinstance(value, dict) else {}


def _case(row: Any) -> Told:
    return {"account": row.account, "state": row.state}


def _measure(row: Any) -> Told:
    return {
        "case": row.case_id,
        "account": row.account,
        "do": row.kind,
        "scope": dict(parse_scope(row.scope)),
        "routes": json.loads(row.routes),
        "limit": row.limit_name,
        "amount": row.amount,
        "state": row.state,
        "from": row.starts_at,
        "until": row.ends_at,
        "review": row.review_at,
        "until_under": row.until_under,
    }


def _charge(row: Any) -> Told:
    return {
        **_table(json.loads(row.arithmetic)),
        "case": row.case_id,
        "account": row.account,
        "rule": row.rule,
        "scope": dict(parse_scope(row.scope)),
        "kind": row.kind,
        "from": row.starts_at,
        "until": row.ends_at,
        "made_at": row.made_at,
        "units": row.units,
        "currency": row.currency,
        "amount": row.amount,
        "waived": _money(row.waived),
        "final": row.final,
    }


def _grant(row: Any) -> Told:
    return {
        "account": row.account,
        "kind": row.kind,
        "limit": row.limit_name,
        "scope": dict(parse_scope(row.scope)),
        "amount": row.amount,
        "made_at": row.made_at,
        "from": row.starts_at,
        "until": row.ends_at,
        "by": row.author,
        "reason": row.reason,
        "once": row.once,
    }
