"""Grants and forgiven windows in the ledger; each is one transaction with its entry in the record.

What is left of a top-up when its window ends is carried into the next one (D20).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import String, and_, exists, select

from fairuse.base.apart import apart
from fairuse.rules.grants import Grant, unused
from fairuse.rules.record import NO_CASE, OURSELVES, Entry
from fairuse.rules.windows import Span
from fairuse.stores import schema
from fairuse.stores.record import append
from fairuse.stores.rows import parse_scope, scope_text
from fairuse.stores.upsert import upsert
from fairuse.stores.usage import hourly_usage, use_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairuse.rules.record import Value
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.ledger import Ledger

MOST_ASKED = 500
"""Accounts asked for in one query; databases take only so many parameters."""

_Window = tuple[str, str, "ScopeKey", float]
"""A window that is over: its account, limit, scope and end."""


class Forgiven(NamedTuple):
    """A window of which the excess is forgiven, once, by somebody for a reason (D24)."""

    account: str
    rule: str
    scope: ScopeKey
    starts_at: float
    by: str
    reason: str


async def add(ledger: Ledger, grant: Grant) -> bool:
    """Keep a grant that was `checked`; False where its `once` was granted before (P8).

    Every running node puts it in force within a second. Raises LedgerError.
    """
    table = schema.grants
    statement = upsert(ledger.dialect, table).values(_values(grant)).on_conflict_do_nothing()
    async with ledger.transaction() as connection:
        number = await connection.scalar(statement.returning(table.c.id))
        if number is None:
            return False
        data: dict[str, Value] = {
            "grant": number,
            "kind": grant.kind,
            "limit": grant.limit,
            "scope": dict(grant.scope),
            "amount": grant.amount,
            "from": grant.starts_at,
            "until": grant.ends_at,
            "reason": grant.reason,
            "once": grant.once,
        }
        entry = Entry(grant.made_at, "grant.made", grant.account, NO_CASE, grant.by, data)
        await append(connection, [entry])
    return True


async def grants_of(ledger: Ledger, accounts: Sequence[str] | None = None) -> list[Grant]:
    """Give the grants of some accounts or of all, oldest first. Raises LedgerError."""
    table = schema.grants
    query = select(table).order_by(table.c.id)
    if accounts is None:
        return [_grant_of(row) for row in await ledger.rows(query)]
    found: list[Grant] = []
    for first in range(0, len(accounts), MOST_ASKED):
        some = table.c.account.in_(accounts[first : first + MOST_ASKED])
        found += [_grant_of(row) for row in await ledger.rows(query.where(some))]
    return found


async def forgive(ledger: Ledger, window: Forgiven, moment: float) -> bool:
    """Leave a window's excess out of the breach history; False where it is left out already.

    Raises LedgerError.
    """
    table = schema.forgiven
    values = {
        "account": window.account,
        "rule": window.rule,
        "scope": scope_text(window.scope),
        "starts_at": window.starts_at,
        "author": window.by,
        "reason": window.reason,
    }
    statement = upsert(ledger.dialect, table).values(values).on_conflict_do_nothing()
    async with ledger.transaction() as connection:
        if await connection.scalar(statement.returning(table.c.account)) is None:
            return False
        data: dict[str, Value] = {
            "rule": window.rule,
            "scope": dict(window.scope),
            "from": window.starts_at,
            "reason": window.reason,
        }
        entry = Entry(moment, "window.forgiven", window.account, NO_CASE, window.by, data)
        await append(connection, [entry])
    return True


async def carry_over(ledger: Ledger, accounts: Mapping[str, Terms], moment: float) -> int:
    """Carry what is left of top-ups whose window is over into the window of now; says how many.

    Each is looked at once: one that was used up is carried on with nothing in it. Those of accounts
    and limits that are gone wait until they are back. To be called once what was used is written;
    what is told late of the window lessens nothing. Raises LedgerError.
    """
    carried = 0
    for (account, name, scope, ends_at), top_ups in _by_window(await _ended(ledger, moment)):
        limit = accounts[account].limit(name) if account in accounts else None
        if limit is not None:
            with apart("top-up", account=account, limit=name):
                left = await _left(ledger, limit.within(scope), top_ups, ends_at)
                for grant in top_ups:
                    carried += await add(ledger, _carried(grant, left.get(grant, 0), limit, moment))
    return carried


async def _ended(ledger: Ledger, moment: float) -> list[Grant]:
    """Give the top-ups with something in them that are over and were not carried on yet."""
    table, later = schema.grants, schema.grants.alias()
    on = later.c.once.startswith("carry:" + table.c.id.cast(String) + ":")
    query = select(table).where(
        table.c.kind == "top-up",
        table.c.amount != "0",
        table.c.ends_at <= moment,
        ~exists().where(and_(later.c.account == table.c.account, on)),
    )
    return [_grant_of(row) for row in await ledger.rows(query.order_by(table.c.id))]


def _by_window(grants: Iterable[Grant]) -> Iterable[tuple[_Window, list[Grant]]]:
    found: dict[_Window, list[Grant]] = {}
    for grant in grants:
        window = (grant.account, grant.limit, grant.scope, grant.until)
        found.setdefault(window, []).append(grant)
    return found.items()


async def _left(
    ledger: Ledger, limit: LimitTerms, top_ups: Sequence[Grant], ends_at: float
) -> dict[Grant, int]:
    """Give what is left of the top-ups of a window that ended, by what was used in it."""
    last = ends_at - 1
    span = limit.span(last) or Span(int(ends_at), int(ends_at))
    base = limit.without_top_ups(last) or 0
    use = use_of(limit, top_ups[0].account, top_ups[0].scope, span)
    hours = [] if use is None else await hourly_usage(ledger, use)
    return unused(top_ups, 10**limit.unit.decimals, base, sum(units for _, units in hours))


def _carried(grant: Grant, left: int, limit: LimitTerms, moment: float) -> Grant:
    """Give a grant of what is left of another, from now to the end of this window."""
    span = limit.span(moment)
    units = Decimal(left).scaleb(-limit.unit.decimals) if left else Decimal(0)
    return grant._replace(
        amount=f"{units:f}",
        made_at=moment,
        starts_at=moment,
        ends_at=None if span is None else float(span.end),
        by=OURSELVES,
        reason=f"unused of top-up {grant.id}",
        once=f"carry:{grant.id}:{int(grant.until)}",
    )


def _values(grant: Grant) -> dict[str, object]:
    return {
        "account": grant.account,
        "limit_name": grant.limit,
        "scope": scope_text(grant.scope),
        "kind": grant.kind,
        "amount": grant.amount,
        "made_at": grant.made_at,
        "starts_at": grant.starts_at,
        "ends_at": grant.ends_at,
        "author": grant.by,
        "reason": grant.reason,
        "once": grant.once,
    }


def _grant_of(row: Any) -> Grant:
    return Grant(
        row.id,
        row.account,
        row.limit_name,
        row.kind,
        row.amount,
        parse_scope(row.scope),
        row.made_at,
        row.starts_at,
        row.ends_at,
        row.author,
        row.reason,
        row.once,
    )
