"""Assess: find out how the use that cases are about stands now.

The ledger is asked about all of them together, and only where the answer changes what comes next.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.attribution import counts_since
from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.ladder import Facts, next_move
from fairuse.rules.windows import HOUR, Span, hour_of
from fairuse.stores.history import Breached, breaches_in
from fairuse.stores.usage import Use, use_of, used_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.ladder import Case
    from fairuse.rules.measures import Measure
    from fairuse.rules.process import Ladder
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Reading

LONGER = 1.2
"""A month may be longer than the one before it."""
OBSERVED = 86_400
"""Seconds after which a pace says something; before that, the count itself is looked at.

Of a grace that is not much longer, half of it is enough, but an hour at least: usage is kept by the
hour.
"""


class Pace(NamedTuple):
    """What was used since the notice, and how much of it would lead to the amount and no more."""

    use: Use
    most: float


class Sight(NamedTuple):
    """A case as it is seen at a moment, without the ledger.

    `facts` go by the count alone. Where the ledger may change what comes next, `pace` is what to
    judge the use by, `again` what must not have come again, and `breached` which windows to count
    for a ladder that waits for several.
    """

    case: Case
    ladder: Ladder
    moment: float
    facts: Facts
    pace: Pace | None
    again: Breached | None
    breached: Breached | None

    @property
    def decided(self) -> bool:
        """Say whether the same comes next, whatever the ledger says."""
        overs = (False, True) if self.pace or self.again else (self.facts.still_over,)
        counts = (1, self.ladder.persists) if self.breached else (1,)
        possible = [
            self.facts._replace(still_over=over, breaches=count)
            for over, count in product(overs, counts)
        ]
        first, *others = (
            next_move(self.case, self.ladder, facts, self.moment) for facts in possible
        )
        return all(other == first for other in others)


def look_at(
    case: Case,
    terms: Terms,
    reading: Reading | None,
    measure: Measure | None,
    at: Instant,
    late: float,
) -> Sight:
    """See what is known of a case without the ledger.

    `reading` is that of its limit now; `late` is how many seconds usage may be told late.
    """
    limit = terms.limit(case.rule)
    in_force = measure is not None and measure.starts_at is not None
    still_over = not in_force  # where no limit can say so, a person decides, and nothing lasts
    ladder, since = terms.rules.ladder, _since(case, measure)
    pace = again = None
    if limit is not None:
        limit = limit.within(case.scope)
        amount = limit.amount(at.wall)
        used = reading.used if reading is not None else 0
        still_over = amount is not None and used > amount.value
        if amount is not None:
            pace = _pace(case, limit, amount.value, since, ladder.grace, at.wall)
    elif case.rule == OVERLOAD:
        still_over = True
        again = _overloads(case, terms, since, at.wall)
    facts = Facts(
        still_over=still_over,
        window_over=at.wall >= case.ends_at + late,
        measure=measure,
        policy_changed=case.policy != terms.version,
    )
    sight = Sight(case, ladder, at.wall, facts, pace, again, _breached(case, ladder.persists))
    return sight._replace(pace=None, again=None, breached=None) if sight.decided else sight


async def assess(sights: Sequence[Sight], ledger: Ledger) -> list[Facts]:
    """Give the facts about cases, as far as something depends on them. Raises LedgerError."""
    paces = [sight.pace for sight in sights if sight.pace]
    windows = [each for sight in sights for each in (sight.again, sight.breached) if each]
    used = await used_in(ledger, [pace.use for pace in paces])
    breaches = await breaches_in(ledger, windows)
    over: dict[object, bool] = {
        pace: units > pace.most for pace, units in zip(paces, used, strict=True)
    }
    counted = dict[object, int](zip(windows, breaches, strict=True))
    over |= {sight.again: counted[sight.again] > 0 for sight in sights if sight.again}
    return [
        sight.facts._replace(
            still_over=over.get(sight.pace or sight.again, sight.facts.still_over),
            breaches=max(1, counted.get(sight.breached, 1)),
        )
        for sight in sights
    ]


def reading_of(case: Case, limit: LimitTerms, readings: Iterable[Reading]) -> Reading | None:
    """Find the reading of a case's limit and scope."""
    wanted = (limit.name, limit.window_text, case.scope)
    return next(
        (each for each in readings if (each.limit, each.window, each.scope) == wanted), None
    )


def _since(case: Case, measure: Measure | None) -> float:
    """Give the moment from which on a customer can be seen to have brought the use back."""
    if measure is not None and measure.starts_at is not None:
        return measure.starts_at
    return case.opened_at if case.notified_at is None else case.notified_at


def _pace(
    case: Case, limit: LimitTerms, amount: int, since: float, grace: float, moment: float
) -> Pace | None:
    """Give what the pace since a moment is measured by; None where it says nothing (yet).

    In a window that only grows, the pace alone can show that the use was brought back (A17).
    """
    span = limit.span(moment)
    begin = hour_of(since, limit.zone) + HOUR  # usage is kept by the hour
    elapsed = moment - begin
    if span is None or elapsed < max(min(OBSERVED, grace / 2) - HOUR, HOUR):
        return None
    use = use_of(limit, case.account, case.scope, Span(begin, math.ceil(moment)))
    return None if use is None else Pace(use, amount * elapsed / (span.end - span.start))


def _overloads(case: Case, terms: Terms, since: float, moment: float) -> Breached | None:
    """Give the overload of the platform that is too much, as far back as that counts.

    None where it is too early for there being none to say anything.
    """
    if moment - since < min(OBSERVED, terms.rules.ladder.grace / 2):
        return None
    if terms.rules.overload is not None:
        since = max(since, counts_since(terms.rules.overload.case_after, moment, terms))
    return Breached(case.account, OVERLOAD, case.scope, since)


def _breached(case: Case, persists: int) -> Breached | None:
    """Give which windows count where several are needed: those before the case's, too (C19).

    The last of several has persisted like the others.
    """
    if persists == 1:
        return None
    before = (persists - 1) * (case.ends_at - case.starts_at) * LONGER
    return Breached(case.account, case.rule, case.scope, case.starts_at - before)
