"""Tabs: what requests that are alike have taken, and is not entered in the tallies yet.

Requests that claim the same, one soon after the other, take from the same slots. So it is enough
to count the requests, as long as none of them can go over a limit or into another slot; what they
come to is entered in each tally before anybody else looks at it. That makes the way of almost
every request several times shorter, and counts the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from fairuse.rules.rolling import GRAINS
from fairuse.stores.protocol import Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim, Claims
    from fairuse.rules.tally import Slot
    from fairuse.stores.protocol import Standing


class Counted(Protocol):
    """What units are counted in: a tally, or a process's share of one.

    `tab` has more to enter, `by` is the mark of the claims that took last.
    """

    tab: Any
    by: Any

    @property
    def used(self) -> int:
        """Give the units that are entered."""
        ...

    @property
    def turns_at(self) -> float:
        """Say when slots are over, on the clock that they live on."""
        ...

    def hold(self, requests: int) -> None:
        """Have so many requests more open."""
        ...

    def enter(self, slot: Slot, taken: int, settled: int) -> None:
        """Enter units that were taken, and units that were settled as they had been taken."""
        ...


C = TypeVar("C", bound=Counted)


class Tab(Generic[C]):
    """Counts requests that all take from the same slots.

    `left` more may be let in, before `until` (monotonic seconds) and `ends_at` (wall seconds);
    `open` are under way. `taken` and `settled` are not entered yet, and the latest of them was at
    `latest` (monotonic seconds). `noted` says that whoever keeps it knows of what is new,
    `settles` that requests may settle on it, too.
    """

    __slots__ = (
        "claims",
        "counted",
        "ends_at",
        "latest",
        "left",
        "noted",
        "open",
        "settled",
        "settles",
        "slots",
        "taken",
        "until",
    )

    def __init__(
        self, claims: Claims, counted: Sequence[C], slots: Sequence[Slot], left: int
    ) -> None:
        self.claims = claims
        self.counted = counted
        self.slots = slots
        self.left = left
        self.until, self.ends_at = _same_slots_until(claims, counted, slots)
        self.open = 0
        self.taken = 0
        self.settled = 0
        self.latest = -math.inf
        self.noted = False
        self.settles = True
        claims.tab = self
        for each in counted:
            each.tab = self

    @property
    def closed(self) -> bool:
        """Say whether nobody takes any more, and all is entered."""
        return self.claims.tab is not self

    def admits(self, at: Instant) -> bool:
        """Let one more request in, where it fits; otherwise each tally has to be looked at."""
        if not self.left or at.monotonic >= self.until or at.wall >= self.ends_at:
            return False
        self.left -= 1
        self.open += 1
        self.taken += 1
        self.latest = at.monotonic
        return True

    def enter(self) -> None:
        """Enter what was taken and settled since the last time."""
        self.noted = False
        taken, settled = self.taken, self.settled
        if not taken and not settled:
            return
        self.taken = self.settled = 0
        for claim, counted, slot in zip(self.claims, self.counted, self.slots, strict=True):
            if taken and claim.span is None:
                slot.ends = max(slot.ends, self.latest + claim.window_seconds)
            counted.enter(slot, taken * claim.cost, settled * claim.cost)

    def leave(self) -> None:
        """Enter everything, and have one of the open requests go on by itself."""
        self.enter()
        self.open -= 1
        for counted in self.counted:
            counted.hold(1)

    def close(self) -> None:
        """Enter everything, and have all open requests go on by themselves."""
        self.enter()
        self.claims.tab = None
        for counted in self.counted:
            counted.tab = None
            counted.hold(self.open)

    def standings(self, at: Instant) -> list[Standing]:
        """Give how each limit stands."""
        taken, wall = self.taken, at.wall
        return [
            (
                claim,
                counted.used + taken * claim.cost,
                claim.window_seconds if claim.span is None else slot.ends - wall,
            )
            for claim, counted, slot in zip(self.claims, self.counted, self.slots, strict=True)
        ]


class TabReceipt(Receipt):
    """Units held in slots, one beside each claim; as long as there is a tab, that counts them."""

    __slots__ = ("slots", "tab")

    def __init__(
        self, claims: Sequence[Claim], slots: Sequence[Slot], tab: Tab[Any] | None = None
    ) -> None:
        self.claims = claims
        self.slots = slots
        self.tab = tab
        self.open = True

    def leave_tab(self) -> None:
        """Go on without the tab."""
        if self.tab is not None and not self.tab.closed:
            self.tab.leave()
        self.tab = None


def may_begin(claims: Claims, counted: Sequence[Counted], slots: Sequence[Slot]) -> bool:
    """Say whether a tab is worth its while: the last request took from the same, like this one.

    Remembers what this one took from.
    """
    known, claims.slots = claims.slots, slots
    return claims.adds_up and known == slots and all(each.by is claims.mark for each in counted)


def _same_slots_until(
    claims: Claims, counted: Sequence[Counted], slots: Sequence[Slot]
) -> tuple[float, float]:
    """Say how long requests take from these slots, and no others leave the windows.

    On the monotonic clock, and on the wall's.
    """
    until, ends_at = math.inf, math.inf
    for claim, each, slot in zip(claims, counted, slots, strict=True):
        if claim.span is None:
            until = min(until, slot.began + claim.window_seconds / GRAINS, each.turns_at)
        else:
            ends_at = min(ends_at, slot.ends)
    return until, ends_at
