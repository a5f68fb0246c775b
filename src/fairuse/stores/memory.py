"""Counters in memory: one process, no await, made durable by the journal."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from fairuse.rules.counting import new_tally
from fairuse.rules.levels import GaugeTally, LevelTally
from fairuse.rules.members import MembersTally
from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import KEPT_SECONDS, Slot, Tally, TallyKey
from fairuse.rules.windows import Always, parse_window
from fairuse.stores.claimed import (
    accrued,
    crossing_of,
    exceeded,
    over,
    reading_of,
    settled,
    slot_of,
)
from fairuse.stores.protocol import Exceeded, Outcome, Reading, Receipt, longest
from fairuse.stores.room import Room
from fairuse.stores.tab import Tab, TabReceipt, may_begin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim, Claims
    from fairuse.stores.journal import SlotJournal
    from fairuse.stores.protocol import Costs, Crossed, Decision, Standing
    from fairuse.stores.rows import MemberRow, SlotRow

SWEEP_SECONDS = 60
MOST_TALLIES = 1_000_000
"""About 700 MB; whoever makes up names can't take more (F-44)."""


class MemoryReceipt(TabReceipt):
    """Units reserved in memory: beside each claim its tally, and the slot that holds them."""

    __slots__ = ("tallies",)

    def __init__(
        self,
        claims: Sequence[Claim],
        tallies: Sequence[Tally],
        slots: Sequence[Slot],
        tab: Tab[Tally] | None = None,
    ) -> None:
        self.claims = claims
        self.tallies = tallies
        self.slots = slots
        self.tab = tab
        self.open = True

    @property
    def holds(self) -> Iterator[tuple[Claim, Tally, Slot]]:
        """Give each claim with its tally and its slot."""
        return zip(self.claims, self.tallies, self.slots, strict=True)

    def standings(self, at: Instant) -> list[Standing]:
        """Give how each limit stands."""
        if self.tab is not None:
            return self.tab.standings(at)
        return [
            (claim, tally.used, slot.ends - at[tally.clock]) for claim, tally, slot in self.holds
        ]


