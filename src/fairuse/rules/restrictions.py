"""Restrictions: measures that refuse requests, each in its scope and nowhere else (P9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.routes import Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.rules.measures import Measure
    from fairuse.rules.process import Action
    from fairuse.rules.tally import ScopeKey

REFUSING: frozenset[Action] = frozenset({"suspend", "degrade"})


class Restriction(NamedTuple):
    """A measure as requests meet it: the rule of its case, and the case's figures."""

    measure: Measure
    rule: str
    reading: int
    amount: int
    routes: tuple[Route, ...]

    def hits(self, method: str, path: str, parts: ScopeKey, moment: float) -> bool:
        """Say whether a request is refused; `parts` are those of the account that it is about.

        A suspension without routes is of them all; switching off features needs to name them.
        """
        measure = self.measure
        if not measure.holds_at(moment) or not set(measure.scope) <= set(parts):
            return False
        if not self.routes:
            return measure.kind == "suspend"
        return any(route.matches(method, path) for route in self.routes)


def restriction_of(measure: Measure, rule: str, reading: int, amount: int) -> Restriction | None:
    """Give how requests meet a measure; None where they never do. Raises ValueError."""
    if measure.kind not in REFUSING:
        return None
    return Restriction(measure, rule, reading, amount, tuple(map(Route, measure.routes)))


def longest(found: Iterable[Restriction]) -> Restriction | None:
    """Give of several the one that ends last, or has no end yet: until then all hold."""

    def ends(restriction: Restriction) -> float:
        ends_at = restriction.measure.ends_at
        return float("inf") if ends_at is None else ends_at

    return max(found, key=ends, default=None)
