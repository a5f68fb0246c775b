"""The choices that customers made, as the record has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from fairuse.rules.choices import Choice
from fairuse.stores import schema
from fairuse.stores.record import entry_of

if TYPE_CHECKING:
    from fairuse.stores.ledger import Ledger


async def choices_made(ledger: Ledger, account: str) -> dict[int, list[Choice]]:
    """Give the choices in the cases of an account, oldest first, by case. Raises LedgerError."""
    table = schema.record
    query = select(table).where(table.c.account == account, table.c.kind == "choice.made")
    made: dict[int, list[Choice]] = {}
    for entry in map(entry_of, await ledger.rows(query.order_by(table.c.number))):
        option, via = str(entry.data.get("choice")), str(entry.data.get("via"))
        made.setdefault(entry.case, []).append(Choice(option, entry.at, entry.by, via))
    return made
