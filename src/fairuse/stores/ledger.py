"""The ledger: usage, open windows, cases, notices and blocks, in SQLite or PostgreSQL.

The journal, the background stages and the gateway's own pages call it; no request that goes on to
the upstream reads it. Every write is one transaction. A database that can't be opened, or was
written by a newer version, is an error that leaves it as it is (F-41, F-42).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    and_,
    delete,
    exists,
    or_,
    select,
    tuple_,
)

from fairuse.base.errors import InDoubt
from fairuse.rules.blocks import Block
from fairuse.rules.tally import KEPT_SECONDS, TallyKey
from fairuse.stores import schema
from fairuse.stores.case_rows import case_of
from fairuse.stores.database import Database
from fairuse.stores.evidence_rows import forget_evidence
from fairuse.stores.rows import (
    FOREVER,
    Batch,
    ItemRow,
    MemberRow,
    NoticeRow,
    SlotRow,
    UsageKey,
    parse_scope,
)
from fairuse.stores.statements import batch_statements, driver_sql, item_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Exists

    from fairuse.rules.ladder import Case
    from fairuse.stores.backend import Backend
    from fairuse.stores.journal import EventKey

Row = TypeVar("Row")

SLOT = ("account", "limit_name", "window_text", "scope", "slot")
ROWS_IN_A_TURN = 64
MOST_TURNS = 32
TURN_SECONDS = 0.0002
"""How much is written before the requests, which may have the same core, have their turn.

