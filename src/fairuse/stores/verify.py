"""Verify: prove from the record that every promise was kept, and that nobody changed it.

The chain is computed again, entry by entry, up to its head; each entry is asked which promise it
breaks; and what the tables say of cases, measures and charges is compared with what was recorded.
All of it as of one moment, beside gateways that go on writing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from fairuse.base.errors import LedgerError
from fairuse.rules.promises import broken_by
from fairuse.rules.read_entry import text
from fairuse.rules.recorded import SoFar
from fairuse.stores import schema
from fairuse.stores.reconcile import differences
from fairuse.stores.record import EMPTY, chained, entry_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.rules.record import Entry
    from fairuse.rules.recorded import ChargeSoFar
    from fairuse.stores.ledger import Ledger

PAGE = 1_000
"""Entries read at a time."""

CHAIN = "chain"
STEPS = "steps"
TABLES = "tables"


class Violation(NamedTuple):
    """Something that is not as it should be: the promise, or CHAIN, STEPS or TABLES; and why."""

    of: str
    entry: int | None
    why: str

    def __str__(self) -> str:
        where = "" if self.entry is None else f"entry {self.entry}: "
        return f"{self.of}: {where}{self.why}"


@dataclass(slots=True)
class Verified:
    """What was verified: how many entries, up to which hash, what is wrong, and every charge."""

    entries: int = 0
    head: str = EMPTY
    violations: list[Violation] = field(default_factory=list)
    charges: list[ChargeSoFar] = field(default_factory=list)


async def verify(ledger: Ledger, kept_head: str | None = None) -> Verified:
    """Verify the whole record. Raises LedgerError where it can't be read.

    `kept_head` is the hash of an earlier head, kept where nobody can write who can write into the
    ledger: the chain has to go through it still.
    """
    reader = _Reader(kept_head)
    async with ledger.reading() as connection:
        async for row in _rows(connection):
            reader.take(row)
        heads = (await connection.execute(select(schema.record_head))).all()
        reader.end([(head.number, head.hash) for head in heads])
        async for difference in differences(connection, reader.so_far):
            reader.found(TABLES, None, difference)
    reader.verified.charges = [*reader.so_far.charges.values()]
    return reader.verified


async def _rows(connection: AsyncConnection) -> AsyncIterator[Any]:
    """Give the record's rows in their order, a page at a time."""
    table = schema.record
    query = select(table).order_by(table.c.number).limit(PAGE)
    page = (await connection.execute(query)).all()
    while page:
        for row in page:
            yield row
        after = query.where(table.c.number > page[-1].number)
        page = (await connection.execute(after)).all()


class _Reader:
    """Follows the chain, and asks of each entry whether it breaks a promise."""

    def __init__(self, kept_head: str | None) -> None:
        self.verified = Verified()
        self.so_far = SoFar()
        self._kept = kept_head or None
        self._kept_is_there = False
        self._number = 0

    def found(self, of: str, entry: int | None, why: str) -> None:
        """Note something that is not as it should be."""
        self.verified.violations.append(Violation(of, entry, why))

    def take(self, row: Any) -> None:
        """Take the next row of the record."""
        self._follow(row)
        try:
            entry = entry_of(row)
        except LedgerError as error:
            self.found(CHAIN, row.number, str(error))
            return
        for broken in broken_by(entry, self.so_far):
            self.found(broken.promise, row.number, broken.why)
        self._see_the_step(row.number, entry)
        self.so_far.add(entry)

    def end(self, heads: list[tuple[int, str]]) -> None:
        """Compare the end of the chain with the head, and with the one that was kept."""
        end = (self._number, self.verified.head)
        if heads != [end]:
            said = " and ".join(f"{number} ({hash_})" for number, hash_ in heads) or "missing"
            self.found(CHAIN, None, f"the record ends at {end[0]} ({end[1]}), its head is {said}")
        if self._kept is not None and not self._kept_is_there:
            self.found(CHAIN, None, f"the chain does not go through {self._kept}")

    def _follow(self, row: Any) -> None:
        expected = self._number + 1
        if row.number != expected:
            self.found(CHAIN, row.number, f"entry {expected} is missing before it")
        elif row.hash != _hash_of(row, self.verified.head):
            self.found(CHAIN, row.number, "it is not what was recorded, or not after that entry")
        self._number = row.number if isinstance(row.number, int) else expected
        self.verified.head = row.hash
        self.verified.entries += 1
        self._kept_is_there |= row.hash == self._kept

    def _see_the_step(self, number: int, entry: Entry) -> None:
        """See that a case moves from where it was."""
        case = self.so_far.cases.get(entry.case)
        if entry.kind != "case.moved" or case is None or case.state == text(entry, "from"):
            return
        why = f"case {entry.case} was {case.state}, and moves from {text(entry, 'from')}"
        self.found(STEPS, number, why)


def _hash_of(row: Any, previous: str) -> str:
    try:
        return chained(previous, dict(row._mapping))  # noqa: SLF001  its public name in SQLAlchemy
    except TypeError:  # bytes, where a text was
        return EMPTY
