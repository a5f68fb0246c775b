"""The store's clock, as far as a node can tell: nodes that share counts share the time (F-32)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.instant import Instant

if TYPE_CHECKING:
    from fairuse.base.clock import Clock


class StoreClock:
    """Reads a node's clock, and corrects it by what the store said its time was.

    Monotonic time is the node's own: it measures how long something takes here.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        now = clock.now()
        self._ahead = now.wall - now.monotonic

    def now(self) -> Instant:
        """Read the moment on both clocks."""
        monotonic = self._clock.now().monotonic
        return Instant(monotonic + self._ahead, monotonic)

    def monotonic(self) -> float:
        """Read monotonic time alone."""
        return self._clock.now().monotonic

    def correct(self, store_time: float, sent: float, received: float) -> None:
        """Take the store's time: it was read after the question was sent and before it came back.

        `sent` and `received` are monotonic seconds.
        """
        self._ahead = min(max(self._ahead, store_time - received), store_time - sent)
