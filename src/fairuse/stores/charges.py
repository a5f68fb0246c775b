"""Charges in the ledger: made once a window, waived with a reason, and final after a while."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from fairuse.base.apart import apart
from fairuse.base.errors import ChargeError
from fairuse.rules.charges import Charge, Figures, arithmetic, line_of, measured, waived_by
from fairuse.rules.money import to_minor_units
from fairuse.rules.record import OURSELVES, Entry
from fairuse.stores import schema
from fairuse.stores.record import append
from fairuse.stores.rows import parse_scope, scope_text
from fairuse.stores.upsert import upsert

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.rules.ladder import Case
    from fairuse.rules.record import Kind as EntryKind
    from fairuse.rules.record import Value
    from fairuse.stores.ledger import Ledger

DAY = 86_400
FINAL_AFTER = 14 * DAY
"""Seconds in which a charge can be waived before it is final."""


async def add_charge(
    connection: AsyncConnection, charge: Charge, moment: float, by: str
) -> Charge | None:
    """Make a charge, in the transaction of the step that makes it; None where it is made already.

    A window is charged once, whichever the case (P8); one that goes on is charged up to the moment.
    Raises PromiseBroken where the record says that no notice was delivered before, or too few units
    came after it (P1, P5), and ChargeError for a cost that no person approved (C20).
    """
    if charge.kind == "cost" and by in ("", OURSELVES):
        raise ChargeError("a cost needs a person who approves it")
    made = charge._replace(
        made_at=moment,
        final_at=moment + FINAL_AFTER,
        ends_at=min(charge.ends_at, moment),
    )
    table = schema.charges
    once = upsert(connection.dialect, table).values(_values(made)).on_conflict_do_nothing()
    number = await connection.scalar(once.returning(table.c.id))
    if number is None:
        return None
    made = made._replace(id=number)
    await append(connection, [_entry(made, "charge.made", moment, by, _told(made))])
    return made


async def waive(
    ledger: Ledger, number: int, what: str, reason: str, moment: float, by: str
) -> Charge:
    """Waive "all" of a charge, "50%" of its amount, or "EUR 5.00", with a reason (D23).

    Raises ChargeError where there is no such charge, it is final, so much is not left, no reason or
    nobody is named, or somebody else changed it just now; and LedgerError.
    """
    if not reason.strip() or not by:
        raise ChargeError("to waive a charge needs a reason, and a person who decides it")
    charge = await charge_numbered(ledger, number)
    if charge is None:
        raise ChargeError(f"there is no charge {number}")
    if charge.final or charge.final_at <= moment:
        raise ChargeError(f"charge {number} is final")
    part = waived_by(charge, what)
    waived = charge._replace(
        waived=to_minor_units(Fraction(charge.waived) + Fraction(part), charge.currency),
        reason="; ".join(filter(None, [charge.reason, reason.strip()])),
    )
    table = schema.charges
    same = (table.c.id == number, table.c.waived == f"{charge.waived:f}", ~table.c.final)
    change = {"waived": f"{waived.waived:f}", "reason": waived.reason}
    data = {**_money(waived), "now": f"{part:f}", "reason": reason.strip()}
    async with ledger.transaction() as connection:
        changed = await connection.execute(update(table).where(*same).values(change))
        if not changed.rowcount:
            raise ChargeError(f"charge {number} was changed by somebody else just now")
        await append(connection, [_entry(waived, "charge.waived", moment, by, data)])
    return waived


async def finalise(ledger: Ledger, moment: float) -> list[Charge]:
    """Make final what is due to be, each charge once and by itself, and give it.

    Raises LedgerError.
    """
    table, final = schema.charges, []
    due = select(table.c.id).where(~table.c.final, table.c.final_at <= moment).order_by(table.c.id)
    for row in await ledger.rows(due):
        with apart("charge", charge=row.id):
            charge = await _final(ledger, row.id, moment)
            if charge is not None:
                final.append(charge)
    return final


async def _final(ledger: Ledger, number: int, moment: float) -> Charge | None:
    table = schema.charges
    change = update(table).where(table.c.id == number, ~table.c.final).values(final=True)
    async with ledger.transaction() as connection:
        row = (await connection.execute(change.returning(*table.c))).one_or_none()
        if row is None:
            return None
        charge = _charge_of(row)
        entry = _entry(charge, "charge.final", moment, OURSELVES, _money(charge))
        await append(connection, [entry])
    return charge


async def charge_numbered(ledger: Ledger, number: int) -> Charge | None:
    """Give a charge by its number."""
    found = await _charges(ledger, select(schema.charges).where(schema.charges.c.id == number))
    return found[0] if found else None


async def charges_of(
    ledger: Ledger, *, account: str | None = None, case: int | None = None
) -> list[Charge]:
    """Give the charges of an account or of a case, or all of them, as they were made."""
    table, query = schema.charges, select(schema.charges)
    if account is not None:
        query = query.where(table.c.account == account)
    if case is not None:
        query = query.where(table.c.case_id == case)
    return await _charges(ledger, query)


async def charged_windows(ledger: Ledger, case: Case) -> set[float]:
    """Give when those windows began that were charged, of a case's account, rule and scope (P8).

    Whichever case they were charged in. Raises LedgerError.
    """
    table = schema.charges
    query = select(table.c.starts_at).where(
        table.c.account == case.account,
        table.c.rule == case.rule,
        table.c.scope == scope_text(case.scope),
        table.c.kind == "usage",
    )
    return {row.starts_at for row in await ledger.rows(query)}


async def charges_of_month(ledger: Ledger, first: date, moment: float) -> list[Charge]:
    """Give the charges that become final in a month, each by its own local time.

    `first` is the month's first day. What is due to be final at the moment is, noted or not.
    """
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    # Local time is within a day of UTC, and no month has more than 31 of them.
    since, until = begin - timedelta(days=1), begin + timedelta(days=32)
    final_at = schema.charges.c.final_at
    query = select(schema.charges).where(final_at.between(since.timestamp(), until.timestamp()))
    return [
        charge._replace(final=charge.final or charge.final_at <= moment)
        for charge in await _charges(ledger, query)
        if charge.month == first
    ]


async def _charges(ledger: Ledger, query: Select[Any]) -> list[Charge]:
    return [_charge_of(row) for row in await ledger.rows(query.order_by(schema.charges.c.id))]


def _told(charge: Charge) -> dict[str, Value]:
    """Give what the record says of a charge: all its figures."""
    text: dict[str, Value] = {"text": charge.text} if charge.text else {}
    return {
        "charge": charge.id,
        "kind": charge.kind,
        "rule": charge.rule,
        "scope": dict(charge.scope),
        "from": charge.starts_at,
        "until": charge.ends_at,
        **measured(charge),
        "units": charge.units,
        "currency": charge.currency,
        "amount": f"{charge.amount:f}",
        "arithmetic": arithmetic(charge),
        **text,
    }


def _money(charge: Charge) -> dict[str, Value]:
    return {
        "charge": charge.id,
        "currency": charge.currency,
        "amount": f"{charge.amount:f}",
        "waived": f"{charge.waived:f}",
        "due": f"{charge.due:f}",
    }


def _entry(
    charge: Charge, kind: EntryKind, moment: float, by: str, data: dict[str, Value]
) -> Entry:
    return Entry(moment, kind, charge.account, charge.case, by, data)


_COLUMNS = (
    "tenant",
    "account",
    "rule",
    "kind",
    "starts_at",
    "ends_at",
    "made_at",
    "final_at",
    "units",
    "currency",
    "reason",
    "final",
)


def _values(charge: Charge) -> dict[str, object]:
    """Give a charge's columns, but its number."""
    worked_out = {**measured(charge), **arithmetic(charge), "text": charge.text}
    return {
        **{name: getattr(charge, name) for name in _COLUMNS},
        "case_id": charge.case,
        "scope": scope_text(charge.scope),
        "amount": f"{charge.amount:f}",
        "waived": f"{charge.waived:f}",
        "arithmetic": json.dumps(worked_out, separators=(",", ":")),
    }


def _charge_of(row: Any) -> Charge:
    """Read a charge as the ledger keeps it."""
    known = json.loads(row.arithmetic)
    return Charge(
        id=row.id,
        case=row.case_id,
        scope=parse_scope(row.scope),
        amount=Decimal(row.amount),
        waived=Decimal(row.waived),
        notified_at=known["notified_at"],
        basis=known["basis"],
        figures=Figures(*(known[name] for name in Figures._fields)),
        decimals=known["decimals"],
        lines=tuple(map(line_of, known["lines"])),
        zone=known["zone"],
        text=known["text"],
        **{name: getattr(row, name) for name in _COLUMNS},
    )
