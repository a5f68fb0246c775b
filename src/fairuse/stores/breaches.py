"""Breaches as they happen: one a calendar window, and one an episode of a short one.

Consecutive violations of a short window are one episode, which ends with a whole window that is
clean; otherwise two bad minutes would be two breaches (E32).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cachetools import LRUCache

from fairuse.rules.windows import Rolling
from fairuse.stores.rows import BreachRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.base.instant import Instant
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.journal import Journal
    from fairuse.stores.protocol import Crossing, Exceeded

REMEMBERED = 100_000
WITHOUT_A_WINDOW = 86_400
"""Seconds without a violation that end an episode of what has no window, such as seats."""


class _Episode(NamedTuple):
    starts_at: float
    last_at: float


class Breaches:
    """Tells new breaches from those that go on, and has both written."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._episodes: LRUCache[tuple[str, str, ScopeKey], _Episode] = LRUCache(REMEMBERED)

    def crossed(self, crossing: Crossing, terms: Terms, at: Instant) -> BreachRow | None:
        """Note a soft limit that was gone over; gives the breach if it is a new one."""
        limit, account = crossing.limit, crossing.account
        figures = (crossing.reading, crossing.amount)
        if isinstance(limit.window, Rolling):
            return self._episode(account, limit, crossing.scope, figures, terms, at)
        window = (crossing.starts_at, crossing.ends_at)
        return self._breach(account, limit, crossing.scope, window, figures, terms, at)

    def refused(
        self, account: str, exceeded: Exceeded, terms: Terms, at: Instant
    ) -> BreachRow | None:
        """Note a hard limit that refused; gives the breach if it is a new one."""
        claim = exceeded.claim
        figures = (exceeded.used, claim.amount)
        return self._episode(account, claim.limit, claim.scope, figures, terms, at)

    def restore(self, rows: Iterable[BreachRow]) -> None:
        """Take up the episodes that may go on after a restart."""
        for row in rows:
            self._episodes[row.account, row.rule, row.scope] = _Episode(row.starts_at, row.last_at)

    def _episode(
        self,
        account: str,
        limit: LimitTerms,
        scope: ScopeKey,
        figures: tuple[int, int],
        terms: Terms,
        at: Instant,
    ) -> BreachRow | None:
        name = (account, limit.name, scope)
        known = self._episodes.get(name)
        span = limit.span(at.wall)
        if span is not None:
            goes_on = known is not None and known.last_at >= span.start
            starts_at, ends_at = float(span.start), float(span.end)
        else:
            length = _clean_window(limit)
            goes_on = known is not None and at.wall - known.last_at < length
            starts_at = known.starts_at if known is not None and goes_on else at.wall
            ends_at = at.wall + length
        self._episodes[name] = _Episode(starts_at, at.wall)
        breach = self._breach(account, limit, scope, (starts_at, ends_at), figures, terms, at)
        return None if goes_on else breach

    def _breach(
        self,
        account: str,
        limit: LimitTerms,
        scope: ScopeKey,
        window: tuple[float, float],
        figures: tuple[int, int],
        terms: Terms,
        at: Instant,
    ) -> BreachRow:
        starts_at, ends_at = window
        reading, amount = figures
        breach = BreachRow(
            terms.tenant,
            account,
            limit.name,
            scope,
            starts_at,
            ends_at,
            at.wall,
            reading,
            amount,
        )
        self._journal.note_breach(breach)
        return breach


def _clean_window(limit: LimitTerms) -> float:
    """Give the seconds that must pass without a violation before the next one is a new episode."""
    return limit.window.seconds if isinstance(limit.window, Rolling) else WITHOUT_A_WINDOW
