"""Counters in memory: one process, no await, made durable by the journal."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from fairuse.rules.counting import new_tally
from fairuse.rules.levels import GaugeTally, LevelTally
from fairuse.rules.members import MembersTally
from fairuse.rules.tally import KEPT_SECONDS, RollingTally, Slot, Tally, TallyKey
from fairuse.rules.windows import Always, Rolling, parse_window
from fairuse.stores.protocol import Claim, Crossing, Exceeded, Hold, Outcome, Reading, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fairuse.base.instant import Instant
    from fairuse.stores.journal import Journal
    from fairuse.stores.protocol import Costs
    from fairuse.stores.rows import MemberRow, SlotRow

SWEEP_SECONDS = 60


class MemoryCounters:
    """Tallies in plain dicts, one dict per account.

    Nothing scans them all: a tally is put down under the minute in which it may be over, and
    looked at again only then.
    """

    def __init__(self, journal: Journal) -> None:
        self._accounts: dict[str, dict[tuple[object, ...], Tally]] = {}
        self._due: defaultdict[int, list[Tally]] = defaultdict(list)
        self._journal = journal

    def reserve(self, account: str, claims: Iterable[Claim], at: Instant) -> Receipt | Exceeded:
        """Reserve on all claims or on none."""
        pairs = []
        over: list[Exceeded] = []
        for claim in claims:
            tally = self._tally(account, claim, at)
            if claim.limit.hard and claim.refusable and _over(claim, tally):
                over.append(_exceeded(claim, tally, at))
            pairs.append((claim, tally))
        if over:
            longest = max(over, key=_wait)
            return longest._replace(
                others=tuple(each.claim for each in over if each is not longest)
            )
        return Receipt([self._hold(claim, tally, at) for claim, tally in pairs])

    def settle(
        self, receipt: Receipt, outcome: Outcome, costs: Costs, at: Instant
    ) -> list[Crossing]:
        """Close a receipt, once."""
        if not receipt.open:
            return []
        receipt.open = False
        crossings = []
        for claim, tally, held in receipt.holds:
            limit = claim.limit
            tally.held -= 1
            if limit.whatever_the_answer or outcome.counts(hard=limit.hard):
                actual = costs.get(limit.meter, claim.cost)
                slot = _settled(claim, tally, held, actual, at)
                self._counted(claim, tally, slot, at)
                if crossing := _crossing(claim, tally, slot, at):
                    crossings.append(crossing)
            else:
                tally.settle(held, claim.cost, None, claim.member)
                if tally.used == 0 and not tally.kept and not tally.held:
                    self._forget(tally)
        return crossings

    def accrue(self, receipt: Receipt, costs: Mapping[str, int], at: Instant) -> list[Crossing]:
        """Count units of a receipt that stays open, in the windows of this moment."""
        crossings: list[Crossing] = []
        if not receipt.open:
            return crossings
        for index, hold in enumerate(receipt.holds):
            units = costs.get(hold.claim.limit.meter, 0)
            if units:
                receipt.holds[index] = claim, tally, slot = _accrued(hold, units, at)
                self._counted(claim, tally, slot, at)
                if crossing := _crossing(claim, tally, slot, at):
                    crossings.append(crossing)
        return crossings

    def record(self, account: str, claim: Claim, moment: float, at: Instant) -> Crossing | None:
        """Count what was used at an earlier moment."""
        tally = self._tally(account, claim, at)
        slot = tally.slot_at(moment, at, claim.span)
        if slot is None:
            return None
        self._remember(tally)
        if isinstance(tally, GaugeTally):
            tally.tell(slot, claim.cost, moment)
        else:
            tally.settle(slot, 0, claim.cost, claim.member)
        self._counted(claim, tally, slot, at)
        return _crossing(claim, tally, slot, at)

    def read(self, account: str, at: Instant) -> list[Reading]:
        """Give what the account has used."""
        readings = []
        for tally in self._accounts.get(account, {}).values():
            tally.expire(at)
            if tally.live:
                readings.append(_reading(tally, at))
        return readings

    def needs(self, account: str, claim: Claim, at: Instant) -> int:
        """Say how many units a claim would add: a member that is known adds none."""
        tally = self._tally(account, claim, at)
        return tally.after(claim.cost, claim.member) - tally.used

    def __len__(self) -> int:
        """Count the tallies that are remembered."""
        return sum(map(len, self._accounts.values()))

    def sweep(self, at: Instant) -> None:
        """Forget the tallies whose windows are over."""
        now = int(at.monotonic // SWEEP_SECONDS)
        for minute in [minute for minute in self._due if minute <= now]:
            for tally in self._due.pop(minute):
                tally.expire(at)
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
            slot = _slot(row, tally, at)
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

    def _restored(self, row: SlotRow) -> Tally:
        tallies = self._accounts.setdefault(row.key.account, {})
        name = (row.key.limit, row.key.window, row.key.scope)
        tally = tallies.get(name)
        if tally is None:
            window = parse_window(row.key.window)
            tally = tallies[name] = new_tally(row.key, row.measure, window, KEPT_SECONDS)
        return tally

    def _tally(self, account: str, claim: Claim, at: Instant) -> Tally:
        limit = claim.limit
        tallies = self._accounts.get(account)
        if tallies is None:
            tallies = self._accounts[account] = {}
        tally = tallies.get((limit.name, limit.window_text, claim.scope))
        if tally is not None:
            tally.expire(at)
            return tally
        key = TallyKey(account, limit.name, limit.window_text, claim.scope)
        return new_tally(key, limit.measure, limit.window, KEPT_SECONDS)

    def _hold(self, claim: Claim, tally: Tally, at: Instant) -> Hold:
        if not tally.slots:
            self._remember(tally)
        tally.held += 1
        return Hold(claim, tally, tally.take(claim.cost, at, claim.span, claim.member))

    def _remember(self, tally: Tally) -> None:
        _, *name = tally.key
        self._accounts[tally.key.account][tuple(name)] = tally

    def _counted(self, claim: Claim, tally: Tally, slot: Slot, at: Instant) -> None:
        """Have what was settled kept."""
        self._keep(tally, at)
        limit = claim.limit
        if limit.measure == "in flight" and isinstance(limit.window, Always):
            return  # what is under way at a crash is over with it
        self._journal.note_slot(tally, slot, limit.measure)
        if limit.kind == "level" and tally.slots[-1] is not slot:
            self._journal.note_slot(tally, tally.slots[-1], limit.measure)  # it has the level
        if slot.seen is not None and claim.member in slot.seen:
            self._journal.note_member(tally, slot, claim.member)

    def _keep(self, tally: Tally, at: Instant) -> None:
        if not tally.kept:
            tally.kept = True
            self._look_again(tally, at)

    def _look_again(self, tally: Tally, at: Instant) -> None:
        seconds = tally.forgotten_in(at)
        if math.isinf(seconds):
            seconds = 86_400.0
        self._due[int((at.monotonic + seconds) // SWEEP_SECONDS) + 1].append(tally)

    def _forget(self, tally: Tally) -> None:
        _, *name = tally.key
        tallies = self._accounts.get(tally.key.account, {})
        if tallies.get(tuple(name)) is tally:
            del tallies[tuple(name)]
        tally.kept = False


def _over(claim: Claim, tally: Tally) -> bool:
    """Say whether the units do not fit.

    A job larger than the limit of a short window is let in while the window is empty, and all
    that comes after it waits; otherwise it could never be done.
    """
    if tally.fits(claim.cost, claim.amount, claim.member):
        return False
    alone = tally.used == 0 and claim.amount > 0 and isinstance(claim.limit.window, Rolling)
    return not alone


def _accrued(hold: Hold, units: int, at: Instant) -> Hold:
    """Count units now, and give what is held from here on: nothing, in the window of now."""
    claim, tally, before = hold
    span = claim.limit.span(at.wall)
    tally.expire(at)
    tally.settle(before, claim.cost, None, claim.member)
    slot = tally.current(at, span)
    tally.settle(slot, 0, units, claim.member)
    return Hold(claim._replace(cost=0, span=span), tally, slot)


def _settled(claim: Claim, tally: Tally, slot: Slot, actual: int | None, at: Instant) -> Slot:
    """Settle units, and give the slot that has the last of them.

    What was reserved is of the moment it was; what a request came to beyond that is of the moment
    it is known, where a rolling window is over meanwhile. Otherwise being slow would be a way
    around the limit.
    """
    beyond = 0 if actual is None else actual - claim.cost
    if beyond <= 0 or not isinstance(tally, RollingTally) or at.monotonic < slot.ends:
        tally.settle(slot, claim.cost, actual, claim.member)
        return slot
    tally.expire(at)
    tally.settle(slot, claim.cost, claim.cost, claim.member)
    latest = tally.current(at, None)
    tally.settle(latest, 0, beyond, claim.member)
    return latest


def _exceeded(claim: Claim, tally: Tally, at: Instant) -> Exceeded:
    larger_than_all = claim.cost > claim.amount
    if larger_than_all and (claim.amount == 0 or not isinstance(claim.limit.window, Rolling)):
        return Exceeded(claim, tally.used, None)
    over = tally.used if larger_than_all else tally.used + claim.cost - claim.amount
    return Exceeded(claim, tally.used, tally.frees_in(over, at))


def _wait(exceeded: Exceeded) -> float:
    """Give how long it takes: until the longest is over, all are."""
    return math.inf if exceeded.frees_in is None else exceeded.frees_in


def _slot(row: SlotRow, tally: Tally, at: Instant) -> Slot:
    if not isinstance(tally, RollingTally):
        endless = isinstance(parse_window(row.key.window), Always)
        return Slot(row.slot, row.slot / 1_000, math.inf if endless else row.ends_at, row.units)
    left = min(row.ends_at - at.wall, tally.seconds)
    return Slot(row.slot, at.monotonic + left - tally.seconds, at.monotonic + left, row.units)


def _reading(tally: Tally, at: Instant) -> Reading:
    latest = tally.slots[-1]
    return Reading(
        limit=tally.key.limit,
        window=tally.key.window,
        scope=tally.key.scope,
        settled=tally.used if latest.over else tally.reading(latest),
        used=tally.used,
        starts_at=tally.opened_at,
        ends_at=at.wall + tally.resets_in(at),
    )


def _crossing(claim: Claim, tally: Tally, slot: Slot, at: Instant) -> Crossing | None:
    """Give what there is to tell, where a soft limit was gone over."""
    if claim.limit.hard or not tally.crosses(slot, claim.amount):
        return None
    return Crossing(
        account=tally.key.account,
        limit=claim.limit,
        scope=claim.scope,
        amount=claim.amount,
        reading=tally.reading(slot),
        starts_at=slot.key / 1_000,
        ends_at=at.wall + slot.ends - tally.clock(at),
    )