class MemoryCounters:
    """Tallies in plain dicts, one dict per account.

    Nothing scans them all: a tally is put down under the minute in which it may be over, and
    looked at again only then.
    """

    def __init__(self, journal: SlotJournal, crossed: Crossed, most: int = MOST_TALLIES) -> None:
        self._accounts: dict[str, dict[TallyKey, Tally]] = {}
        self._due: defaultdict[int, set[Tally]] = defaultdict(set)
        self._journal = journal
        self._crossed = crossed
        self.room = Room(most, self._forget)

    @property
    def away(self) -> str:
        """Say nothing: this store is always there."""
        return ""

    def try_reserve(self, account: str, claims: Claims, at: Instant) -> Decision:
        """Reserve on all claims or on none."""
        tab: Tab[Tally] | None = claims.tab
        if tab is None or not tab.admits(at):
            return self._reserve(account, claims, at)
        if self._journal.strict and not tab.noted:
            self._note(tab)
        return MemoryReceipt(claims, tab.counted, tab.slots, tab)

    def _reserve(self, account: str, claims: Claims, at: Instant) -> Decision:
        """Reserve in each tally."""
        for claim in claims:
            tally: Tally | None = claim.counter
            if tally is None or tally.tab is not None or at[tally.clock] >= tally.turns_at:
                tally = self._turned(account, claim, at)
            if claim.hard and tally.used + claim.cost > claim.amount and over(claim, tally):
                return self._exceeded(account, claims, at)
        tallies, slots = [], []
        for claim in claims:
            tally = claim.counter
            if not tally.remembered:
                self._remember(tally)
            tally.held += 1
            tally.touched = True
            tallies.append(tally)
            slots.append(tally.take(claim.cost, at, claim.span, claim.member))
            if not tally.remembered:
                tally.turns_at = -math.inf  # there was no room: the next one looks again
        if self._journal.strict:
            for claim, tally, slot in zip(claims, tallies, slots, strict=True):
                if claim.flow and tally.remembered:
                    self._journal.note_slot(tally, slot)
        self._begin_tab(claims, tallies, slots)
        return MemoryReceipt(claims, tallies, slots)

    async def reserve(self, account: str, claims: Claims, at: Instant) -> Decision:
        """Reserve on all claims or on none: nobody has to be asked."""
        return self.try_reserve(account, claims, at)

    def settle(self, receipt: Receipt, outcome: Outcome, costs: Costs, at: Instant) -> None:
        """Close a receipt, once."""
        if not receipt.open:
            return
        receipt.open = False
        accepted = outcome is Outcome.ACCEPTED
        tab: Tab[Tally] | None = receipt.tab  # type: ignore[attr-defined]
        if tab is not None:
            if accepted and not costs and tab.settles and not tab.closed:
                tab.open -= 1
                tab.settled += 1
                if not tab.noted:
                    self._note(tab)
                return
            receipt.leave_tab()  # type: ignore[attr-defined]
        note_slot = self._journal.note_slot
        for claim, tally, slot in receipt.holds:  # type: ignore[attr-defined]
            tally.held -= 1
            if accepted and claim.plain and tally.kept and claim.limit.meter not in costs:
                # The way of almost every request; the one below comes to the same.
                slot.open -= claim.cost
                slot.settled += claim.cost
                note_slot(tally, slot)
                continue
            if tally.tab is not None:
                tally.tab.close()
            limit = claim.limit
            if limit.whatever_the_answer or outcome.counts(hard=limit.hard):
                actual = costs.get(limit.meter, claim.cost)
                latest = settled(claim, tally, slot, actual, at)
                self._counted(claim, tally, latest, at)
            else:
                self._give_back(claim, tally, slot)

    def accrue(self, receipt: Receipt, costs: Mapping[str, int], at: Instant) -> None:
        """Count units of a receipt that stays open, in the windows of this moment."""
        if not receipt.open or not isinstance(receipt, MemoryReceipt):
            return
        receipt.leave_tab()
        receipt.claims = claims = [*receipt.claims]  # those of the request alone from here on
        receipt.slots = slots = [*receipt.slots]
        for index, (claim, tally, held) in enumerate(receipt.holds):
            units = costs.get(claim.limit.meter, 0)
            if units:
                if tally.tab is not None:
                    tally.tab.close()
                now, slot = accrued(claim, tally, held, units, at)
                claims[index], slots[index] = now, slot
                if self._journal.strict and tally.remembered:
                    self._journal.note_slot(tally, held)  # it was written with what it held
                self._counted(now, tally, slot, at)

    def record(self, account: str, claim: Claim, moment: float, at: Instant) -> None:
        """Count what was used at an earlier moment."""
        tally = self._tally(account, claim, at)
        slot = tally.slot_at(moment, at, claim.span)
        if slot is None:
            return
        if not tally.remembered:
            self._remember(tally)
        if isinstance(tally, GaugeTally):
            tally.tell(slot, claim.cost, moment)
        else:
            tally.settle(slot, 0, claim.cost, claim.member)
        self._counted(claim, tally, slot, at)

    async def read(self, account: str, at: Instant) -> list[Reading]:
        """Give what the account has used."""
        readings = []
        for tally in self._accounts.get(account, {}).values():
            _expire(tally, at)
            if tally.live:
                readings.append(reading_of(tally, at))
        return readings

    async def flush(self) -> None:
        """Wait for nothing: this is the store."""

    def needs(self, account: str, claim: Claim, at: Instant) -> int:
        """Say how many units a claim would add: a member that is known adds none."""
        tally = self._tally(account, claim, at)
        return tally.after(claim.cost, claim.member) - tally.used

    def __len__(self) -> int:
        """Count the tallies that are remembered."""
        return self.room.taken

    def sweep(self, at: Instant) -> None:
        """Forget the tallies whose windows are over."""
        now = int(at.monotonic // SWEEP_SECONDS)
        for minute in [minute for minute in self._due if minute <= now]:
            for tally in self._due.pop(minute):
                _expire(tally, at)
                if tally.held or tally.forgotten_in(at) > 0:
                    self._look_again(tally, at)
                else:
                    self._forget(tally)

    def restore(
        self, rows: Iterable[SlotRow], at: Instant, members: Iterable[MemberRow] = ()
    ) -> None:
        """Take up the windows that were open when the last process ended (S15)."""
        slots: dict[tuple[TallyKey, int], tuple[Tally, Slot]] = {}
        for row in rows:
            tally = self._restored(row)
            slot = slot_of(row, tally, at)
            tally.slots.append(slot)
            slots[row.key, row.slot] = tally, slot
            if isinstance(tally, LevelTally):
                tally.now = row.level
            if isinstance(tally, RollingTally):
                tally.used += row.units
        for member in members:
            known = slots.get((member.key, member.slot))
            if known is not None and isinstance(known[0], MembersTally):
                known[0].restore(known[1], member.member)
        for tally, _ in slots.values():
            if not isinstance(tally, RollingTally):
                tally.expire(at)
            self._keep(tally, at)

    def _begin_tab(self, claims: Claims, tallies: Sequence[Tally], slots: Sequence[Slot]) -> None:
        """Have requests like this one counted on a tab, where there are many of them."""
        if may_begin(claims, tallies, slots) and all(tally.remembered for tally in tallies):
            room = [
                (claim.amount - tally.used) // claim.cost
                for claim, tally in zip(claims, tallies, strict=True)
                if claim.cost
            ]
            if room and min(room) > 0:
                tab = Tab(claims, tallies, slots, min(room))
                tab.settles = all(tally.kept for tally in tallies)
        for tally in tallies:
            tally.by = claims.mark

    def _note(self, tab: Tab[Tally]) -> None:
        """Have what is on a tab written, once it is entered."""
        tab.noted = True
        for tally, slot in zip(tab.counted, tab.slots, strict=True):
            self._journal.note_slot(tally, slot)

    def tallies(self, account: str) -> list[Tally]:
        """Give the tallies of an account that are remembered."""
        return [*self._accounts.get(account, {}).values()]

    def _restored(self, row: SlotRow) -> Tally:
        tally = self._accounts.get(row.key.account, {}).get(row.key)
        if tally is None:
            tally = new_tally(row.key, row.measure, parse_window(row.key.window), KEPT_SECONDS)
            self._remember(tally)
        return tally

    def _exceeded(self, account: str, claims: Claims, at: Instant) -> Exceeded:
        """Give of all claims that do not fit the one that takes longest."""
        found = []
        for claim in claims:
            tally = self._turned(account, claim, at)
            if claim.hard and over(claim, tally):
                found.append(exceeded(claim, tally, at))
        return longest(found)

    def _turned(self, account: str, claim: Claim, at: Instant) -> Tally:
        """Give the tally of a claim, as it is now."""
        tally: Tally | None = claim.counter
        if tally is None or not tally.remembered:
            tally = claim.counter = self._tally(account, claim, at)
        else:
            _expire(tally, at)
        return tally

    def _tally(self, account: str, claim: Claim, at: Instant) -> Tally:
        limit = claim.limit
        key = TallyKey(account, limit.name, limit.window_text, claim.scope)
        tallies = self._accounts.get(account)
        tally = tallies.get(key) if tallies is not None else None
        if tally is None:
            tally = new_tally(key, limit.measure, limit.window, KEPT_SECONDS)
        else:
            _expire(tally, at)
        tally.amount = claim.amount
        return tally

    def _remember(self, tally: Tally) -> None:
        if not self.room.make():
            return
        tallies = self._accounts.get(tally.key.account)
        if tallies is None:
            tallies = self._accounts[tally.key.account] = {}
        if tally.key in tallies:
            return  # another took its place while there was no room for this one
        tallies[tally.key] = tally
        tally.remembered = True
        self.room.take(tally)

    def _counted(self, claim: Claim, tally: Tally, slot: Slot, at: Instant) -> None:
        """Have what was settled kept, and tell of a soft limit that was gone over."""
        if not tally.remembered:
            return  # there was no room for it
        if not tally.kept:
            self._keep(tally, at)
        limit = claim.limit
        if limit.measure != "in flight" or not isinstance(limit.window, Always):
            # What is under way at a crash is over with it; the rest is written.
            self._journal.note_slot(tally, slot)
            if limit.kind == "level" and tally.slots[-1] is not slot:
                self._journal.note_slot(tally, tally.slots[-1])  # it has the level
            if slot.seen is not None and claim.member in slot.seen:
                self._journal.note_member(tally, slot, claim.member)
        if not limit.hard and tally.crosses(slot, claim.amount):
            self._crossed(crossing_of(claim, tally, slot, at))

    def _give_back(self, claim: Claim, tally: Tally, slot: Slot) -> None:
        tally.settle(slot, claim.cost, None, claim.member)
        if self._journal.strict and claim.limit.kind == "flow" and tally.remembered:
            self._journal.note_slot(tally, slot)
        if tally.used == 0 and not tally.kept and not tally.held:
            self._forget(tally)

    def _keep(self, tally: Tally, at: Instant) -> None:
        if not tally.kept:
            tally.kept = True
            self._look_again(tally, at)

    def _look_again(self, tally: Tally, at: Instant) -> None:
        seconds = tally.forgotten_in(at)
        if math.isinf(seconds):
            seconds = 86_400.0
        tally.due = int((at.monotonic + seconds) // SWEEP_SECONDS) + 1
        self._due[tally.due].add(tally)

    def _forget(self, tally: Tally) -> None:
        if tally.tab is not None:
            tally.tab.close()
        if tally.remembered:
            account = tally.key.account
            tallies = self._accounts[account]
            del tallies[tally.key]
            if not tallies:
                del self._accounts[account]
            tally.remembered = False
            tally.turns_at = -math.inf
            if tally.due in self._due:
                self._due[tally.due].discard(tally)
            self.room.leave()
        tally.kept = False


def _expire(tally: Tally, at: Instant) -> None:
    """Enter what was taken, and forget what is over."""
    if tally.tab is not None:
        tally.tab.close()
    tally.expire(at)
