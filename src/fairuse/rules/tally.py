"""Counting: what is settled, what is still open, and when it frees up.

A tally is a row of slots. A calendar window is one slot, ending with the window. A rolling window
is cut into at most GRAINS + 1 slots, and twice as many where units are told late; a slot ends one
window length after its *latest* unit. So a rolling tally never admits more than the exact log of
every unit would, holds a unit back at most 1/64 of the window too long, and is empty one window
length after its last unit (E18).

Every unit is first open (reserved) and then settled or given back; `used` is always the sum of
both over the slots that have not ended (F-26). Levels (`levels.py`) and members (`members.py`)
are counted by tallies too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.meters import Measure
    from fairuse.rules.windows import Span

WALL, MONOTONIC = 0, 1
"""Where an Instant has the clock that a tally lives on."""
GRAINS = 64
KEPT_SECONDS = 7 * 86_400
"""How long a calendar window that is over can still be told of."""
MOST = 2**53 - 1
"""What one slot holds at most: a sum that no store can write would stop them all (F-27)."""

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
    `crossed` remembers that going over a soft limit was already told, once per window, `compared`
    which reading was last compared with its amount; `seen` are the members that are told apart,
    where they are.
    """

    __slots__ = ("began", "compared", "crossed", "ends", "key", "open", "over", "seen", "settled")

    def __init__(self, key: int, began: float, ends: float, settled: int = 0) -> None:
        self.key = key
        self.began = began
        self.ends = ends
        self.settled = settled
        self.open = 0
        self.over = False
        self.crossed = False
        self.compared = 0
        self.seen: set[str] | None = None


class Tally:
    """What one account has used of one limit, in one scope.

    `turns_at`, on the tally's own clock, is when there is something to do before it is used again:
    slots are over, or the store has forgotten it. The store's own marks: `remembered`, it is found
    by its key; `kept`, it has settled units and stays until they are over; `held`, so many receipts
    are open on it; `touched`, it was used lately; `amount`, what it was last compared with; `due`,
    the minute in which it is looked at again; `tab`, what has more to enter; `by`, who took last.
    """

    __slots__ = (
        "amount",
        "by",
        "due",
        "held",
        "kept",
        "key",
        "measure",
        "remembered",
        "slots",
        "tab",
        "touched",
        "turns_at",
        "used",
    )
    clock: ClassVar[int]

    def __init__(self, key: TallyKey) -> None:
        self.key = key
        self.measure: Measure = "requests"
        self.slots: list[Slot] = []
        self.turns_at = -math.inf
        self.used = 0
        self.amount = 0
        self.due = 0
        self.held = 0
        self.kept = False
        self.remembered = False
        self.touched = True
        self.tab: Any = None
        self.by: Any = None

    @property
    def live(self) -> bool:
        """Say whether a window is open, as of the last `expire`."""
        return bool(self.slots) and not self.slots[-1].over

    @property
    def level(self) -> int | None:
        """Give the level, where the tally keeps one beside its slots."""
        return None

    def current(self, at: Instant, span: Span | None) -> Slot:
        """Give the slot that a unit of this moment belongs to."""
        raise NotImplementedError

    def slot_at(self, moment: float, at: Instant, span: Span | None) -> Slot | None:
        """Give the slot that a unit of an earlier moment belongs to (S16), if it still counts."""
        raise NotImplementedError

    def expire(self, at: Instant) -> None:
        """Forget the slots that are over."""
        raise NotImplementedError

    def after(self, cost: int, member: str) -> int:  # noqa: ARG002
        """Give what would be used with so many units more."""
        return self.used + cost

    def fits(self, cost: int, amount: int, member: str) -> bool:
        """Say whether so many units more are within an amount."""
        return self.after(cost, member) <= amount

    def take(self, cost: int, at: Instant, span: Span | None, member: str = "") -> Slot:  # noqa: ARG002
        """Reserve units."""
        slot = self.current(at, span)
        slot.open += cost
        self.used += cost
        return slot

    def settle(self, slot: Slot, reserved: int, actual: int | None, member: str = "") -> None:  # noqa: ARG002
        """Close a reservation with what it really came to, or give it back where that is None."""
        actual = actual or 0
        slot.open -= reserved
        slot.settled = min(slot.settled + actual, MOST)
        if not slot.over:
            self.used += actual - reserved

    def hold(self, requests: int) -> None:
        """Have so many requests more open."""
        self.held += requests

    def enter(self, slot: Slot, taken: int, settled: int) -> None:
        """Enter units that were taken, and units that were settled as they had been taken."""
        self.touched = True
        slot.open += taken - settled
        slot.settled = min(slot.settled + settled, MOST)
        if not slot.over:
            self.used += taken

    def reading(self, slot: Slot) -> int:
        """Give the settled units of the window that a slot belongs to."""
        return slot.settled if slot.over else sum(known.settled for known in self.slots)

    def crosses(self, slot: Slot, amount: int) -> bool:
        """Say, once per window, that the settled units went over an amount.

        What was within it when it was counted is never over it later, however low the amount is
        by then (P7, S17): there has to be more of it.
        """
        before, slot.compared = slot.compared, self.reading(slot)
        if slot.crossed or slot.compared <= max(amount, before):
            return False
        slot.crossed = True
        return True

    @property
    def opened_at(self) -> float:
        """Give when the window as it stands began, in seconds since 1970."""
        return self.slots[0].key / 1_000

    def frees_in(self, units: int, at: Instant) -> float | None:
        """Give the seconds until so many units have left the window, or all of them have.

        None where nothing leaves by itself.
        """
        freed, ends = 0, at[self.clock]
        for slot in self.slots:
            if freed >= units:
                break
            if not slot.over:
                freed += slot.settled + slot.open
                ends = slot.ends
        return None if math.isinf(ends) else max(0.0, ends - at[self.clock])

    def resets_in(self, at: Instant) -> float:
        """Give the seconds until the window is empty if nothing more is used."""
        return max(0.0, self.slots[-1].ends - at[self.clock]) if self.slots else 0.0

    def forgotten_in(self, at: Instant) -> float:
        """Give the seconds until nothing of it is needed any more; inf where that may be never."""
        return self.resets_in(at)


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
