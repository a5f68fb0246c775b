"""Letters in a ledger: cases and notices to write, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update
from tests.support import NOON

from fairuse.rules.ladder import Case
from fairuse.stores import schema
from fairuse.stores.casebook import open_case, write_notice
from fairuse.stores.outbox import letters
from fairuse.stores.record import entries_of
from fairuse.stores.rows import NoticeRow

if TYPE_CHECKING:
    from fairuse.rules.record import Entry
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.letters import Letter

CASE = Case(
    id=0,
    tenant="salon",
    account="salon",
    rule="appointments-per-month",
    scope=(("location", "centrum"),),
    starts_at=NOON - 86_400,
    ends_at=NOON + 86_400,
    opened_at=NOON,
    state="open",
    reading=5_001,
    amount=5_000,
    policy="booking",
)
NOTICE = NoticeRow(
    tenant="salon",
    account="salon",
    rule="appointments-per-month",
    written_at=NOON,
    reading=5_001,
    amount=5_000,
    source="policy",
    language="nl",
    contact=("mailto:anna@salon.example",),
    subject="Uw gebruik",
    body="5.001 van 5.000\n\nGroet €",
    kind="over",
)


async def told(ledger: Ledger, *channels: str, must_by: float | None = None) -> list[Letter]:
    """Open a case whose notice goes to some contacts, and give the letters."""
    notice = NOTICE._replace(must_by=must_by)
    assert await open_case(ledger, CASE, lambda _opened: notice, channels)
    return await everything(ledger)


async def noticed(ledger: Ledger, *channels: str, must_by: float | None = None) -> list[Letter]:
    """Write a notice that belongs to no case, and give the letters."""
    assert await write_notice(ledger, NOTICE._replace(must_by=must_by), channels)
    return await everything(ledger)


async def everything(ledger: Ledger) -> list[Letter]:
    """Give all letters, whatever their state."""
    return await letters(ledger, "waiting", "delivered", "dead", "to do")


async def the_case(ledger: Ledger) -> Case:
    """Give the one case there is."""
    [case] = await ledger.cases("salon")
    return case


async def delivered(ledger: Ledger) -> list[Entry]:
    """Give what the record says of deliveries."""
    return [each for each in await entries_of(ledger) if each.kind == "notice.delivered"]


async def close_case(ledger: Ledger) -> None:
    """Have the case end before its notice was delivered."""
    async with ledger.transaction() as connection:
        await connection.execute(update(schema.cases).values(state="closed", version=9))


async def delivered_at(ledger: Ledger) -> float | None:
    """Give when the one notice was delivered first."""
    [row] = await ledger.rows(select(schema.notices.c.delivered_at))
    moment: float | None = row.delivered_at
    return moment
