"""A process's share of a count that other processes count, too.

Units of ours are first open, then counted and told. Those of a lease in hand are ours to spend
without asking. What others have is known as of the store's last answer.
"""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from fairuse.rules.amounts import MAX_AMOUNT
from fairuse.rules.counting import new_tally
from fairuse.rules.levels import InFlightTally
from fairuse.rules.members import MembersTally
from fairuse.rules.windows import Rolling, Span

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim
    from fairuse.rules.tally import Slot, Tally, TallyKey
    from fairuse.rules.terms import LimitTerms

MOST_KNOWN = 10_000
"""How many members of a window a process remembers, so that it need not ask about them."""
TOLD_AGAIN_SECONDS = 540.0
"""Less than the store remembers numbers for (TOLD_AGAIN in tell.lua)."""
KEPT_AFTER_SECONDS = 2.0
"""When what was told is in the ledger, unless that is away: the journal is written within 0.2."""
FIRST_LEASE = 16
LARGEST_LEASE = 65_536
AHEAD_SECONDS = 2.0
SOON_SECONDS = 0.5
SHORTEST_SECONDS = 0.01
"""A pace is worked out over no less: the first units may all come at once."""

_numbers = itertools.count(1)


class Count(NamedTuple):
    """Something to be told: the units, a level or a member of a slot, and the limit's amount.

    `moment` is when a level was told, in seconds since 1970.
    """

    slot: Slot
    value: int | str
    amount: int
    moment: float = 0.0


