"""Assess: find out how the use that a case is about stands now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.attribution import counts_since
from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.ladder import Facts
from fairuse.rules.windows import Span
from fairuse.stores.history import breaches_since, hourly_usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.base.instant import Instant
    from fairuse.rules.ladder import Case
    from fairuse.rules.measures import Measure
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Reading

HOUR = 3_600
LONGER = 1.2
"""A month may be longer than the one before it."""
OBSERVED = 86_400
"""Seconds after which a pace says something; before that, the count itself is looked at.

Of a grace that is not much longer, half of it is enough.
"""


async def assess(
    case: Case,
    terms: Terms,
    readings: Iterable[Reading],
    measure: Measure | None,
    ledger: Ledger,
    at: Instant,
    late: float,
) -> Facts:
    """Give the facts about a case. Raises LedgerError.

    `readings` are those of the account now; `late` is how many seconds usage may be told late.
    """
    ladder, limit = terms.rules.ladder, terms.limit(case.rule)
    in_force = measure is not None and measure.starts_at is not None
    still_over = not in_force  # where no limit can say so, a person decides, and nothing lasts
    told_at = case.opened_at if case.notified_at is None else case.notified_at
    since = told_at if measure is None or measure.starts_at is None else measure.starts_at
    observed = min(OBSERVED, ladder.grace / 2)
    if case.rule == OVERLOAD:
        still_over = at.wall - since < observed or await _overloads(case, terms, since, ledger, at)
    if limit is not None:
        pace = _Pace(case, limit.within(case.scope), since, observed)
        still_over = await _still_over(pace, reading_of(case, limit, readings), ledger, at)
    # The windows before count, too: the last of several has persisted like the others (C19).
    before = (ladder.persists - 1) * (case.ends_at - case.starts_at) * LONGER
    breaches = await breaches_since(ledger, case.starts_at - before, case.account)
    same = [each for each in breaches if (each.rule, each.scope) == (case.rule, case.scope)]
    return Facts(
        still_over=still_over,
        window_over=at.wall >= case.ends_at + late,
        measure=measure,
        policy_changed=case.policy != terms.version,
        breaches=max(1, len(same)),
    )


async def _overloads(case: Case, terms: Terms, since: float, ledger: Ledger, at: Instant) -> bool:
    """Say whether the account overloaded the platform once more, as far back as that counts."""
    if terms.rules.overload is not None:
        since = max(since, counts_since(terms.rules.overload.case_after, at.wall, terms))
    later = await breaches_since(ledger, since, case.account)
    return any(breach.rule == OVERLOAD for breach in later)


def reading_of(case: Case, limit: LimitTerms, readings: Iterable[Reading]) -> Reading | None:
    """Find the reading of a case's limit and scope."""
    wanted = (limit.name, limit.window_text, case.scope)
    return next(
        (each for each in readings if (each.limit, each.window, each.scope) == wanted), None
    )


class _Pace(NamedTuple):
    """What a pace is measured by: since when, and for how many seconds at least."""

    case: Case
    limit: LimitTerms
    since: float
    observed: float


async def _still_over(pace: _Pace, reading: Reading | None, ledger: Ledger, at: Instant) -> bool:
    """Say whether the use is above the amount: as it stands, or at its pace since the notice.

    In a window that only grows, the pace alone can show that the use was brought back (A17).
    """
    limit = pace.limit
    amount = limit.amount(at.wall)
    if amount is None:
        return False
    used = reading.used if reading is not None else 0
    span = limit.span(at.wall)
    if span is None or limit.kind != "flow":
        return used > amount.value
    begin = int(pace.since // HOUR + 1) * HOUR  # usage is kept by the hour
    elapsed = at.wall - begin
    if elapsed < pace.observed - HOUR:
        return used > amount.value
    units = await used_in(pace.case, limit, Span(begin, math.ceil(at.wall)), ledger)
    return units * (span.end - span.start) > amount.value * max(elapsed, 1)


async def used_in(case: Case, limit: LimitTerms, span: Span, ledger: Ledger) -> int:
    """Give the units that a case's part of the account used in a span of time, by whole hours."""
    hours = await hourly_usage(ledger, case.account, limit.meter, span, location_of(case))
    return sum(units for _, units in hours)


def location_of(case: Case) -> str | None:
    """Give the location that a case is about; None where it is about the whole account."""
    return dict(case.scope).get("location")
