"""Counting in one window: what is settled, what is still open, and when it frees up.

A tally is a row of slots. A calendar window is one slot, ending with the window. A rolling window
is cut into at most GRAINS + 1 slots; a slot ends one window length after its *latest* unit. So a
rolling tally never admits more than the exact log of every unit would, holds a unit back at most
1/64 of the window too long, and is empty one window length after its last unit (E18).

Every unit is first open (reserved) and then settled or given back; `used` is always the sum of
both over the slots that have not ended (F-26).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.windows import Rolling, Span, Window

if TYPE_CHECKING:
    from fairuse.base.instant import Instant

GRAINS = 64

ScopeKey = tuple[tuple[str, str], ...]
"""What a tally is counted by within its account: (("location", "centrum"),)."""


class TallyKey(NamedTuple):
    """Names one tally; every part is kept apart, so that no two keys can meet (F-21)."""

    account: str
    limit: str
    window: str
    scope: ScopeKey


class Slot:
    """A piece of a window: `key` names it (its start in milliseconds), `ends` when it is over.

    `began` and `ends` are wall seconds for calendar windows and monotonic for rolling ones.
    `crossed` remembers that going over a soft limit was already told, once per window.
    """

    __slots__ = ("began", "crossed", "ends", "key", "open", "over", "settled")

    def __init__(self, key: int, began: float, ends: float, settled: int = 0) -> None:
        self.key = key
        self.began = began
        self.ends = ends
        self.settled = settled
        self.open = 0
        self.over = False
        self.crossed = False


class Tally:
    """What one account has used of one limit, in one scope.

    `kept` is the store's own mark: the tally holds settled units and stays until they are over.
    """

    __slots__ = ("kept", "key", "slots", "used")

    def __init__(self, key: TallyKey) -> None:
        self.key = key
        self.slots: deque[Slot] = deque()
        self.used = 0
        self.kept = False

    @property
    def live(self) -> bool:
        """Say whether a window is open, as of the last `expire`."""
        return bool(self.slots) and not self.slots[-1].over

    def clock(self, at: Instant) -> float:
        """Read the clock this tally lives on."""
        raise NotImplementedError

    def current(self, at: Instant, span: Span | None) -> Slot:
        """Give the slot that a unit of this moment belongs to."""
        raise NotImplementedError

    def expire(self, at: Instant) -> None:
        """Forget the slots that are over."""
        now = self.clock(at)
        slots = self.slots
        while slots and slots[0].ends <= now:
            slot = slots.popleft()
            slot.over = True
            self.used -= slot.settled + slot.open

    def take(self, cost: int, at: Instant, span: Span | None) -> Slot:
        """Reserve units."""
        slot = self.current(at, span)
        slot.open += cost
        self.used += cost
        return slot

    def settle(self, slot: Slot, reserved: int, actual: int) -> None:
        """Close a reservation with what it really came to."""
        slot.open -= reserved
        slot.settled += actual
        if not slot.over:
            self.used += actual - reserved

    def crosses(self, slot: Slot, amount: int) -> bool:
        """Say, once per window, that the settled units are over an amount."""
        if any(known.crossed for known in self.slots) or slot.crossed:
            return False
        settled = slot.settled if slot.over else sum(known.settled for known in self.slots)
        slot.crossed = settled > amount
        return slot.crossed

    def frees_in(self, units: int, at: Instant) -> float:
        """Give the seconds until so many units have left the window, or all of them have."""
        freed, ends = 0, self.clock(at)
        for slot in self.slots:
            if freed >= units:
                break
            freed += slot.settled + slot.open
            ends = slot.ends
        return max(0.0, ends - self.clock(at))

    def resets_in(self, at: Instant) -> float:
        """Give the seconds until the window is empty if nothing more is used."""
        return max(0.0, self.slots[-1].ends - self.clock(at)) if self.slots else 0.0


class RollingTally(Tally):
    """A tally of the last so many seconds, on monotonic time (F-31)."""

    __slots__ = ("seconds",)

    def __init__(self, key: TallyKey, seconds: int) -> None:
        super().__init__(key)
        self.seconds = seconds

    def clock(self, at: Instant) -> float:
        """Read monotonic time."""
        return at.monotonic

    def current(self, at: Instant, span: Span | None) -> Slot:  # noqa: ARG002
        """Extend the latest slot while it is a grain old, or begin another."""
        now, ends = at.monotonic, at.monotonic + self.seconds
        latest = self.slots[-1] if self.slots else None
        if latest is not None and now - latest.began < self.seconds / GRAINS:
            latest.ends = ends
            return latest
        key = int(at.wall * 1_000)
        if latest is not None and key <= latest.key:
            key = latest.key + 1
        slot = Slot(key, now, ends)
        self.slots.append(slot)
        return slot


class CalendarTally(Tally):
    """A tally of one calendar window, on wall time; the window never goes back (F-31).

    A window that is over is kept until the next one is used, so that a clock that steps forward and
    back again finds its units still there.
    """

    __slots__ = ()

    def clock(self, at: Instant) -> float:
        """Read wall time."""
        return at.wall

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
            latest.over = True
            key = max(key, latest.key + 1)
        self.slots.clear()
        self.used = 0
        slot = Slot(key, span.start, span.end)
        self.slots.append(slot)
        return slot

    def expire(self, at: Instant) -> None:
        """Count the window's units while it lasts, and none once it is over."""
        for slot in self.slots:
            slot.over = at.wall >= slot.ends
            self.used = 0 if slot.over else slot.settled + slot.open


def new_tally(key: TallyKey, window: Window) -> Tally:
    """Begin a tally for a window."""
    return RollingTally(key, window.seconds) if isinstance(window, Rolling) else CalendarTally(key)
