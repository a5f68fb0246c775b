"""What the ledger knows of the past: usage by month, snapshots of averages, and breaches."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Double, and_, cast, exists, func, insert, select, update

from fairuse.rules.cohorts import CohortKey, Member, Snapshot
from fairuse.stores import schema
from fairuse.stores.rows import BreachRow, parse_scope, scope_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Exists, Select

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
    account, meter, location, span = use
    there = () if location is None else (table.c.location == location,)
    query = (
        select(table.c.hour, func.sum(cast(table.c.units, Double)).label("units"))
        .where(
            table.c.account == account,
            table.c.meter == meter,
            table.c.hour >= span.start,
            table.c.hour < span.end,
            *there,
        )
        .group_by(table.c.hour)
        .order_by(table.c.hour)
    )
    return [(row.hour, int(row.units)) for row in await ledger.rows(query)]


async def latest_snapshot_id(ledger: Ledger) -> int:
    """Give the number of the latest snapshot, or 0."""
    [[latest]] = await ledger.rows(select(func.max(schema.snapshots.c.id)))
    return int(latest or 0)


async def add_snapshot(ledger: Ledger, snapshot: Snapshot, average: Fraction) -> None:
    """Keep a snapshot with its members."""
    values: dict[str, Any] = {
        **snapshot.cohort._asdict(),
        "taken_at": snapshot.taken_at,
        "method": snapshot.method,
        "n": snapshot.n,
        "average": str(average),
    }
    table = schema.snapshots
    async with ledger.transaction() as connection:
        number = await connection.scalar(insert(table).values(values).returning(table.c.id))
        members = [
            {
                "snapshot_id": number,
                "account": account,
                "monthly": str(member.monthly),
                "shares": member.shares,
            }
            for account, member in snapshot.members.items()
        ]
        if members:
            await connection.execute(insert(schema.snapshot_members), members)


async def latest_snapshots(ledger: Ledger) -> dict[CohortKey, Snapshot]:
    """Give the latest snapshot of each cohort."""
    return await _snapshots(ledger, _LATEST)


async def earlier_snapshots(ledger: Ledger) -> dict[CohortKey, Snapshot]:
    """Give the snapshot of each cohort that the latest one took the place of."""
    return await _snapshots(ledger, _LATEST.where(schema.snapshots.c.id.not_in(_LATEST)))


_LATEST = select(func.max(schema.snapshots.c.id)).group_by(
    schema.snapshots.c.policy, schema.snapshots.c.packages, schema.snapshots.c.meter
)


async def _snapshots(ledger: Ledger, ids: Select[Any]) -> dict[CohortKey, Snapshot]:
    table, members = schema.snapshots, schema.snapshot_members
    rows = await ledger.rows(select(table).where(table.c.id.in_(ids)))
    of = await ledger.rows(select(members).where(members.c.snapshot_id.in_(ids)))
    found: dict[int, dict[str, Member]] = {row.id: {} for row in rows}
    for row in of:
        found[row.snapshot_id][row.account] = Member(Fraction(row.monthly), row.shares)
    return {
        (key := CohortKey(row.policy, row.packages, row.meter)): Snapshot(
            key, row.taken_at, row.method, found[row.id]
        )
        for row in rows
    }


async def breaches_since(ledger: Ledger, moment: float, account: str = "") -> list[BreachRow]:
    """Give the breaches that began at a moment or later, of one account or all, oldest first.

    Those of windows that were forgiven are none (D24).
    """
    table = schema.breaches
    query = select(table).where(table.c.starts_at >= moment, ~_forgiven())
    query = query.order_by(table.c.starts_at)
    if account:
        query = query.where(table.c.account == account)
    return _breaches(await ledger.rows(query))


async def open_episodes(ledger: Ledger, moment: float) -> list[BreachRow]:
    """Give the breaches that may go on after a moment."""
    table = schema.breaches
    query = select(table).where(table.c.ends_at > moment).order_by(table.c.starts_at)
    return _breaches(await ledger.rows(query))


async def unjudged(ledger: Ledger, moment: float) -> list[BreachRow]:
    """Give the breaches whose window is over and of which nothing was made yet, nor forgiven."""
    table = schema.breaches
    query = (
        select(table)
        .where(table.c.judged.is_(False), table.c.ends_at <= moment, ~_forgiven())
        .order_by(table.c.starts_at)
    )
    return _breaches(await ledger.rows(query))


async def note_judged(ledger: Ledger, breach: BreachRow) -> None:
    """Remember that a breach was looked at once its window was over."""
    table = schema.breaches
    same = (
        table.c.account == breach.account,
        table.c.rule == breach.rule,
        table.c.scope == scope_text(breach.scope),
        table.c.starts_at == breach.starts_at,
    )
    async with ledger.transaction() as connection:
        await connection.execute(update(table).where(*same).values(judged=True))


def _forgiven() -> Exists:
    """Say of a breach whether its window was forgiven."""
    table, breaches = schema.forgiven, schema.breaches
    window = ("account", "rule", "scope", "starts_at")
    return exists().where(and_(*(table.c[name] == breaches.c[name] for name in window)))


def _breaches(rows: Iterable[Any]) -> list[BreachRow]:
    return [
        BreachRow(*(getattr(row, name) for name in BreachRow._fields))._replace(
            scope=parse_scope(row.scope)
        )
        for row in rows
    ]
