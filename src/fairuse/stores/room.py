"""Room for so many tallies: who makes up names can't fill the memory (F-44).

The second-chance (CLOCK) rule: a hand goes round in order of arrival, and takes away what was not
used since it came by last. What holds open requests, or is near its limit, stays: otherwise making
up names would be a way to have one's own count forgotten.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairuse.rules.tally import Tally

LOOKED_AT = 64
"""How many tallies the hand passes at most before one more is let in all the same."""
NEAR = 0.5
"""The part of an amount from which on a tally stays."""


class Room:
    """Counts the tallies that are remembered, and finds one to forget when there are too many.

    `evicted` are those that were forgotten before their window was over, `turned_away` those that
    were not remembered at all, because twice as many as there is room for are near their limits.
    """

    def __init__(self, most: int, forget: Callable[[Tally], None]) -> None:
        self.taken = 0
        self.evicted = 0
        self.turned_away = 0
        self._most = most
        self._forget = forget
        self._ring: deque[Tally] = deque()

    def make(self) -> bool:
        """Make room for one more; False where there is none."""
        if self.taken < self._most:
            return True
        if self._evict() or self.taken < 2 * self._most:
            return True
        self.turned_away += 1
        return False

    def take(self, tally: Tally) -> None:
        """Put a tally in."""
        self.taken += 1
        self._ring.append(tally)
        if len(self._ring) > 2 * self.taken + LOOKED_AT:
            self._ring = deque(known for known in self._ring if known.remembered)

    def leave(self) -> None:
        """Note that a tally is forgotten; the hand drops it when it comes by."""
        self.taken -= 1

    def _evict(self) -> bool:
        """Forget one that was not used since the hand came by last.

        Where there is no room at all, rather one that was used than none.
        """
        first: Tally | None = None
        for _ in range(min(LOOKED_AT, len(self._ring))):
            tally = self._ring.popleft()
            if not tally.remembered:
                continue
            if tally.tab is not None:
                tally.tab.close()
            stays = tally.held or tally.used >= NEAR * tally.amount
            if not stays and not tally.touched:
                return self._forgotten(tally)
            if not stays and first is None:
                first = tally
            tally.touched = False
            self._ring.append(tally)
        full = self.taken >= 2 * self._most
        return full and first is not None and self._forgotten(first)

    def _forgotten(self, tally: Tally) -> bool:
        self._forget(tally)
        self.evicted += 1
        return True
