"""What was let in before a crash and is over a soft limit, though nobody has noted it yet.

A strict journal writes units when they are let in, and a breach when it is settled. A crash between
the two leaves units without the breach they are (F-39). Which amount they were let in under nobody
knows by then: they are over only where they are over all that held since the window began (P7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.claims import Claim
from fairuse.stores.claimed import crossing_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.tally import Tally
    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.protocol import Crossing


def gone_over(
    tallies: Iterable[Tally], limits: Sequence[LimitTerms], at: Instant
) -> Iterator[Crossing]:
    """Give what there is to tell of an account's tallies, as they were restored."""
    soft = {
        (limit.name, limit.window_text): limit
        for limit in limits
        if not limit.hard and limit.kind == "flow"
    }
    for tally in tallies:
        limit = soft.get((tally.key.limit, tally.key.window))
        if limit is None or not tally.live:
            continue
        limit, latest = limit.within(tally.key.scope), tally.slots[-1]
        amount = limit.highest(tally.opened_at, at.wall)
        if amount is not None and tally.reading(latest) > amount.value:
            claim = Claim(limit, tally.key.scope, amount.value, 0, limit.span(at.wall))
            latest.crossed = True
            yield crossing_of(claim, tally, latest, at)
