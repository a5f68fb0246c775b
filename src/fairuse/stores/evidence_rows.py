"""Where use came from, as the ledger keeps it: added up by account, location, meter and day."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import Double, cast, delete, func, select, update

from fairuse.rules.evidence import KEPT_SECONDS, about_case, evidence_in
from fairuse.stores import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.rules.evidence import About, Evidence, Kind
    from fairuse.rules.ladder import Case
    from fairuse.rules.terms import Terms
    from fairuse.stores.ledger import Ledger

MOST_NAMED = 500
"""Accounts in one statement: databases take only so many."""


async def counted_about(ledger: Ledger, about: About) -> Counter[tuple[Kind, str]]:
    """Give what the ledger has counted of what one asks about. Raises LedgerError."""
    table = schema.evidence
    there = () if about.location is None else (table.c.location == about.location,)
    query = (
        select(table.c.kind, table.c.value, func.sum(cast(table.c.units, Double)).label("units"))
        .where(
            table.c.account == about.account,
            table.c.meter == about.meter,
            table.c.day >= about.since,
            table.c.day < about.until,
            *there,
        )
        .group_by(table.c.kind, table.c.value)
    )
    rows = await ledger.rows(query)
    return Counter({(row.kind, row.value): int(row.units) for row in rows})


async def evidence_kept(ledger: Ledger, case: Case, terms: Terms, moment: float) -> Evidence | None:
    """Give where the use that a case is about came from, as far as the ledger knows.

    Raises LedgerError.
    """
    about = about_case(case, terms, moment)
    if about is None:
        return None
    return evidence_in(await counted_about(ledger, about), about.since, terms.zone)


async def forget_evidence(connection: AsyncConnection, moment: float) -> None:
    """Drop what is older than evidence is kept, also out of the notices that told of it."""
    before = moment - KEPT_SECONDS
    evidence, notices = schema.evidence, schema.notices
    await connection.execute(delete(evidence).where(evidence.c.day < before))
    old = (notices.c.evidence != "", notices.c.written_at < before)
    await connection.execute(update(notices).where(*old).values(evidence=""))


async def forget_evidence_of(ledger: Ledger, accounts: Sequence[str]) -> None:
    """Drop all evidence of accounts of which none is kept any more."""
    evidence, notices = schema.evidence, schema.notices
    for first in range(0, len(accounts), MOST_NAMED):
        some = accounts[first : first + MOST_NAMED]
        async with ledger.transaction() as connection:
            await connection.execute(delete(evidence).where(evidence.c.account.in_(some)))
            told = (notices.c.evidence != "", notices.c.account.in_(some))
            await connection.execute(update(notices).where(*told).values(evidence=""))
