"""What is remembered of addresses: unknown callers' buckets, and who keeps being refused.

Both are bounded: beyond the bound the address that was idle longest is forgotten first (F-44).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachetools import LRUCache

from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import TallyKey

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.policy import Repetition


class RecentEvents:
    """Counts events per name within the last so many seconds, for at most `maxsize` names."""

    def __init__(self, maxsize: int) -> None:
        self._tallies: LRUCache[tuple[str, ...], RollingTally] = LRUCache(maxsize)

    def count(self, name: tuple[str, ...], seconds: int, at: Instant) -> RollingTally:
        """Count one more event, and give the tally."""
        tally = self.tally(name, seconds, at)
        tally.take(1, at, None)
        return tally

    def tally(self, name: tuple[str, ...], seconds: int, at: Instant) -> RollingTally:
        """Give the tally of a name, without counting."""
        tally: RollingTally | None = self._tallies.get(name)
        if tally is None or tally.seconds != seconds:
            tally = self._tallies[name] = RollingTally(TallyKey("", "", "", ()), seconds)
        tally.expire(at)
        return tally

    def repeats(self, name: tuple[str, ...], repetition: Repetition, at: Instant) -> bool:
        """Count one more event; say whether that makes it a repetition, and begin anew then."""
        if self.count(name, repetition.seconds, at).used < repetition.refusals:
            return False
        del self._tallies[name]
        return True

    def __len__(self) -> int:
        return len(self._tallies)
