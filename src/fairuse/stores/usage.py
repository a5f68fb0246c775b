"""What was used: by account, location, meter and hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Double, cast, func, select

from fairuse.stores import schema
from fairuse.stores.at_once import answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.terms import LimitTerms
    from fairuse.rules.windows import Span
    from fairuse.stores.ledger import Ledger


async def total_usage(ledger: Ledger, meter: str, span: Span) -> dict[str, int]:
    """Give what each account used of a meter in a span of time."""
    table = schema.usage
    query = (
        select(table.c.account, func.sum(cast(table.c.units, Double)).label("units"))
        .where(table.c.meter == meter, table.c.hour >= span.start, table.c.hour < span.end)
        .group_by(table.c.account)
    )
    return {row.account: int(row.units) for row in await ledger.rows(query)}


async def first_usage(ledger: Ledger, meter: str) -> dict[str, int]:
    """Give the first hour in which each account used a meter, in seconds since 1970."""
    table = schema.usage
    query = (
        select(table.c.account, func.min(table.c.hour).label("hour"))
        .where(table.c.meter == meter)
        .group_by(table.c.account)
    )
    return {row.account: row.hour for row in await ledger.rows(query)}


class Use(NamedTuple):
    """What an account, or one location of it, used of a meter in a span of time."""

    account: str
    meter: str
    location: str | None
    span: Span


def use_of(limit: LimitTerms, account: str, scope: ScopeKey, span: Span) -> Use | None:
    """Give the use that a limit counts in a scope; None where it is not kept so.

    Usage is kept of what is added up, by location and by nothing else that a scope may name.
    """
    parts = dict(scope)
    location = parts.pop("location", None)
    return None if limit.kind != "flow" or parts else Use(account, limit.meter, location, span)


async def hourly_usage(ledger: Ledger, use: Use) -> list[tuple[int, int]]:
    """Give the hours in which something was used, and how much."""
    table = schema.usage
    query = (
        select(table.c.hour, func.sum(cast(table.c.units, Double)).label("units"))
        .where(*_of(use))
        .group_by(table.c.hour)
        .order_by(table.c.hour)
    )
    return [(row.hour, int(row.units)) for row in await ledger.rows(query)]


async def used_in(ledger: Ledger, uses: Sequence[Use]) -> list[int]:
    """Give how much was used, of many uses at once."""
    table = schema.usage
    total = func.sum(cast(table.c.units, Double))
    return [int(found or 0) for found in await answers(ledger, total, map(_of, uses))]


def _of(use: Use) -> tuple[ColumnElement[bool], ...]:
    """Find the rows of a use."""
    table = schema.usage
    there = () if use.location is None else (table.c.location == use.location,)
    return (
        table.c.account == use.account,
        table.c.meter == use.meter,
        table.c.hour >= use.span.start,
        table.c.hour < use.span.end,
        *there,
    )
