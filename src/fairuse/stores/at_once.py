"""Many questions to the ledger at once: a query each would take too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import literal_column, select, union_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement

    from fairuse.stores.ledger import Ledger

MOST_ASKED = 100
"""Questions in one query; SQLite takes 500."""


async def answers(
    ledger: Ledger, what: ColumnElement[Any], wanted: Iterable[Sequence[ColumnElement[bool]]]
) -> list[Any]:
    """Give the same sum or count of what each of some conditions finds, in their order."""
    queries = [
        select(literal_column(str(number)).label("number"), what.label("found")).where(*conditions)
        for number, conditions in enumerate(wanted)
    ]
    found: dict[int, Any] = {}
    for first in range(0, len(queries), MOST_ASKED):
        some = union_all(*queries[first : first + MOST_ASKED]).subquery()
        found |= {row.number: row.found for row in await ledger.rows(select(some))}
    return [found[number] for number in range(len(queries))]
