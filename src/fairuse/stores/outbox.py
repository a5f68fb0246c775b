"""The outbox: the notices that are to be delivered, in the ledger.

A letter is claimed, sent, and then marked. Whoever dies in between leaves it claimed: it is due
again at its next step, so it may be sent twice (with the same id) and is never lost. What follows
from its delivery is one transaction, and so happens once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from fairuse.rules.memo import KIND, notice_is_dead
from fairuse.rules.record import NO_CASE, OURSELVES, Entry
from fairuse.stores import schema
from fairuse.stores.case_rows import case_of
from fairuse.stores.casebook import move
from fairuse.stores.letters import Letter
from fairuse.stores.memos import tell_operators
from fairuse.stores.record import append
from fairuse.stores.rows import NoticeRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.rules.ladder import Case
    from fairuse.rules.record import Value
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.letters import LetterState

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
RETRY_STEPS = (
    *(5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, DAY),
    *(DAY, DAY),
)
"""What passes between one attempt and the next: the schedule of Standard Webhooks 1.0.0, which ends
after 3.1 days, and two days more: who was away for a long weekend must miss nothing."""

BATCH = 100
"""How many letters are looked at together."""


async def due(ledger: Ledger, moment: float, at_most: int = BATCH) -> list[Letter]:
    """Give the letters that are to be sent now, oldest first."""
    table = schema.deliveries
    query = _letters().where(table.c.state == "waiting", table.c.due_at <= moment)
    return await _found(ledger, query.order_by(table.c.due_at, table.c.id).limit(at_most))


async def letters(ledger: Ledger, *states: LetterState) -> list[Letter]:
    """Give the letters in some state, oldest first: those that are dead, those to do."""
    table = schema.deliveries
    return await _found(ledger, _letters().where(table.c.state.in_(states)).order_by(table.c.id))


async def letter_numbered(ledger: Ledger, number: int) -> Letter | None:
    """Give a letter by its own id."""
    found = await _found(ledger, _letters().where(schema.deliveries.c.id == number))
    return found[0] if found else None


async def overdue(ledger: Ledger, moment: float) -> list[Letter]:
    """Give of each notice that should have been delivered by now (A16) its first letter."""
    table = schema.deliveries
    late = (schema.notices.c.delivered_at.is_(None), table.c.must_by < moment)
    found = await _found(ledger, _letters().where(*late).order_by(table.c.id.desc()))
    return sorted({letter.number: letter for letter in found}.values())


async def claim(ledger: Ledger, letter: Letter, moment: float) -> Letter | None:
    """Begin an attempt: from now on the letter is due at its next step, whatever becomes of us.

    Gives the letter as it is now, or None where somebody else has changed it.
    """
    step = RETRY_STEPS[min(letter.attempts, len(RETRY_STEPS) - 1)]
    claimed = letter._replace(attempts=letter.attempts + 1, due_at=moment + step)
    same = (schema.deliveries.c.attempts == letter.attempts,)
    values = {"attempts": claimed.attempts, "due_at": claimed.due_at}
    async with ledger.transaction() as connection:
        changed = await _change(connection, letter, ("waiting",), values, *same)
    return claimed if changed else None


async def note_failed(
    ledger: Ledger,
    letter: Letter,
    error: str,
    moment: float,
    operators: Sequence[str] = (),
    *,
    for_good: bool,
) -> bool:
    """Note why an attempt failed; False where the letter is dead now, which `operators` are told.

    It is dead after its last attempt, or where another one could not help.
    """
    dead = for_good or letter.attempts > len(RETRY_STEPS)
    values = {"error": error, "state": "dead" if dead else "waiting"}
    async with ledger.transaction() as connection:
        changed = await _change(connection, letter, ("waiting",), values)
        if dead and changed and letter.notice.kind != KIND:  # of their own mail nobody can be told
            memo = notice_is_dead(
                letter.id, letter.notice.account, letter.notice.subject, letter.shown, error, moment
            )
            await tell_operators(connection, memo, operators, moment)
    return not dead


async def note_delivered(
    ledger: Ledger,
    letter: Letter,
    moment: float,
    reading: int | None,
    grace: float,
    by: str = OURSELVES,
) -> bool:
    """Note that a letter was delivered, or a task done; False where that was noted before.

    The first delivery of a notice is what counts: it goes into the record, with the reading at
    this instant, and the grace of a case that is still open begins (A15).
    """
    done = {"state": "delivered", "delivered_at": moment, "delivered_by": by, "error": ""}
    async with ledger.transaction() as connection:
        if not await _change(connection, letter, ("waiting", "to do", "dead"), done):
            return False
        if await _is_first(connection, letter, moment):
            case = await _case(connection, letter)
            entry = _told(letter, reading)
            account, number = letter.notice.account, case.id if case is not None else NO_CASE
            told = Entry(moment, "notice.delivered", account, number, by, entry)
            await append(connection, [told])
            if case is not None and case.state == "open":
                begun = {"notified_at": moment, "notified_reading": reading}
                begun["answer_by"] = moment + grace
                data: dict[str, Value] = {"notice": letter.number}
                await move(connection, case, "delivered", moment, by, data, **begun)
    return True


async def resend(ledger: Ledger, letter: Letter, moment: float) -> bool:
    """Have a letter that is dead or was delivered sent once more; False where it is neither.

    What followed from its first delivery stays as it is.
    """
    state = "to do" if letter.scheme == "tel" else "waiting"
    again = {"state": state, "attempts": 0, "due_at": moment, "error": ""}
    async with ledger.transaction() as connection:
        return await _change(connection, letter, ("dead", "delivered"), again)


async def _change(
    connection: AsyncConnection,
    letter: Letter,
    states: Sequence[LetterState],
    values: dict[str, Any],
    *same: ColumnElement[bool],
) -> bool:
    table = schema.deliveries
    which = (table.c.id == letter.id, table.c.state.in_(states), *same)
    changed = await connection.execute(update(table).where(*which).values(values))
    return bool(changed.rowcount)


async def _is_first(connection: AsyncConnection, letter: Letter, moment: float) -> bool:
    table = schema.notices
    which = (table.c.id == letter.number, table.c.delivered_at.is_(None))
    first = await connection.execute(update(table).where(*which).values(delivered_at=moment))
    return bool(first.rowcount)


async def _case(connection: AsyncConnection, letter: Letter) -> Case | None:
    """Give the case as it is now, and keep others from moving it until the transaction ends."""
    if letter.case is None:
        return None
    table = schema.cases
    query = select(table).where(table.c.id == letter.case.id).with_for_update()
    return case_of((await connection.execute(query)).one())


def _told(letter: Letter, reading: int | None) -> dict[str, Value]:
    notice = letter.notice
    return {
        "notice": letter.number,
        "channel": letter.shown,
        "reading": reading,
        "rule": notice.rule,
        "once": notice.once,
        "kind": notice.kind,
    }


_NOTICE = tuple(name for name in NoticeRow._fields if name in schema.notices.c)


def _letters() -> Select[Any]:
    table, notices = schema.deliveries, schema.notices
    return select(
        *(table.c[name] for name in ("id", "channel", "state", "attempts", "due_at", "error")),
        table.c.must_by,
        table.c.delivered_at.label("done_at"),
        table.c.delivered_by.label("done_by"),
        notices.c.id.label("number"),
        notices.c.case_id,
        *(notices.c[name] for name in _NOTICE),
    ).join(notices, table.c.notice_id == notices.c.id)


async def _found(ledger: Ledger, query: Select[Any]) -> list[Letter]:
    rows = await ledger.rows(query)
    numbers = {row.case_id for row in rows if row.case_id is not None}
    table = schema.cases
    found = await ledger.rows(select(table).where(table.c.id.in_(numbers))) if numbers else []
    cases = {case.id: case for case in map(case_of, found)}
    return [_letter(row, cases.get(row.case_id)) for row in rows]


def _letter(row: Any, case: Case | None) -> Letter:
    contact = tuple(json.loads(row.contact))
    values = {name: getattr(row, name) for name in _NOTICE}
    notice = NoticeRow(**{**values, "contact": contact, "must_by": row.must_by})
    own = {name: getattr(row, name) for name in Letter._fields if name not in ("notice", "case")}
    return Letter(**own, notice=notice, case=case)
