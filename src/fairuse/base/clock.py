"""The clock that everything is counted, decided and written by.

Only the Date of an answer and the day that the demo plays are the machine's own.

Calendar windows and blocks live on wall time, because contracts do. Rolling windows live on
monotonic time, so that a wall clock that steps neither locks anyone out nor refills (F-31).
"""

from __future__ import annotations

import time
from typing import Protocol

from fairuse.base.instant import Instant, instant


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> Instant:
        """Read the moment on both clocks."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        """Read the moment on both clocks."""
        return instant(time.time(), time.monotonic())


class ManualClock:
    """A clock that moves only when told to, for tests and simulations."""

    def __init__(self, wall: float = 0.0) -> None:
        self.wall = wall
        self.monotonic = 1_000.0

    def now(self) -> Instant:
        """Read the moment on both clocks."""
        return Instant(self.wall, self.monotonic)

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall += seconds
        self.monotonic += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does."""
        self.wall += seconds