Without it they wait until all is written. Where the loop is busy a turn takes it 5 ms, which is
what Python lets another thread wait; so a large batch has larger parts, and no more turns.
"""
TOLD_KEPT = 400 * 86_400
"""How many seconds is kept what was told and is done with: longer than anybody retries or asks."""


class Ledger(Database):
    """What is remembered, and how it is asked for."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._in_doubt: tuple[InDoubt, Batch] | None = None

    async def write(self, batch: Batch) -> None:
        """Write a batch of the journal, whole or not at all. Raises LedgerError.

        A batch that raised it is written again, with more: in the next one is all that was in it.
        """
        batch = await self._less_what_is_there(batch)

        def work(connection: Connection) -> None:
            for statement, rows in batch_statements(batch, self.dialect):
                for some in _in_turns(rows):
                    connection.exec_driver_sql(*driver_sql(statement, some, self.dialect))
            for item in batch.items:
                connection.execute(item_statement(item, self.dialect))

        try:
            await self.at_once(work)
        except InDoubt as error:
            self._in_doubt = error, batch
            raise

    async def _less_what_is_there(self, batch: Batch) -> Batch:
        """Leave out what was added up after all; whatever else is in a batch may be twice."""
        if self._in_doubt is None:
            return batch
        error, written = self._in_doubt
        if await error.committed():
            usage = Counter(dict(batch.usage)) - Counter(dict(written.usage))
            evidence = Counter(dict(batch.evidence)) - Counter(dict(written.evidence))
            batch = batch._replace(usage=[*usage.items()], evidence=[*evidence.items()])
        self._in_doubt = None
        return batch

    async def open_slots(self, moment: float) -> list[SlotRow]:
        """Give the slots that are kept, and the latest of each level, oldest first."""
        table = schema.slots
        level = and_(table.c.level > 0, ~_newer_slot())
        query = select(table).where(or_(~_over(moment), level)).order_by(table.c.slot)
        return [
            SlotRow(_key(row), row.slot, row.ends_at, row.units, row.measure, row.level)
            for row in await self.rows(query)
        ]

    async def members(self, moment: float) -> list[MemberRow]:
        """Give who was told apart in the slots that are kept."""
        table, slots = schema.members, schema.slots
        same = [table.c[name] == slots.c[name] for name in SLOT]
        query = select(table).join(slots, and_(*same)).where(~_over(moment))
        return [MemberRow(_key(row), row.slot, row.member) for row in await self.rows(query)]

    async def blocks_since(self, moment: float) -> list[Block]:
        """Give the blocks that ended after a moment or run still, oldest first."""
        table = schema.blocks
        query = select(table).where(table.c.ends_at > moment).order_by(table.c.id)
        return [
            Block(row.address, row.account, row.rule, row.starts_at, row.ends_at, row.repetition)
            for row in await self.rows(query)
        ]

    async def cases(self, account: str = "", *, closed: bool = True) -> list[Case]:
        """Give the cases of one account or all, the closed ones too or not, oldest first."""
        table = schema.cases
        query = select(table).order_by(table.c.id)
        if account:
            query = query.where(table.c.account == account)
        if not closed:
            query = query.where(table.c.state != "closed")
        return [case_of(row) for row in await self.rows(query)]

    async def notices(self, account: str, at_most: int = 50) -> list[NoticeRow]:
        """Give the latest notices of an account, newest first."""
        table = schema.notices
        query = (
            select(table)
            .where(table.c.account == account)
            .order_by(table.c.id.desc())
            .limit(at_most)
        )
        return [
            NoticeRow(
                row.tenant,
                row.account,
                row.rule,
                row.written_at,
                row.reading,
                row.amount,
                row.source,
                row.language,
                tuple(json.loads(row.contact)),
                row.subject,
                row.body,
                row.kind,
                row.once,
            )
            for row in await self.rows(query)
        ]

    async def usage(self, account: str) -> dict[UsageKey, int]:
        """Give the usage of an account, by location, meter and hour."""
        table = schema.usage
        rows = await self.rows(select(table).where(table.c.account == account))
        return {UsageKey(row.account, row.location, row.meter, row.hour): row.units for row in rows}

    async def known_events(self, keys: Sequence[EventKey]) -> set[EventKey]:
        """Give those of some usage events, by sender, source and id, that were counted (P8)."""
        table = schema.events
        name = tuple_(table.c.sender, table.c.source, table.c.id)
        rows = await self.rows(
            select(table.c.sender, table.c.source, table.c.id).where(name.in_(keys))
        )
        return {(row.sender, row.source, row.id) for row in rows}

    async def items(self, opened_before: float = FOREVER, *, aged: bool = False) -> list[ItemRow]:
        """Give the items that are open since before a moment, oldest first; or those that aged."""
        table = schema.items
        query = (
            select(*(table.c[name] for name in ItemRow._fields))
            .where(table.c.opened_at < opened_before, table.c.aged.is_(aged))
            .where(table.c.closed_at.is_(None))
            .order_by(table.c.opened_at)
        )
        return [ItemRow(*row) for row in await self.rows(query)]

    async def prune(self, moment: float) -> None:
        """Drop what is over: slots, closed items, old evidence, and what was told over a year ago.

        That is the ids of usage events, and the letters that arrived; those that did not stay. So
        do the latest slot of a level, usage, cases, notices but for their evidence, blocks,
        breaches, and the record, which says of each notice when and where it arrived.
        """
        slots, members = schema.slots, schema.members
        over = and_(_over(moment), or_(slots.c.level == 0, _newer_slot()))
        kept = exists().where(and_(*(members.c[name] == slots.c[name] for name in SLOT)))
        async with self.transaction() as connection:
            await connection.execute(delete(slots).where(over))
            await connection.execute(delete(members).where(~kept))
            told = schema.events.c.told_at
            await connection.execute(delete(schema.events).where(told < moment - TOLD_KEPT))
            await connection.execute(delete(schema.deliveries).where(*_arrived(moment - TOLD_KEPT)))
            closed = schema.items.c.closed_at
            await connection.execute(delete(schema.items).where(closed < moment - KEPT_SECONDS))
            await forget_evidence(connection, moment)


def _arrived(before: float) -> tuple[ColumnElement[bool], ...]:
    """Find the letters that arrived before a moment."""
    table = schema.deliveries.c
    # When it would have been due again is a day later at most, and is what the index knows.
    return (table.state == "delivered", table.due_at < before, table.delivered_at < before)


def _in_turns(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Give rows part by part, with a pause between two."""
    size = max(ROWS_IN_A_TURN, math.ceil(len(rows) / MOST_TURNS))
    for start in range(0, len(rows), size):
        if start:
            sleep(TURN_SECONDS)
        yield rows[start : start + size]


def _over(moment: float) -> ColumnElement[bool]:
    """Find slots of which nothing is needed: usage of a calendar window may still be told late."""
    table = schema.slots
    calendar = table.c.window_text.startswith("calendar")
    return or_(table.c.ends_at <= moment - KEPT_SECONDS, and_(table.c.ends_at <= moment, ~calendar))


def _newer_slot() -> Exists:
    """Say of a slot whether there is a later one of the same window and scope."""
    slots, later = schema.slots, schema.slots.alias()
    same = [slots.c[name] == later.c[name] for name in SLOT[:-1]]
    return exists().where(and_(*same, later.c.slot > slots.c.slot))


def _key(row: Any) -> TallyKey:
    return TallyKey(row.account, row.limit_name, row.window_text, parse_scope(row.scope))
