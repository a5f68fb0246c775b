"""The counts of cases as they stand now: the ledger's are up to a minute old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.errors import StoreError
from fairuse.base.log import logger
from fairuse.rules.peaks import counted
from fairuse.stages.assess import reading_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.ladder import Case
    from fairuse.rules.terms import Terms
    from fairuse.stores.protocol import Counters, Reading

log = logger(__name__)


async def brought_up_to_date(
    cases: Sequence[Case], terms: Terms, counters: Counters, at: Instant
) -> list[Case]:
    """Give an account's cases with the latest counts; as they are, while nobody can be asked."""
    if all(case.state == "closed" for case in cases):
        return [*cases]
    try:
        readings = await counters.read(terms.account, at)
    except StoreError as error:
        log.error("counters.not_read", account=terms.account, reason=str(error))
        readings = []
    return [_latest(case, terms, readings, at.wall) for case in cases]


def _latest(case: Case, terms: Terms, readings: Sequence[Reading], moment: float) -> Case:
    """Give a case with the count of its own window, if that is still open."""
    limit = terms.limit(case.rule)
    reading = reading_of(case, limit, readings) if limit is not None else None
    if (
        case.state == "closed"
        or limit is None
        or reading is None
        or reading.starts_at != case.starts_at
    ):
        return case
    return counted(case, limit, reading.settled, moment)
