"""What the ledger knows of the past: snapshots of averages, and breaches."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    and_,
    exists,
    func,
    insert,
    select,
    update,
)

from fairuse.rules.cohorts import CohortKey, Member, Snapshot
from fairuse.stores import schema
from fairuse.stores.at_once import answers
from fairuse.stores.rows import BreachRow, parse_scope, scope_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Exists, Select

    from fairuse.rules.tally import ScopeKey
    from fairuse.stores.ledger import Ledger


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


class Breached(NamedTuple):
    """The breaches of one limit and scope that began at a moment or later."""

    account: str
    rule: str
    scope: ScopeKey
    since: float


async def breaches_in(ledger: Ledger, asked: Sequence[Breached]) -> list[int]:
    """Count breaches, of many limits and scopes at once; those that were forgiven are none."""
    table = schema.breaches
    wanted = (
        (
            table.c.account == each.account,
            table.c.rule == each.rule,
            table.c.scope == scope_text(each.scope),
            table.c.starts_at >= each.since,
            ~_forgiven(),
        )
        for each in asked
    )
    return await answers(ledger, func.count(table.c.id), wanted)


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
