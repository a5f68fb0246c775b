"""Counting alone, while the store is away (F-37): each limit by its own rule.

`open-local` counts from nothing, `last-known` from what the store said last, and `closed` lets
nothing in. So a limit lets in its amount once more per process at most, or what was left of it.

What was counted alone is told to the store once it is back, each unit in the window it was used in
(F-38); what `last-known` began with is not told again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.rules.claims import Claims
from fairuse.rules.levels import GaugeTally, InFlightTally
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.protocol import Exceeded, StoreAway

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim
    from fairuse.rules.tally import Slot, Tally, TallyKey
    from fairuse.stores.protocol import Costs, Decision, Outcome, Receipt
    from fairuse.stores.shared.share import Share

MOST_TALLIES = 100_000
"""Counted alone at most: an outage is no way to fill the memory (F-44)."""
MOST_TOLD = 1_000_000


class Alone:
    """Counts for one process during one outage; `dirty` hears which shares have more to tell."""

    strict = False

    def __init__(
        self, share_of: Callable[[str, Claim], Share | None], dirty: Callable[[Share], None]
    ) -> None:
        self._counters = MemoryCounters(self, lambda _: None, MOST_TALLIES)
        self._share_of = share_of
        self._dirty = dirty
        self._claims: dict[TallyKey, Claim] = {}
        self._told: dict[Slot, int] = {}
        self._beginning = False

    def reserve(self, account: str, claims: Sequence[Claim], at: Instant) -> Decision:
        """Decide without the store."""
        for claim in claims:
            if claim.hard and claim.limit.store_away == "closed":
                return StoreAway(claim)
        alone: dict[Claim, Claim] = {}
        for claim in claims:
            share = self._share_of(account, claim)
            if share is None:
                continue  # there is no room to count it
            own = claim.but(cost=claim.cost, span=claim.span)
            own.counter = None
            if isinstance(share.mine, InFlightTally):
                # What was let in before the outage is under way here until it ends.
                own.amount = max(0, claim.amount - share.mine.now)
            if share.name not in self._claims:
                self._claims[share.name] = claim
                self._begin(account, own, share, at)
            alone[own] = claim
        decision = self._counters.try_reserve(account, Claims(alone), at)
        if not isinstance(decision, Exceeded):
            return decision
        asked = alone[decision.claim]
        used = decision.used + asked.amount - decision.claim.amount
        return Exceeded(asked, used, decision.frees_in, tuple(alone[o] for o in decision.others))

    def settle(self, receipt: Receipt, outcome: Outcome, costs: Costs, at: Instant) -> None:
        """Close a receipt that was given here, also when the store is back."""
        self._counters.settle(receipt, outcome, costs, at)

    def accrue(self, receipt: Receipt, costs: Costs, at: Instant) -> None:
        """Count units of a receipt that was given here."""
        self._counters.accrue(receipt, {name: units or 0 for name, units in costs.items()}, at)

    def note_slot(self, tally: Tally, slot: Slot) -> None:
        """Hear of units that were counted, and have them told to the store."""
        before, self._told[slot] = self._told.get(slot, 0), slot.settled
        if self._beginning or tally.measure == "in flight":
            return
        if len(self._told) > MOST_TOLD:
            self._told = {known: units for known, units in self._told.items() if not known.over}
        share = self._share_of(tally.key.account, self._claims[tally.key])
        if share is None:
            return
        level = tally.now if isinstance(tally, GaugeTally) else None
        value = slot.settled - before if level is None else level
        moment = tally.told_at if isinstance(tally, GaugeTally) else 0.0
        if not isinstance(slot.seen, set) and not math.isinf(moment):
            share.count(slot, value, moment=moment)
            self._dirty(share)

    def note_member(self, tally: Tally, slot: Slot, member: str) -> None:
        """Hear of somebody who was told apart."""
        share = self._share_of(tally.key.account, self._claims[tally.key])
        if share is not None:
            share.count(slot, 1, member=member)
            self._dirty(share)

    def _begin(self, account: str, claim: Claim, share: Share, at: Instant) -> None:
        """Begin with what is known, where the limit says so."""
        known = share.last_known(at)
        if claim.limit.store_away != "last-known" or claim.limit.kind == "members" or not known:
            return
        before = claim.but(cost=known, span=claim.span)
        before.hard = False
        self._beginning = True
        if claim.limit.measure == "in flight":
            self._counters.try_reserve(account, Claims([before]), at)  # nobody says when those end
        else:
            self._counters.record(account, before, at.wall, at)
        self._beginning = False
