"""Restrict: refuse what a measure keeps an account from, where the measure is for it (P9).

A measure ends by itself, at its moment (P6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.refusal import Figures, Refusal
from fairuse.rules.restrictions import longest

if TYPE_CHECKING:
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.restrictions import Restriction
    from fairuse.rules.terms import Terms
    from fairuse.stores.forces import Forces

_KINDS = {"suspend": "suspended", "degrade": "feature-off"}


def restricted(
    exchange: Exchange, subject: Subject, forces: Forces, moment: float
) -> Refusal | None:
    """Give the refusal of a request that a measure is about; of several, of the longest."""
    restrictions = forces.restrictions.get(subject.account)
    if restrictions is None:
        return None
    parts = (
        ("location", subject.location),
        ("user", subject.user),
        ("address", subject.address.bucket),
    )
    method, path = exchange.method, exchange.path
    found = longest(each for each in restrictions if each.hits(method, path, parts, moment))
    return None if found is None else _refusal(found, subject.terms)


def _refusal(restriction: Restriction, terms: Terms) -> Refusal:
    """Say which rule, with which figures, why, and until when (P10)."""
    measure, figures = restriction.measure, None
    limit = terms.limit(restriction.rule)
    if limit is not None:
        figures = Figures(
            restriction.reading, restriction.amount, limit.unit, limit.window_text, measure.scope
        )
    return Refusal(
        _KINDS[measure.kind],
        restriction.rule,
        measure.reason,
        until=measure.ends_at,
        figures=figures,
        review=None if measure.until_under else measure.review_at,
    )
