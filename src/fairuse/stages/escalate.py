"""Escalate: off the request's way, turn breaches into cases, as the policy says.

A limit opens a case at once, or only after several breaches (B25); a policy may open one when its
limits, whichever they are, were gone over repeatedly (E32), or when the platform was overloaded
repeatedly and mostly by one account (A12, E33). A signal opens none: it is for the operator's eyes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.log import logger
from fairuse.rules.attribution import Incident, incidents
from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.ladder import REPEATED, Case
from fairuse.rules.windows import Calendar, months_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.emergency import Episodes
    from fairuse.rules.policy import Breaches
    from fairuse.rules.terms import Terms
    from fairuse.stores.rows import BreachRow

UNNUMBERED = 0
"""The id of a case before the ledger gives it one."""

log = logger(__name__)


def escalate(breach: BreachRow, terms: Terms, at: Instant) -> Case | None:
    """Give the case that a breach opens by itself, if it does; the same breach the same case."""
    limit = terms.limit(breach.rule)
    if limit is None or limit.hard:
        return None
    if limit.over == "signal":
        figures = {"reading": breach.reading, "amount": breach.amount, "scope": dict(breach.scope)}
        log.warning("signal.raised", account=breach.account, rule=breach.rule, **figures)
        return None
    return None if limit.case_after else _case(breach, terms, breach.starts_at, breach.ends_at, at)


def escalate_repeated(breaches: Sequence[BreachRow], terms: Terms, at: Instant) -> Case | None:
    """Give the case of limits gone over repeatedly: it is one a calendar month.

    `breaches` are those of the account since `looks_back_to`, whichever the limit; signals don't
    count.
    """
    needed = terms.rules.case_after
    counted = [breach for breach in breaches if _counts(breach, terms)]
    if needed is None or len(counted) < needed.breaches:
        return None
    span = Calendar("month").span(at.wall, terms.zone, terms.agreement.tenant.billing)
    return _case(counted[-1]._replace(rule=REPEATED, scope=()), terms, span.start, span.end, at)


def escalate_overload(
    breaches: Sequence[BreachRow],
    earlier: Sequence[Case],
    needed: Episodes,
    terms: Terms,
    at: Instant,
) -> Case | None:
    """Give the case of an account whose overload the platform's was repeatedly (A12, E33).

    `breaches` are those of the account since `counts_since`, `earlier` its cases. What one of
    those was about is no part of another (P8); a calendar month has one.
    """
    about = [case for case in earlier if case.rule == OVERLOAD]
    new = [each for each in breaches if not any(_is_about(case, each) for case in about)]
    found = overloads(new)
    if len(found) < needed.episodes:
        return None
    last = [breach for breach in new if breach.rule == OVERLOAD][-1]
    starts_at, ends_at = found[0].starts_at, found[-1].ends_at
    if needed.months:
        span = Calendar("month").span(last.starts_at, terms.zone, terms.agreement.tenant.billing)
        ends_at = span.end
    figures = last._replace(reading=len(found), amount=needed.episodes - 1)
    return _case(figures, terms, starts_at, ends_at, at)


def overloads(breaches: Iterable[BreachRow]) -> list[Incident]:
    """Give the episodes of overload among an account's breaches, each once."""
    return incidents(
        Incident(breach.starts_at, breach.last_at, breach.reading)
        for breach in breaches
        if breach.rule == OVERLOAD
    )


def judge(
    breach: BreachRow,
    breaches: Sequence[BreachRow],
    closed: Sequence[Case],
    terms: Terms,
    at: Instant,
) -> Case | None:
    """Give the case of a window that is over and was a breach once too often (B25).

    `breaches` are those of the account since `looks_back_to`, `closed` its cases that are closed.
    What one of those was about counts as a breach too many, and is no part of another case (P8).
    """
    limit = terms.limit(breach.rule)
    if limit is None or limit.case_after is None:
        return None
    same = [
        other
        for other in breaches
        if (other.rule, other.scope) == (breach.rule, breach.scope)
        and other.starts_at <= breach.starts_at
    ]
    if len(same) < limit.case_after.breaches:
        return None
    done = {other for other in same if any(_is_about(case, other) for case in closed)}
    first = next((other for other in same if other not in done), breach)
    return _case(breach, terms, first.starts_at, breach.ends_at, at)


def looks_back_to(needed: Breaches, moment: float, terms: Terms) -> float:
    """Give the moment from which breaches count: this month and those before it."""
    return months_back(needed.months, moment, terms.zone, terms.agreement.tenant.billing)


def _is_about(case: Case, breach: BreachRow) -> bool:
    same = (case.rule, case.scope) == (breach.rule, breach.scope)
    return same and case.starts_at <= breach.starts_at < case.ends_at


def _counts(breach: BreachRow, terms: Terms) -> bool:
    limit = terms.limit(breach.rule)
    return limit is not None and limit.over != "signal"


def _case(breach: BreachRow, terms: Terms, starts_at: float, ends_at: float, at: Instant) -> Case:
    return Case(
        id=UNNUMBERED,
        tenant=breach.tenant,
        account=breach.account,
        rule=breach.rule,
        scope=breach.scope,
        starts_at=starts_at,
        ends_at=ends_at,
        opened_at=at.wall,
        state="open",
        reading=breach.reading,
        amount=breach.amount,
        policy=terms.version,
        latest=breach.reading,
    )
