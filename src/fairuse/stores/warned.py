"""What accounts were told beforehand: warnings, those that named a price, and announcements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from fairuse.rules.record import NO_CASE, OURSELVES, Entry
from fairuse.rules.recorded import SoFar, Window
from fairuse.stores import schema
from fairuse.stores.casebook import add_notice
from fairuse.stores.record import append, entry_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fairuse.rules.ladder import Case
    from fairuse.rules.record import Value
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import NoticeRow

AT_ONCE = 500
"""Names in one query; SQLite takes 32,766 values, and older ones 999."""


async def told_already(ledger: Ledger, names: Collection[str]) -> set[str]:
    """Give those of some notices, by the name of what they tell, that were written."""
    column = schema.notices.c.once
    found: set[str] = set()
    wanted = [*names]
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        found.update(row.once for row in await ledger.rows(select(column).where(column.in_(some))))
    return found


async def announce(
    ledger: Ledger, notice: NoticeRow, data: dict[str, Value], channels: Sequence[str]
) -> bool:
    """Write the notice of a policy's next version, and record it; False where it was before."""
    at, account = notice.written_at, notice.account
    async with ledger.transaction() as connection:
        written = await add_notice(connection, notice, None, channels)
        if written:
            entry = Entry(at, "policy.announced", account, NO_CASE, OURSELVES, data)
            await append(connection, [entry])
    return written


async def as_told(ledger: Ledger, case: Case) -> Case:
    """Give a case as its customer was told of what it costs: by its notice, or before (D10, P1).

    A warning may count as the notice of a charge: see `SoFar.warned_of`. Raises LedgerError.
    """
    table = schema.record
    query = select(table).where(
        table.c.account == case.account,
        table.c.case_id == NO_CASE,
        table.c.kind.in_(("notice.written", "notice.delivered")),
        table.c.at.between(case.starts_at, case.ends_at),
    )
    so_far = SoFar()
    for row in await ledger.rows(query.order_by(table.c.number)):
        so_far.add(entry_of(row))
    about = (case.account, case.rule, dict(case.scope), case.starts_at, case.ends_at, case.amount)
    told = so_far.warned_of(Window(*about))
    if told is None or told.reading is None:
        return case
    if case.notified_at is not None and case.notified_at <= told.at:
        return case
    return case._replace(notified_at=told.at, notified_reading=int(told.reading))
