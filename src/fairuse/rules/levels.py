"""Levels: what goes up and down, such as requests in flight (E11) and stored bytes (E22).

A hard limit compares the level itself, always. A soft one records, besides, the highest level of
each calendar window: that is what it is measured by (E12).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.rules.lasting import LastingTally
from fairuse.rules.tally import Slot

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.tally import TallyKey
    from fairuse.rules.windows import Span


class LevelTally(LastingTally):
    """A level, and its peak in the current window; `span` is None where there is no window."""

    __slots__ = ("now",)

    def __init__(self, key: TallyKey, late: float = 0) -> None:
        super().__init__(key, late)
        self.now = 0

    @property
    def live(self) -> bool:
        """Say whether there is a level, or a window is open."""
        return self.now > 0 or super().live

    @property
    def level(self) -> int:
        """Give the level."""
        return self.now

    def begin(self, key: int, span: Span) -> Slot:
        """Begin a window with the level as it stands."""
        return Slot(key, span.start, span.end, self.now)

    def expire(self, at: Instant) -> None:
        """Close the windows that are over; the level stays."""
        super().expire(at)
        self.used = self.now

    def frees_in(self, units: int, at: Instant) -> float | None:  # noqa: ARG002
        """Give None: a level goes down when something is given back, not with time."""
        return None

    def forgotten_in(self, at: Instant) -> float:
        """Give inf while there is a level to be remembered."""
        return math.inf if self.now else super().forgotten_in(at)

    def _move(self, level: int, slot: Slot) -> None:
        """Take a level that stands since a slot, up to now."""
        self.now = self.used = max(0, level)
        for known in (slot, self.slots[-1]):
            known.settled = max(known.settled, self.now)


class InFlightTally(LevelTally):
    """How many requests are under way; what is under way at a crash is over with it."""

    __slots__ = ()

    def take(self, cost: int, at: Instant, span: Span | None, member: str = "") -> Slot:  # noqa: ARG002
        """Let one more be under way."""
        slot = self.current(at, span)
        self._move(self.now + cost, slot)
        return slot

    def settle(self, slot: Slot, reserved: int, actual: int | None, member: str = "") -> None:  # noqa: ARG002
        """End one, whatever became of it; that raises no peak, not of a window that is over."""
        self.now = self.used = max(0, self.now - reserved)

    def forgotten_in(self, at: Instant) -> float:
        """Give 0 where none is under way and no window records a peak."""
        endless = bool(self.slots) and math.isinf(self.slots[-1].ends)
        return 0.0 if endless and not self.now else super().forgotten_in(at)


class GaugeTally(LevelTally):
    """A level that somebody else knows and tells: the latest word holds."""

    __slots__ = ("asked_at", "told_at")

    def __init__(self, key: TallyKey, late: float = 0) -> None:
        super().__init__(key, late)
        self.asked_at = self.told_at = -math.inf

    def take(self, cost: int, at: Instant, span: Span | None, member: str = "") -> Slot:  # noqa: ARG002
        """Reserve nothing: the answer tells the level, as of now or later."""
        self.asked_at = max(self.asked_at, at.wall)
        return self.current(at, span)

    def settle(self, slot: Slot, reserved: int, actual: int | None, member: str = "") -> None:  # noqa: ARG002
        """Take the level that was told, if any was."""
        if actual is not None:
            self.told_at = max(self.told_at, self.asked_at)
            self._move(actual, slot)

    def tell(self, slot: Slot, level: int, moment: float) -> None:
        """Take a level as of a moment; what is older than the latest word raises a peak at most."""
        if moment >= self.told_at:
            self.told_at = moment
            self._move(level, slot)
        else:
            slot.settled = max(slot.settled, level)
