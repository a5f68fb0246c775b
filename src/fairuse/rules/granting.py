"""Granting: whether what an operator wants to grant can be granted, and from when until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.problems import amount_problems, unknown
from fairuse.rules.windows import Calendar

if TYPE_CHECKING:
    from fairuse.rules.grants import Grant, GrantKind
    from fairuse.rules.terms import LimitTerms, Terms

BY_OPERATOR: tuple[GrantKind, ...] = ("override", "extra", "top-up")
"""What is granted outside of a case; whatever takes away for a time is a measure of one."""


def checked(grant: Grant, terms: Terms, moment: float) -> Grant:
    """Give a grant as it can be made now: nothing begins in the past (P7).

    A top-up is for the window of the moment, and ends with it; what is left of it is carried over.
    Raises ValueError that says what is wrong with it.
    """
    limit = terms.limit(grant.limit)
    if limit is None:
        raise ValueError(unknown("limit", grant.limit, terms.rules.limits))
    if grant.kind not in BY_OPERATOR:
        raise ValueError(f'"{grant.kind}" is a measure of a case; grant {", ".join(BY_OPERATOR)}')
    if not grant.by.strip() or not grant.reason.strip():
        raise ValueError("a grant needs its author and a reason")
    if {name for name, _ in grant.scope} - set(limit.scope):
        counted_by = ", ".join(limit.scope) or "account"
        raise ValueError(f'the limit "{grant.limit}" is counted by {counted_by}')
    for _, problem in amount_problems("amount", grant.expression, grant.limit, terms.rules):
        raise ValueError(problem)
    starts_at = max(grant.starts_at, moment)
    made = grant._replace(account=terms.account, made_at=moment, starts_at=starts_at)
    if grant.kind != "override" and not grant.expression.fixed:
        raise ValueError(f'"{grant.amount}" must be a number of units that are added')
    if grant.kind == "top-up":
        return made._replace(starts_at=moment, ends_at=_window_end(made, limit, moment))
    if made.until <= starts_at:
        raise ValueError("it ends before it begins")
    return made


def _window_end(grant: Grant, limit: LimitTerms, moment: float) -> float:
    """Give when the window of a top-up ends, where what is left of it can be carried over."""
    span = limit.span(moment)
    if span is None or not isinstance(limit.window, Calendar) or limit.kind != "flow":
        raise ValueError(f'"{limit.name}" has no calendar window to top up; grant extra instead')
    if set(limit.scope) - {"location"}:
        raise ValueError(f'"{limit.name}" is counted by more than a location; grant extra instead')
    if {name for name, _ in grant.scope} != set(limit.scope):
        raise ValueError(f'"{limit.name}" is counted by location; name the one to top up')
    return float(span.end)