class Share:
    """What this process has and knows of one tally.

    `left` units of a lease may be spent before `until` (monotonic seconds). `elsewhere` is what
    others have, and what was settled, as of the last answer; `span` is the calendar window that was
    current then, and until `known_until` (monotonic seconds) it means anything. `telling` has a
    number: it may be told twice, and counts once. `tab` has more to enter, `by` is the mark of
    the claims that took last.
    """

    __slots__ = (
        "_bounds",
        "_bounds_hold",
        "_crossed",
        "_leases",
        "_window",
        "asked_at",
        "by",
        "claim",
        "counted",
        "elsewhere",
        "head",
        "index",
        "key",
        "known",
        "known_until",
        "left",
        "mine",
        "name",
        "peak",
        "remembered",
        "span",
        "spent",
        "tab",
        "telling",
        "telling_number",
        "telling_since",
        "told_at",
        "touched",
        "units",
        "until",
        "untold",
    )

    def __init__(self, key: str, name: TallyKey, claim: Claim, *, leases: bool) -> None:
        self.key = key
        self.index = key[: key.index("}") + 1]
        window = claim.limit.window
        width = window.seconds * 1_000 if isinstance(window, Rolling) else 0
        kind = claim.limit.measure if claim.limit.kind == "level" else claim.limit.kind
        self.head = f'{json.dumps(key)},"{kind}",{width}'
        self.name = name
        self.claim = claim
        self.mine: Tally = new_tally(name, claim.limit.measure, claim.limit.window)
        self.left = 0
        self.until = -math.inf
        self._leases = leases
        self.spent = 0
        self.asked_at = -math.inf
        self.elsewhere = 0
        self.untold = 0
        self.units: dict[Slot, int] = {}
        self.counted: dict[object, Count] = {}
        self.telling: list[Count] = []
        self.telling_number = 0
        self.known: set[str] = set()
        self.peak = 0
        self.span: Span | None = None
        self._window = (0, 0)
        self._crossed: tuple[int, float] | None = None
        self._bounds = ""
        self._bounds_hold = Span(0, 0)
        self.known_until = -math.inf
        self.telling_since = 0.0
        self.told_at = -math.inf
        self.touched = True
        self.remembered = True
        self.tab: Any = None
        self.by: Any = None

    @property
    def turns_at(self) -> float:
        """Say when there is something to do before units are counted again."""
        return self.mine.turns_at

    @property
    def limit(self) -> LimitTerms:
        """Give the limit."""
        return self.claim.limit

    @property
    def used(self) -> int:
        """Give what is used, as far as this process knows."""
        if self.claim.limit.kind == "flow":
            return self.elsewhere + self.mine.used + self.untold
        if isinstance(self.mine, InFlightTally):
            return self.elsewhere + self.mine.now
        return self.elsewhere

    @property
    def idle(self) -> bool:
        """Say whether nothing is held, and nothing is to be told."""
        open_names = isinstance(self.mine, MembersTally) and self.mine.open_names
        untold = self.units or self.counted or self.telling
        return not (self.left or self.mine.used or untold or open_names)

    def affords(self, claim: Claim, monotonic: float) -> bool:
        """Say whether what is in hand and known is enough to let a claim in."""
        if claim.limit.kind == "members":
            return claim.member in self.known and monotonic < self.until
        return self.left >= claim.cost > 0 and monotonic < self.until

    def last_known(self, at: Instant) -> int:
        """Give what is used, as far as was known when the store was last heard of.

        What is in flight here is left out: it ends without the store.
        """
        if at.monotonic >= self.known_until:
            return 0
        held = self.mine.used if self.limit.kind == "flow" else 0
        return self.elsewhere + self.untold + held

    def take(self, claim: Claim, at: Instant, span: Span | None) -> Slot:
        """Hold the units of a claim, in a window."""
        slot = self.mine.take(claim.cost, at, span, claim.member)
        self.mine.held += 1
        self.touched = True
        if isinstance(self.mine, InFlightTally):
            self.peak = max(self.peak, self.mine.now)
        return slot

    def spend(self, claim: Claim, at: Instant, span: Span | None) -> Slot:
        """Hold the units of a claim that is let in without asking."""
        if claim.hard and not claim.member:
            self.left -= claim.cost
            self.spent += claim.cost
        return self.take(claim, at, span)

    def give_up_lease(self) -> None:
        """Spend no more ahead, and ask for no more."""
        self.left = self.spent = 0

    def give_back(self, claim: Claim, slot: Slot) -> None:
        """Hold them no longer."""
        self.mine.held -= 1
        self.mine.settle(slot, claim.cost, None, claim.member)

    def hold(self, requests: int) -> None:
        """Have so many requests more open."""
        self.mine.held += requests

    def settle_as_held(self, cost: int, slot: Slot) -> None:
        """Settle units as they were held."""
        self.mine.held -= 1
        slot.open -= cost
        if not slot.over:
            self.mine.used -= cost
        self.units[slot] = self.units.get(slot, 0) + cost
        self.untold += cost

    def entered(self) -> Share:
        """Have everything entered that is on a tab, and close it."""
        if self.tab is not None:
            self.tab.close()
        return self

    def enter(self, slot: Slot, taken: int, settled: int) -> None:
        """Enter units of the lease that were taken, and units that were settled as they had been.

        The way of almost every unit.
        """
        self.touched = True
        if self.claim.limit.hard:
            self.left -= taken
            self.spent += taken
        slot.open += taken - settled
        if not slot.over:
            self.mine.used += taken - settled
        if settled:
            self.units[slot] = self.units.get(slot, 0) + settled
            self.untold += settled

    def count(
        self,
        slot: Slot,
        value: int,
        *,
        member: str = "",
        moment: float = 0.0,
        amount: int | None = None,
    ) -> None:
        """Have something settled told to the store; without an amount it is that of today."""
        self.touched = True
        limit = self.claim.limit
        if amount is None:
            amount = self.claim.amount
        if limit.kind == "members":
            self.counted[slot, member] = Count(slot, member, amount)
        elif limit.measure == "gauge":
            self._count_level(slot, value, moment, amount)
        elif limit.kind == "flow" and amount == self.claim.amount:
            self.units[slot] = self.units.get(slot, 0) + value
            self.untold += value
        elif limit.kind == "flow":
            self.counted[next(_numbers)] = Count(slot, value, amount)
            self.untold += value

    def _count_level(self, slot: Slot, level: int, moment: float, amount: int) -> None:
        """Keep the highest level of a slot, and the latest: more is not needed to be told."""
        for name, better in (("highest", 0), ("latest", 1)):
            known = self.counted.get((slot, name))
            figures = (int(known.value), known.moment) if known is not None else (-1, -math.inf)
            if figures[better] <= (level, moment)[better]:
                self.counted[slot, name] = Count(slot, level, amount, moment)

    def tell(self, monotonic: float) -> int:
        """Give the number of what is to be told now: again what is not known to have arrived.

        The store knows a number for a while only; what may have counted longer ago is dropped.
        """
        if self.telling and monotonic - self.telling_since > TOLD_AGAIN_SECONDS:
            self.told(self.telling)
        if not self.telling and (self.units or self.counted):
            amount = self.claim.amount
            units = [
                Count(slot, min(each, MAX_AMOUNT), amount) for slot, each in self.units.items()
            ]
            self.telling = [*units, *self.counted.values()]
            self.units, self.counted = {}, {}
            self.telling_number = next(_numbers)
            self.telling_since = monotonic
        return self.telling_number

    def told(self, told: list[Count]) -> None:
        """Note that it has arrived."""
        if self.telling is not told:
            return
        if self.claim.limit.kind == "flow":
            self.untold -= sum(int(count.value) for count in told)
        self.telling = []

    def know(self, told: list[Count], began: int, ends: int) -> None:
        """Note the window that is current (milliseconds), and who the store knows in it by now."""
        if (began, ends) != self._window:
            self._window = began, ends
            self.span = Span(began // 1_000, ends // 1_000) if ends else None
            self.known.clear()
        if self.claim.limit.kind != "members" or self.span is None:
            return
        for count in told:
            current = self.span.start <= count.slot.began < self.span.end
            if isinstance(count.value, str) and current and len(self.known) < MOST_KNOWN:
                self.known.add(count.value)

    def crosses(self, began: int, monotonic: float) -> bool:
        """Say, once per window, that the store tells of a soft limit that was gone over."""
        if self._crossed is not None and self._crossed[0] == began:
            return False
        self._crossed = began, monotonic
        return True

    def kept_crossing(self, monotonic: float) -> int:
        """Give the window whose crossing is in the ledger by now, for the store to know; or 0."""
        if self._crossed is None or monotonic - self._crossed[1] < KEPT_AFTER_SECONDS:
            return 0
        return self._crossed[0]

    def next_lease(self, monotonic: float, *, asked: bool) -> int:
        """Give how many units to ask for ahead, at the pace since the last time.

        That is when somebody waits for them, or when what is left will soon be spent.
        """
        if not self._leases:
            return 0
        seconds = max(monotonic - self.asked_at, SHORTEST_SECONDS)
        pace = self.spent / seconds
        if not asked and self.left >= pace * SOON_SECONDS:
            return 0
        self.spent, self.asked_at = 0, monotonic
        return min(max(FIRST_LEASE, round(pace * AHEAD_SECONDS)), LARGEST_LEASE)

    def bounds(self, at: Instant) -> str:
        """Write the boundaries of the calendar windows around now, in milliseconds.

        Which of them it is the store says; close to a boundary both windows are offered.
        """
        if not self._bounds_hold[0] <= at.wall < self._bounds_hold[1]:
            self._bounds, self._bounds_hold = _bounds(self.claim.limit, at.wall)
        return self._bounds


FOREVER_MS = 9_000_000_000_000_000
EDGE_SECONDS = 60
"""How far a node's clock may be off before it has heard the store's time."""


def _bounds(limit: LimitTerms, moment: float) -> tuple[str, Span]:
    """Write boundaries, and say for how long they are the ones to be told."""
    always = Span(0, FOREVER_MS // 1_000)
    if isinstance(limit.window, Rolling):
        return "[]", always
    span = limit.span(moment)
    if span is None:
        return f"[0,{FOREVER_MS}]", always
    bounds, holds = [span.start, span.end], Span(span.start + EDGE_SECONDS, span.end - EDGE_SECONDS)
    if moment < holds.start:
        before = limit.span(span.start - 1)
        bounds.insert(0, before.start if before is not None else span.start)
        holds = Span(span.start, holds.start)
    elif moment >= holds.end:
        after = limit.span(span.end)
        bounds.append(after.end if after is not None else span.end)
        holds = Span(holds.end, span.end)
    return str([bound * 1_000 for bound in bounds]).replace(" ", ""), holds
