"""Escalate: off the request's way, turn a crossed soft limit into a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.stores.protocol import Crossing
from fairuse.stores.rows import CaseRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.base.instant import Instant
    from fairuse.rules.terms import Terms
    from fairuse.stores.protocol import Counters


def escalate(crossing: Crossing, terms: Terms, at: Instant) -> CaseRow:
    """Give the case that a crossing opens; the same window and scope always give the same one."""
    return CaseRow(
        tenant=terms.tenant,
        account=crossing.account,
        rule=crossing.limit.name,
        scope=crossing.scope,
        starts_at=crossing.starts_at,
        ends_at=crossing.ends_at,
        opened_at=at.wall,
        state="open",
    )


def overlooked(account: str, terms: Terms, counters: Counters, at: Instant) -> Iterator[Crossing]:
    """Find the soft limits an account is over, whose crossing a crash may have swallowed."""
    for reading in counters.read(account, at):
        limit = terms.limit(reading.limit)
        if limit is None or limit.hard:
            continue
        amount = limit.amount(at.wall).value
        if reading.settled > amount:
            yield Crossing(
                account,
                limit,
                reading.scope,
                amount,
                reading.settled,
                reading.starts_at,
                reading.ends_at,
            )
