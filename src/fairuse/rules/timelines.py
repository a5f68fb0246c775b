"""Timelines: which amount of a limit holds at a moment, of those that hold one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.amounts import Amount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairuse.rules.agreed import DatedAmount
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.terms import LimitTerms
    from fairuse.rules.windows import Span

Timeline = tuple["DatedAmount", ...]


def dated_at(timeline: Timeline, moment: float) -> DatedAmount:
    """Give what holds at a moment."""
    return next(dated for dated in reversed(timeline) if dated.starts_at <= moment)


def amount_at(timeline: Timeline, moment: float, span: Span | None) -> Amount | None:
    """Give the amount in force at a moment of a window; None while none is known.

    Where counts or extra capacity changed within a calendar window, the highest of the window
    holds: the customer's favour. An override holds as it says, and so does a cap.
    """
    latest = dated_at(timeline, moment)
    amount, granted = latest.amount, latest.granted
    if not latest.overridden and span is not None:
        so_far = _so_far(timeline, moment, span)
        known = [dated.amount for dated in so_far if dated.amount is not None]
        amount = max(known, key=lambda each: each.value, default=None)
        most = max((dated.granted for dated in so_far), key=lambda each: each.extra)
        granted = granted._replace(extra=most.extra, extra_text=most.extra_text)
    if amount is None:
        return None
    return Amount(granted.applied(amount.value), granted.source(*amount))


def _so_far(timeline: Timeline, moment: float, span: Span) -> Sequence[DatedAmount]:
    return [
        dated
        for dated in timeline
        if dated.starts_at <= moment and dated.ends_at > span.start and not dated.overridden
    ]


def without_top_ups(timeline: Timeline, moment: float, span: Span) -> int | None:
    """Give what an amount came to at a moment of a window, but for top-ups and caps (D20)."""
    dated = [
        each._replace(granted=each.granted._replace(topped_up=0, at_most=None)) for each in timeline
    ]
    amount = amount_at(tuple(dated), moment, span)
    return None if amount is None else amount.value


class Parts:
    """A limit as it holds for the parts of an account that have grants of their own (A27, P9)."""

    def __init__(
        self, pairs: frozenset[tuple[str, str]], make: Callable[[ScopeKey], LimitTerms]
    ) -> None:
        """Take the parts that grants name, and what works out a limit for some of them."""
        self._pairs = pairs
        self._make = make
        self._known: dict[ScopeKey, LimitTerms] = {}

    def of(self, scope: ScopeKey) -> LimitTerms:
        """Give the limit for a scope; there are no more of them than grants name."""
        named = tuple(pair for pair in scope if pair in self._pairs)
        known = self._known.get(named)
        if known is None:
            known = self._known[named] = self._make(named)
        return known
