"""The record in the ledger: entries are added, never changed, each hashed with the one before.

Whoever changes, removes or inserts one breaks the chain (S20); whoever cuts its end off no longer
agrees with its head. What would break a promise is not written, and so not done.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, or_, select, update

from fairuse.base.errors import PromiseBroken, RecordSpoiled
from fairuse.rules.promises import broken_by, looks_back
from fairuse.rules.record import NO_CASE, Entry
from fairuse.rules.recorded import FOLDED, SoFar
from fairuse.stores import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.stores.ledger import Ledger

EMPTY = ""
"""The hash before the first entry."""


async def append(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Add entries, as a part of the transaction that does what they say.

    To be the first in it: taking the head's row keeps other writers out until the transaction ends,
    so that the chain has no two ends.

    Raises PromiseBroken, which the transaction must not survive, where one breaks a promise.
    """
    head = schema.record_head
    take = update(head).values(number=head.c.number + len(entries))
    taken = await connection.execute(take.returning(head.c.number, head.c.hash))
    number, previous = taken.one()
    await _keep_the_promises(connection, entries)
    number -= len(entries)
    rows = []
    for entry in entries:
        number += 1
        row = _row(number, entry)
        previous = row["hash"] = chained(previous, row)
        rows.append(row)
    await connection.execute(insert(schema.record), rows)
    await connection.execute(update(head).values(hash=previous))


async def entries_of(ledger: Ledger, case: int | None = None) -> list[Entry]:
    """Give the entries of a case, or all of them, in their order."""
    table = schema.record
    query = select(table).order_by(table.c.number)
    if case is not None:
        query = query.where(table.c.case_id == case)
    return [entry_of(row) for row in await ledger.rows(query)]


def entry_of(row: Any) -> Entry:
    """Read an entry as the ledger keeps it. Raises RecordSpoiled where somebody has spoiled it."""
    try:
        data = json.loads(row.data)
    except (ValueError, TypeError):
        data = None
    figures = isinstance(row.at, int | float) and isinstance(row.case_id, int)
    if not (figures and isinstance(data, dict)):
        raise RecordSpoiled(f"entry {row.number} of the record can't be read")
    return Entry(row.at, row.kind, row.account, row.case_id, row.author, data)


def chained(previous: str, row: dict[str, Any]) -> str:
    """Give the hash of an entry's row, after the one before it."""
    text = json.dumps(
        [previous, *(row[name] for name in _HASHED)], separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(text.encode()).hexdigest()


_HASHED = ("number", "at", "kind", "account", "case_id", "author", "data")


def _row(number: int, entry: Entry) -> dict[str, Any]:
    data = json.dumps(
        entry.data, separators=(",", ":"), sort_keys=True, ensure_ascii=True, allow_nan=False
    )
    return {
        "number": number,
        "at": float(entry.at),  # as it is read again, so that the hash is of the same text
        "kind": entry.kind,
        "account": entry.account,
        "case_id": entry.case,
        "author": entry.by,
        "data": data,
        "hash": "",
    }


async def _keep_the_promises(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Ask of each entry whether it breaks a promise, after those before it."""
    so_far = SoFar()
    for entry in await _before(connection, [entry for entry in entries if looks_back(entry)]):
        so_far.add(entry)
    for entry in entries:
        for broken in broken_by(entry, so_far):
            raise PromiseBroken(broken.promise, broken.why)
        so_far.add(entry)


async def _before(connection: AsyncConnection, entries: Sequence[Entry]) -> list[Entry]:
    """Give what was recorded of the same cases, and of the warnings before charges."""
    table = schema.record
    wanted = [table.c.case_id == case for case in {entry.case for entry in entries} - {NO_CASE}]
    for account in {entry.account for entry in entries if entry.kind == "charge.made"}:
        of_no_case = and_(table.c.account == account, table.c.case_id == NO_CASE)
        wanted.append(and_(of_no_case, table.c.kind.startswith("notice.")))
    if not wanted:
        return []
    query = select(table).where(or_(*wanted), table.c.kind.in_(FOLDED)).order_by(table.c.number)
    return [entry_of(row) for row in await connection.execute(query)]
