"""Reviews in the ledger: measures whose day has come, and the next day that somebody sets (P6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from fairuse.rules.memo import review_is_due
from fairuse.rules.record import OURSELVES, Entry
from fairuse.stores import schema
from fairuse.stores.case_rows import measure_of
from fairuse.stores.casebook import add_notice, told_of_measure
from fairuse.stores.memos import tell_operators
from fairuse.stores.record import append, entries_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.ladder import Case
    from fairuse.rules.measures import Measure
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import NoticeRow


async def due_reviews(ledger: Ledger, moment: float) -> list[Measure]:
    """Give the measures in force that were to be looked at by a moment, oldest first."""
    table = schema.measures
    due = (table.c.state == "in force", table.c.review_at <= moment)
    query = select(table).where(*due).order_by(table.c.id)
    return [measure_of(row) for row in await ledger.rows(query)]


async def note_due(
    ledger: Ledger, measure: Measure, moment: float, operators: Sequence[str]
) -> bool:
    """Record that a measure's day has come, and tell operators; False where that was done before.

    By one process at a time.
    """
    day = {"measure": measure.id, "review": measure.review_at}
    for entry in await entries_of(ledger, measure.case):
        if entry.kind == "measure.due" and day.items() <= entry.data.items():
            return False
    entry = Entry(moment, "measure.due", measure.account, measure.case, OURSELVES, {**day})
    async with ledger.transaction() as connection:
        await append(connection, [entry])
        await tell_operators(connection, review_is_due(measure), operators, moment)
    return True


async def set_review(
    ledger: Ledger,
    case: Case,
    measure: Measure,
    notice: NoticeRow,
    channels: Sequence[str],
    by: str,
    why: str,
) -> bool:
    """Keep a measure in force until another day, and tell the customer of it, both or neither.

    `measure` has that day already. False where it is in force no longer.
    """
    table = schema.measures
    same = (table.c.id == measure.id, table.c.state == "in force")
    change = update(table).where(*same).values(review_at=measure.review_at)
    told = {**told_of_measure(measure, case), "why": why}
    entry = Entry(notice.written_at, "measure.reviewed", case.account, case.id, by, told)
    async with ledger.transaction() as connection:
        if not (await connection.execute(change)).rowcount:
            return False
        await append(connection, [entry])
        await add_notice(connection, notice, case.id, channels)
    return True
