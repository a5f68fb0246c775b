"""Counting in rolling windows.

A window is cut into at most GRAINS + 1 slots, and twice as many where units are told late; a slot
ends one window length after its *latest* unit. So a rolling tally never admits more than the exact
log of every unit would, holds a unit back at most 1/64 of the window too long, and is empty one
window length after its last unit (E18).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.rules.tally import MONOTONIC, Slot, Tally, TallyKey

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.windows import Span

GRAINS = 64


class RollingTally(Tally):
    """A tally of the last so many seconds, on monotonic time (F-31)."""

    __slots__ = ("grain", "seconds")
    clock = MONOTONIC

    def __init__(self, key: TallyKey, seconds: int) -> None:
        super().__init__(key)
        self.seconds = seconds
        self.grain = seconds / GRAINS

    def current(self, at: Instant, span: Span | None) -> Slot:  # noqa: ARG002
        """Extend the latest slot while it is a grain old, or begin another."""
        now, slots = at.monotonic, self.slots
        latest = slots[-1] if slots else None
        if latest is not None and now - latest.began < self.grain:
            latest.ends = max(latest.ends, now + self.seconds)
            return latest
        key = int(at.wall * 1_000)
        if latest is not None and key <= latest.key:
            key = latest.key + 1
        slot = Slot(key, now, now + self.seconds)
        slots.append(slot)
        self.turns_at = slots[0].ends
        return slot

    def take(self, cost: int, at: Instant, span: Span | None, member: str = "") -> Slot:  # noqa: ARG002
        """Reserve units; the way of almost every request, so in one piece."""
        slots, now = self.slots, at[MONOTONIC]
        if slots and now - (slot := slots[-1]).began < self.grain:
            if now + self.seconds > slot.ends:  # noqa: PLR1730  max() costs a call each time
                slot.ends = now + self.seconds
        else:
            slot = self.current(at, span)
        slot.open += cost
        self.used += cost
        return slot

    def slot_at(self, moment: float, at: Instant, span: Span | None) -> Slot | None:  # noqa: ARG002
        """Give the slot whose grain the moment is in, begun now where there is none.

        It ends one window length after the moment, as if the unit had been told at once.
        """
        then = at.monotonic - max(0.0, at.wall - moment)
        if then + self.seconds <= at.monotonic:
            return None
        slots, grain = self.slots, self.grain
        before = sum(slot.began <= then for slot in slots)
        if before and then - slots[before - 1].began < grain:
            slot = slots[before - 1]
            slot.ends = max(slot.ends, then + self.seconds)
            return slot
        lowest = slots[before - 1].key + 1 if before else 0
        key = max(int(moment * 1_000), lowest)
        if before < len(slots):
            key = min(key, slots[before].key - 1)
            if key < lowest:  # no name is left between the two
                return slots[before]
        slot = Slot(key, then // grain * grain, then + self.seconds)
        slots.insert(before, slot)
        self.turns_at = slots[0].ends
        return slot

    def expire(self, at: Instant) -> None:
        """Forget the slots that are over."""
        slots = self.slots
        while slots and slots[0].ends <= at.monotonic:
            slot = slots.pop(0)
            slot.over = True
            self.used -= slot.settled + slot.open
        self.turns_at = slots[0].ends if slots else math.inf

    def crosses(self, slot: Slot, amount: int) -> bool:
        """Say whenever the settled units are over an amount; consecutive times are one episode."""
        return self.reading(slot) > amount
