"""Counters in memory: one process, no await, made durable by the journal."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from fairuse.rules.tally import RollingTally, Slot, Tally, TallyKey, new_tally
from fairuse.rules.windows import parse_window
from fairuse.stores.protocol import Claim, Crossing, Exceeded, Hold, Outcome, Reading, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.base.instant import Instant
    from fairuse.stores.journal import Journal
    from fairuse.stores.rows import SlotRow

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
        tallies = self._accounts.get(account)
        if tallies is None:
            tallies = self._accounts[account] = {}
        pairs = []
        for claim in claims:
            limit = claim.limit
            tally = tallies.get((limit.name, limit.window_text, claim.scope))
            if tally is None:
                key = TallyKey(account, limit.name, limit.window_text, claim.scope)
                tally = new_tally(key, limit.window)
            else:
                tally.expire(at)
            if limit.hard and tally.used + claim.cost > claim.amount:
                return _exceeded(claim, tally, at)
            pairs.append((claim, tally))
        return Receipt([self._hold(claim, tally, at) for claim, tally in pairs])

    def settle(self, receipt: Receipt, outcome: Outcome, at: Instant) -> list[Crossing]:
        """Close a receipt, once."""
        if not receipt.open:
            return []
        receipt.open = False
        crossings = []
        for claim, tally, slot in receipt.holds:
            counted = outcome.counts(hard=claim.limit.hard)
            tally.settle(slot, claim.cost, claim.cost if counted else 0)
            if counted:
                self._keep(tally, at)
                self._journal.note_slot(tally, slot)
                if not claim.limit.hard and tally.crosses(slot, claim.amount):
                    crossings.append(_crossing(claim, tally, slot, at))
            elif tally.used == 0 and not tally.kept:
                self._forget(tally)
        return crossings

    def read(self, account: str, at: Instant) -> list[Reading]:
        """Give what the account has used."""
        readings = []
        for tally in self._accounts.get(account, {}).values():
            tally.expire(at)
            if tally.live:
                readings.append(_reading(tally, at))
        return readings

    def __len__(self) -> int:
        """Count the tallies that are remembered."""
        return sum(map(len, self._accounts.values()))

    def sweep(self, at: Instant) -> None:
        """Forget the tallies whose windows are over."""
        now = int(at.monotonic // SWEEP_SECONDS)
        for minute in [minute for minute in self._due if minute <= now]:
            for tally in self._due.pop(minute):
                tally.expire(at)
                if tally.live:
                    self._look_again(tally, at)
                else:
                    self._forget(tally)

    def restore(self, rows: Iterable[SlotRow], at: Instant) -> None:
        """Take up the windows that were open when the last process ended (S15)."""
        for row in rows:
            window = parse_window(row.key.window)
            tallies = self._accounts.setdefault(row.key.account, {})
            name = (row.key.limit, row.key.window, row.key.scope)
            tally = tallies.setdefault(name, new_tally(row.key, window))
            left = row.ends_at - at.wall
            if isinstance(tally, RollingTally):
                left = min(left, tally.seconds)
                began = at.monotonic + left - tally.seconds
                slot = Slot(row.slot, began, at.monotonic + left, row.units)
            else:
                slot = Slot(row.slot, row.slot / 1_000, row.ends_at, row.units)
            tally.slots.append(slot)
            tally.used += row.units
            self._keep(tally, at)

    def _hold(self, claim: Claim, tally: Tally, at: Instant) -> Hold:
        if not tally.slots:
            _, *name = tally.key
            self._accounts[tally.key.account][tuple(name)] = tally
        return Hold(claim, tally, tally.take(claim.cost, at, claim.span))

    def _keep(self, tally: Tally, at: Instant) -> None:
        if not tally.kept:
            tally.kept = True
            self._look_again(tally, at)

    def _look_again(self, tally: Tally, at: Instant) -> None:
        over_at = at.monotonic + tally.resets_in(at)
        self._due[int(over_at // SWEEP_SECONDS) + 1].append(tally)

    def _forget(self, tally: Tally) -> None:
        _, *name = tally.key
        tallies = self._accounts.get(tally.key.account, {})
        if tallies.get(tuple(name)) is tally:
            del tallies[tuple(name)]
        tally.kept = False


def _exceeded(claim: Claim, tally: Tally, at: Instant) -> Exceeded:
    if claim.cost > claim.amount:
        return Exceeded(claim, tally.used, None)
    over = tally.used + claim.cost - claim.amount
    return Exceeded(claim, tally.used, tally.frees_in(over, at))


def _reading(tally: Tally, at: Instant) -> Reading:
    return Reading(
        limit=tally.key.limit,
        window=tally.key.window,
        scope=tally.key.scope,
        settled=sum(slot.settled for slot in tally.slots),
        used=tally.used,
        starts_at=tally.slots[0].key / 1_000,
        ends_at=at.wall + tally.resets_in(at),
    )


def _crossing(claim: Claim, tally: Tally, slot: Slot, at: Instant) -> Crossing:
    reading = slot.settled if slot.over else sum(known.settled for known in tally.slots)
    return Crossing(
        account=tally.key.account,
        limit=claim.limit,
        scope=claim.scope,
        amount=claim.amount,
        reading=reading,
        starts_at=slot.key / 1_000,
        ends_at=at.wall + slot.ends - tally.clock(at),
    )
