"""Counting: what is settled, what is still open, and when it frees up.

A tally is a row of slots; `rolling.py` and `calendar_tally.py` say which. Every unit is first open
(reserved) and then settled or given back; `used` is always the sum of both over the slots that have
not ended (F-26). No slot holds more than MAX_AMOUNT: a sum that no store can write would stop them
all (F-27). Levels (`levels.py`) and members (`members.py`) are counted by tallies too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from fairuse.rules.amounts import MAX_AMOUNT

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.meters import Measure
    from fairuse.rules.windows import Span

WALL, MONOTONIC = 0, 1
"""Where an Instant has the clock that a tally lives on."""
KEPT_SECONDS = 7 * 86_400
"""How long a calendar window that is over can still be told of."""
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
        slot.settled = min(slot.settled + actual, MAX_AMOUNT)
        if not slot.over:
            self.used += actual - reserved

    def hold(self, requests: int) -> None:
        """Have so many requests more open."""
        self.held += requests

    def enter(self, slot: Slot, taken: int, settled: int) -> None:
        """Enter units that were taken, and units that were settled as they had been taken."""
        self.touched = True
        slot.open += taken - settled
        slot.settled = min(slot.settled + settled, MAX_AMOUNT)
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
