"""The casebook: cases and what happens to them, in the ledger.

Each step is one transaction: the case moves, what goes with it is written, and the record says so;
all of it or nothing. A step that was taken already, by another process or before a crash, is not
taken again: it finds the case at another version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, bindparam, exists, insert, literal, select, update

from fairuse.rules.ladder import after
from fairuse.rules.record import NO_CASE, OURSELVES, Entry
from fairuse.stores import schema
from fairuse.stores.case_rows import case_of, case_values, measure_of, measure_values
from fairuse.stores.record import append
from fairuse.stores.rows import notice_values
from fairuse.stores.statements import same_item
from fairuse.stores.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.rules.ladder import Case, Happening
    from fairuse.rules.measures import Measure
    from fairuse.rules.record import Value
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import ItemRow, NoticeRow

MeasureKind = Literal["measure.begun", "measure.rejected", "measure.ended"]


async def open_case(
    ledger: Ledger,
    case: Case,
    notice: Callable[[Case], NoticeRow],
    channels: Sequence[str],
    *,
    unless_open: bool = False,
) -> bool:
    """Open a case and write its notice, both or neither; False where the case exists (P8).

    `notice` writes it once the case has its number. With `unless_open`, any case of the same rule
    and scope that is not closed is the same case. Where a measure has every unit charged, nothing
    is above an amount, so there is no case either (B18).
    """
    table = schema.cases
    values = {**case_values(case), "state": "open", "version": 0}
    values.pop("id")
    same = and_(*(table.c[name] == values[name] for name in ("account", "rule", "scope")))
    # In one statement: several processes may be about to open it.
    row = select(*(literal(value, table.c[name].type) for name, value in values.items()))
    row = row.where(~exists().where(same, _by_the_unit()))
    if unless_open:
        row = row.where(~exists().where(same, table.c.state != "closed"))
    insertion = upsert(ledger.dialect, table).from_select([*values], row)
    once = insertion.on_conflict_do_nothing()
    async with ledger.transaction() as connection:
        number = await connection.scalar(once.returning(table.c.id))
        if number is None:
            return False
        opened = case._replace(id=number)
        data = _figures(opened)
        entry = Entry(case.opened_at, "case.opened", case.account, number, OURSELVES, data)
        await append(connection, [entry])
        await add_notice(connection, notice(opened), number, channels)
    return True


def _by_the_unit() -> ColumnElement[bool]:
    """Say of a case whether a measure of it switched the tariff."""
    table = schema.measures
    kind, state = table.c.kind == "switch tariff", table.c.state == "in force"
    return and_(table.c.case_id == schema.cases.c.id, kind, state)


async def write_notice(ledger: Ledger, notice: NoticeRow, channels: Sequence[str]) -> bool:
    """Write a notice that belongs to no case; False where it was written before."""
    async with ledger.transaction() as connection:
        return await add_notice(connection, notice, None, channels)


async def warn_of_item(
    ledger: Ledger, item: ItemRow, notice: NoticeRow, channels: Sequence[str]
) -> None:
    """Write the notice about an open item, and remember that it was."""
    warned = update(schema.items).where(*same_item(item)).values(warned=True)
    async with ledger.transaction() as connection:
        await connection.execute(warned)
        await add_notice(connection, notice, None, channels)


async def add_notice(
    connection: AsyncConnection,
    notice: NoticeRow,
    case: int | None,
    channels: Sequence[str],
) -> bool:
    """Write a notice and what is to be delivered of it; False where `once` says it is there."""
    table = schema.notices
    once = upsert(connection.dialect, table).values(notice_values(notice, case))
    number = await connection.scalar(once.on_conflict_do_nothing().returning(table.c.id))
    if number is None:
        return False
    deliveries = [
        {
            "notice_id": number,
            "channel": channel,
            "state": "to do" if channel.startswith("tel:") else "waiting",
            "due_at": notice.written_at,
            "must_by": notice.must_by,
        }
        for channel in dict.fromkeys(channels)
    ]
    if deliveries:
        await connection.execute(insert(schema.deliveries), deliveries)
    data: dict[str, Value] = {
        "notice": number,
        "kind": notice.kind,
        "rule": notice.rule,
        "reading": notice.reading,
        "amount": notice.amount,
        "subject": notice.subject,
        "once": notice.once,
    }
    if notice.scope is not None:
        data |= {"scope": dict(notice.scope), "prices": notice.prices}
    written = Entry(
        notice.written_at, "notice.written", notice.account, case or NO_CASE, OURSELVES, data
    )
    await append(connection, [written])
    return True


async def move(
    connection: AsyncConnection,
    case: Case,
    happening: Happening,
    moment: float,
    by: str = OURSELVES,
    data: dict[str, Value] | None = None,
    **changes: object,
) -> Case | None:
    """Move a case, as a part of a transaction; None where it has moved on meanwhile.

    Raises WrongStep where that can't happen to it.
    """
    state = after(case, happening)
    changes |= {"state": state, "version": case.version + 1}
    if state == "closed":
        changes |= {"closed_at": moment, "outcome": changes.get("outcome") or happening}
    table = schema.cases
    same = (table.c.id == case.id, table.c.version == case.version)
    moved = await connection.execute(update(table).where(*same).values(changes))
    if not moved.rowcount:
        return None
    told: dict[str, Value] = {"from": case.state, "to": state, "on": happening, **(data or {})}
    entry = Entry(moment, "case.moved", case.account, case.id, by, told)
    await append(connection, [entry])
    return case._replace(**changes)  # type: ignore[arg-type]


async def add_measure(
    connection: AsyncConnection, case: Case, measure: Measure, moment: float, by: str
) -> Measure:
    """Propose a measure, as a part of a transaction, and give it with its number."""
    values = measure_values(measure)
    table = schema.measures
    number = await connection.scalar(insert(table).values(values).returning(table.c.id))
    proposed = measure._replace(id=int(number or 0))
    entry = Entry(
        moment, "measure.proposed", case.account, case.id, by, told_of_measure(proposed, case)
    )
    await append(connection, [entry])
    return proposed


async def change_measure(
    connection: AsyncConnection,
    case: Case,
    measure: Measure,
    kind: MeasureKind,
    moment: float,
    by: str,
) -> None:
    """Begin, reject or end a measure, as a part of a transaction, as it is given."""
    table = schema.measures
    values = measure_values(measure)
    await connection.execute(update(table).where(table.c.id == measure.id).values(values))
    entry = Entry(moment, kind, case.account, case.id, by, told_of_measure(measure, case))
    await append(connection, [entry])


async def extend_case(
    ledger: Ledger, case: Case, until: float, moment: float, by: str, reason: str
) -> Case | None:
    """Give a case more time; None where it has moved on meanwhile."""
    table = schema.cases
    same = (table.c.id == case.id, table.c.version == case.version)
    changes: dict[str, Any] = {"answer_by": until, "version": case.version + 1}
    async with ledger.transaction() as connection:
        extended = await connection.execute(update(table).where(*same).values(changes))
        if not extended.rowcount:
            return None
        told: dict[str, Value] = {"until": until, "reason": reason}
        await append(connection, [Entry(moment, "case.extended", case.account, case.id, by, told)])
    return case._replace(**changes)


async def note_latest(ledger: Ledger, cases: Sequence[Case]) -> None:
    """Remember the last counts of the windows of cases, with their amounts; it moves nothing."""
    table = schema.cases
    changes: dict[str, Any] = {"latest": bindparam("_latest"), "amount": bindparam("_amount")}
    one = update(table).where(table.c.id == bindparam("_id")).values(changes)
    rows = [{"_id": each.id, "_latest": each.latest, "_amount": each.amount} for each in cases]
    if rows:
        async with ledger.transaction() as connection:
            await connection.execute(one, rows)


async def case_numbered(ledger: Ledger, number: int) -> Case | None:
    """Give a case by its number."""
    table = schema.cases
    rows = await ledger.rows(select(table).where(table.c.id == number))
    return case_of(rows[0]) if rows else None


async def measures_of(ledger: Ledger, case: int) -> list[Measure]:
    """Give the measures of a case, oldest first."""
    table = schema.measures
    query = select(table).where(table.c.case_id == case).order_by(table.c.id)
    return [measure_of(row) for row in await ledger.rows(query)]


async def live_measures(ledger: Ledger, case: int | None = None) -> list[Measure]:
    """Give the measures that are proposed or in force, of one case or all, oldest first."""
    table = schema.measures
    query = select(table).where(table.c.state.in_(("proposed", "in force"))).order_by(table.c.id)
    if case is not None:
        query = query.where(table.c.case_id == case)
    return [measure_of(row) for row in await ledger.rows(query)]


def told_of_measure(measure: Measure, case: Case) -> dict[str, Value]:
    """Give what the record says of a measure: all its figures."""
    return {
        "measure": measure.id,
        "do": measure.kind,
        "rule": case.rule,
        "scope": dict(measure.scope),
        "routes": [*measure.routes],
        "limit": measure.limit,
        "amount": measure.amount,
        "reason": measure.reason,
        "from": measure.starts_at,
        "until": measure.ends_at,
        "review": measure.review_at,
        "until_under": measure.until_under,
    }


def _figures(case: Case) -> dict[str, Value]:
    return {
        "rule": case.rule,
        "scope": dict(case.scope),
        "from": case.starts_at,
        "until": case.ends_at,
        "reading": case.reading,
        "amount": case.amount,
        "policy": case.policy,
    }
