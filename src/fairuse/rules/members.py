"""Members: how many different users, locations or addresses a window saw (A25, E21)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fairuse.rules.lasting import LastingTally

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.tally import Slot, TallyKey
    from fairuse.rules.windows import Span

MAX_MEMBERS = 100_000
"""Told apart in one window at most; who makes up names can't fill the memory (F-44)."""


class MembersTally(LastingTally):
    """Who was seen in the current window; a member counts once, however often it comes back."""

    __slots__ = ("_open",)

    def __init__(self, key: TallyKey, late: float = 0) -> None:
        super().__init__(key, late)
        self._open: Counter[str] = Counter()

    @property
    def open_names(self) -> list[str]:
        """Give who is let in for now, by requests that are open still."""
        return [*self._open]

    def knows(self, member: str) -> bool:
        """Say whether a member is counted in the current window already."""
        if member in self._open:
            return True
        return self.live and member in _seen(self.slots[-1])

    def after(self, cost: int, member: str) -> int:
        """Give how many there would be with this one."""
        return self.used + (0 if self.knows(member) else cost)

    def fits(self, cost: int, amount: int, member: str) -> bool:
        """Let in whoever is counted already, also where the amount was lowered since (S17)."""
        return self.knows(member) or super().fits(cost, amount, member)

    def take(self, cost: int, at: Instant, span: Span | None, member: str = "") -> Slot:  # noqa: ARG002
        """Let a member in, for now."""
        slot = self.current(at, span)
        self._open[member] += 1
        self._count(slot)
        return slot

    def settle(self, slot: Slot, reserved: int, actual: int | None, member: str = "") -> None:
        """Keep a member, or forget one that was let in for nothing."""
        if reserved:
            self._open[member] -= 1
            if not self._open[member]:
                del self._open[member]
        seen = _seen(slot)
        if actual and len(seen) < MAX_MEMBERS:
            seen.add(member)
        slot.settled = len(seen)
        self._count(self.slots[-1])

    def restore(self, slot: Slot, member: str) -> None:
        """Take up a member that was seen before a restart."""
        seen = _seen(slot)
        seen.add(member)
        slot.settled = len(seen)

    def expire(self, at: Instant) -> None:
        """Begin to count anew once the window is over."""
        super().expire(at)
        if self.slots:
            self._count(self.slots[-1])

    def _count(self, slot: Slot) -> None:
        seen = set() if slot.over else _seen(slot)
        self.used = len(seen) + sum(member not in seen for member in self._open)
        slot.open = self.used - len(seen)


def _seen(slot: Slot) -> set[str]:
    """Give who was seen in a slot, which a request may hold longer than the tally does."""
    if slot.seen is None:
        slot.seen = set()
    return slot.seen
