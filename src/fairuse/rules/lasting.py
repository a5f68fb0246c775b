"""Tallies that may have no window at all: what they count stays until it is given back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.rules.calendar_tally import CalendarTally
from fairuse.rules.tally import Slot

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.windows import Span


class LastingTally(CalendarTally):
    """A tally of calendar windows, or, where `span` is None, of one slot for all times."""

    __slots__ = ()

    def current(self, at: Instant, span: Span | None) -> Slot:
        """Give the slot of the window, or the one for all times."""
        if span is not None:
            return super().current(at, span)
        if not self.slots:
            self.slots.append(Slot(0, 0.0, math.inf))
        return self.slots[-1]

    def slot_at(self, moment: float, at: Instant, span: Span | None) -> Slot | None:
        """Give the slot of an earlier moment."""
        return self.current(at, None) if span is None else super().slot_at(moment, at, span)
