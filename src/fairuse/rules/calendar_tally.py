"""Counting in calendar windows: a window is one slot, and ends with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.rules.tally import WALL, Slot, Tally, TallyKey

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.windows import Span


class CalendarTally(Tally):
    """A tally of one calendar window, on wall time; the window never goes back (F-31).

    A window that is over is kept until the next one is used, so that a clock that steps forward and
    back again finds its units still there; and for `late` seconds, where usage may be told late.
    """

    __slots__ = ("late",)
    clock = WALL

    def __init__(self, key: TallyKey, late: float = 0) -> None:
        super().__init__(key)
        self.late = late

    def current(self, at: Instant, span: Span | None) -> Slot:
        """Give the slot of the window, which is the newest one begun.

        A window that was begun lasts as long as it was to last, also where the tenant's zone or
        the zone's rules change meanwhile (F-35).
        """
        if span is None:
            raise ValueError("a calendar tally needs its window")
        latest = self.slots[-1] if self.slots else None
        if latest is not None and at.wall < latest.ends:
            return latest
        key = span.start * 1_000
        if latest is not None:
            key = max(key, latest.key + 1)
        for slot in self.slots:
            slot.over = True
        while self.slots and self.slots[0].ends + self.late <= at.wall:
            self.slots.pop(0)
        slot = self.begin(key, span)
        self.slots.append(slot)
        self.turns_at = slot.ends
        return slot

    def take(self, cost: int, at: Instant, span: Span | None, member: str = "") -> Slot:  # noqa: ARG002
        """Reserve units; the way of almost every request, so in one piece."""
        slots = self.slots
        if not slots or at[WALL] >= (slot := slots[-1]).ends:
            slot = self.current(at, span)
        slot.open += cost
        self.used += cost
        return slot

    def begin(self, key: int, span: Span) -> Slot:
        """Begin a window."""
        self.used = 0
        return Slot(key, span.start, span.end)

    def slot_at(self, moment: float, at: Instant, span: Span | None) -> Slot | None:
        """Give the slot of an earlier window, begun now where nothing was used in it."""
        if span is None or moment >= span.end:
            raise ValueError("a calendar tally needs the window of the moment")
        if at.wall < span.end:
            return self.current(at, span)
        before = 0
        for slot in self.slots:
            if slot.began <= moment < slot.ends:
                return slot
            before += slot.ends <= moment
        slot = Slot(span.start * 1_000, span.start, span.end)
        slot.over = True
        self.slots.insert(before, slot)
        return slot

    def expire(self, at: Instant) -> None:
        """Count the window's units while it lasts, and none once it is over.

        One that is over is looked at again each time: the wall clock may go back (F-31).
        """
        latest = self.slots[-1] if self.slots else None
        for slot in self.slots:
            slot.over = slot is not latest or at.wall >= slot.ends
        live = latest is not None and not latest.over
        self.used = latest.settled + latest.open if latest is not None and live else 0
        self.turns_at = latest.ends if latest is not None and live else -math.inf

    def reading(self, slot: Slot) -> int:
        """Give the settled units of the slot, which is the whole window."""
        return slot.settled

    @property
    def opened_at(self) -> float:
        """Give when the latest window began."""
        return self.slots[-1].key / 1_000

    def forgotten_in(self, at: Instant) -> float:
        """Give the seconds until the window is over and nothing more is told of it."""
        return max(0.0, self.slots[-1].ends + self.late - at.wall) if self.slots else 0.0
