"""What the ledger has of everybody's use in some spans of time: one query, however many use it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Double, and_, case, cast, func, literal_column, select

from fairuse.stores import schema

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

    from sqlalchemy import Select

    from fairuse.rules.windows import Span
    from fairuse.stores.ledger import Ledger

MOST_EDGES = 400
"""Of spans in one query; a database has so many columns, and no more."""
AT_ONCE = 1_000
"""Rows that are fetched together."""


class Used(NamedTuple):
    """What an account, or one location of it, used of a meter.

    `sums` are the counted units between one edge of the spans and the next.
    """

    account: str
    location: str
    sums: Sequence[float]
    edges: Mapping[int, int]

    def within(self, span: Span) -> int:
        """Give what was used in one of the spans that were asked for."""
        return int(sum(self.sums[self.edges[span.start] : self.edges[span.end]]))


async def used_in_spans(
    ledger: Ledger, meter: str, spans: Iterable[Span], *, by_location: bool = False
) -> AsyncGenerator[Used, None]:
    """Give what everybody used of a meter, account by account, who used nothing left out.

    The database adds up, and hands the rows over some at a time, so a hundred thousand accounts
    need no more memory than a few. Raises LedgerError.
    """
    edges = sorted({edge for span in spans for edge in span})
    place = {edge: index for index, edge in enumerate(edges)}
    async with ledger.reading() as connection:
        result = await connection.stream(_query(meter, edges, by_location=by_location))
        async for rows in result.partitions(AT_ONCE):
            for account, location, *sums in rows:
                yield Used(account, location, sums, place)


def _query(meter: str, edges: Sequence[int], *, by_location: bool) -> Select[Any]:
    table = schema.usage
    units = cast(table.c.units, Double)
    between = [
        func.sum(case((and_(table.c.hour >= start, table.c.hour < end), units), else_=0.0))
        for start, end in itertools.pairwise(edges)
    ]
    parts = [table.c.account, *([table.c.location] if by_location else [])]
    location = table.c.location if by_location else literal_column("''")
    return (
        select(table.c.account, location, *between)
        .where(table.c.meter == meter, table.c.hour >= edges[0], table.c.hour < edges[-1])
        .group_by(*parts)
    )
