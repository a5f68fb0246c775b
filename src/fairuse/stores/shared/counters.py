"""Counters that several processes share: most requests are decided without asking the store.

A claim that a lease in hand affords, and one that nothing refuses, is let in at once. The others
wait for the store; where nothing may be forgotten (`strict`), all of them do. What was settled is
told to it a few times a second.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fairuse.base import metrics
from fairuse.base.errors import StoreError
from fairuse.base.log import logger
from fairuse.rules.levels import GaugeTally
from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import Slot, TallyKey
from fairuse.stores.protocol import Exceeded, Outcome, Reading, Receipt
from fairuse.stores.shared.alone import Alone
from fairuse.stores.shared.names import share_name
from fairuse.stores.shared.readings import read_account
from fairuse.stores.shared.share import LARGEST_LEASE, Share
from fairuse.stores.shared.teller import Teller
from fairuse.stores.tab import Tab, TabReceipt, may_begin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim, Claims
    from fairuse.stores.protocol import Costs, Crossed, Decision, Standing
    from fairuse.stores.shared.channel import Channel
    from fairuse.stores.shared.clock import StoreClock
    from fairuse.stores.shared.message import Asked

SWEEP_SECONDS = 1.0
RENEW_SECONDS = 3.0
IDLE_SECONDS = 60.0
MOST_SHARES = 100_000
"""With more of them, those that are idle are forgotten after a second already (F-44)."""

log = logger(__name__)


class SharedReceipt(TabReceipt):
    """Units held by this process: beside each claim the slot that holds them."""

    __slots__ = ()

    def standings(self, at: Instant) -> list[Standing]:
        """Give how each limit stands, as far as is known."""
        if self.tab is not None:
            return self.tab.standings(at)
        shares: list[Share] = [claim.counter for claim in self.claims]
        return [
            (claim, share.used, slot.ends - at[share.mine.clock])
            for claim, share, slot in zip(self.claims, shares, self.slots, strict=True)
        ]


class SharedCounters:
    """One process's part in counting together."""

    def __init__(
        self,
        channel: Channel,
        namespace: str,
        clock: StoreClock,
        crossed: Crossed,
        *,
        strict: bool,
    ) -> None:
        self.teller = Teller(channel, namespace, clock, crossed, strict=strict)
        self._channel = channel
        self._clock = clock
        self._keeping: asyncio.Task[None] | None = None
        self._namespace = namespace
        self._strict = strict
        self._shares: dict[TallyKey, Share] = {}
        self._of_account: dict[str, dict[TallyKey, Share]] = {}
        self._alone: Alone | None = None
        self._outage = 0
        self._counted_alone: dict[Receipt, Alone] = {}

    @property
    def away(self) -> str:
        """Say why the store can't be asked; "" where it can."""
        return self.teller.away

    def try_reserve(self, account: str, claims: Claims, at: Instant) -> Decision | None:
        """Reserve where a lease in hand affords it; None where the store has to be asked."""
        tab: Tab[Share] | None = claims.tab
        if tab is not None and tab.admits(at):
            return SharedReceipt(claims, tab.slots, tab)
        monotonic = at.monotonic
        for claim in claims:
            share: Share | None = claim.counter
            if share is None or not share.remembered:
                share = self._share(account, claim)
                share.claim = claim
            else:
                share.entered()
            if (claim.hard or self._strict) and not share.affords(claim, monotonic):
                return self._reserve_alone(account, claims, at) if self.teller.away else None
        slots = []
        for claim in claims:
            share = claim.counter
            if claim.plain and claim.hard:
                # The way of almost every request; `_take` comes to the same.
                share.left -= claim.cost
                share.spent += claim.cost
                share.touched = True
                share.mine.held += 1
                slots.append(share.mine.take(claim.cost, at, claim.span))
            else:
                slots.append(self._take(share, claim, at))
        self._begin_tab(claims, slots)
        return SharedReceipt(claims, slots)

    def _begin_tab(self, claims: Claims, slots: Sequence[Slot]) -> None:
        """Have requests like this one spend their leases on a tab, where there are many of them."""
        shares: list[Share] = [claim.counter for claim in claims]
        if may_begin(claims, shares, slots) and not self._strict:
            leases = [
                (share.left // claim.cost, share.until)
                for claim, share in zip(claims, shares, strict=True)
                if claim.hard and claim.cost
            ]
            left = min((left for left, _ in leases), default=LARGEST_LEASE)
            if left and all(claim.hard == claim.limit.hard for claim in claims):
                tab = Tab(claims, shares, slots, left)
                tab.until = min([tab.until, *(until for _, until in leases)])
        for share in shares:
            share.by = claims.mark

    async def reserve(self, account: str, claims: Claims, at: Instant) -> Decision:
        """Ask the store for what no lease affords; without it where it does not answer in time."""
        affordable, wanted = self._sorted(account, claims, at)
        slots = {claim: self._take(claim.counter, claim, at) for claim in affordable}
        asked = self.teller.ask(account, wanted)
        try:
            answer = await asked
        except StoreError:
            self._unspend(slots)
            return self._reserve_alone(account, claims, at)
        except BaseException:  # whoever waited is gone
            self._unspend(slots)
            self._decline(asked, wanted)
            raise
        if isinstance(answer, Exceeded):
            self._unspend(slots)
            return answer
        slots |= {claim: slot for (_, claim), slot in zip(wanted, answer, strict=True)}
        return SharedReceipt(claims, [slots[claim] for claim in claims])

    def settle(self, receipt: Receipt, outcome: Outcome, costs: Costs, at: Instant) -> None:
        """Close a receipt, once."""
        if not receipt.open:
            return
        if not isinstance(receipt, SharedReceipt):
            self._counted_alone.pop(receipt).settle(receipt, outcome, costs, at)
            return
        receipt.open = False
        accepted = outcome is Outcome.ACCEPTED
        if (tab := receipt.tab) is not None:
            if accepted and not costs and not tab.closed:
                tab.open -= 1
                tab.settled += 1
                if not tab.noted:
                    self._note(tab)
                return
            receipt.leave_tab()
        for claim, slot in zip(receipt.claims, receipt.slots, strict=True):
            share: Share = claim.counter
            if accepted and claim.plain and claim.limit.meter not in costs:
                share.settle_as_held(claim.cost, slot)
                self.teller.dirty(share)
            else:
                self._settle(claim, slot, outcome, costs, at)

    def _note(self, tab: Tab[Share]) -> None:
        """Have what is on a tab told, once it is entered."""
        tab.noted = True
        for share in tab.counted:
            self.teller.dirty(share)

    def _settle(
        self, claim: Claim, slot: Slot, outcome: Outcome, costs: Costs, at: Instant
    ) -> None:
        limit, share, beyond = claim.limit, claim.counter, 0
        share.give_back(claim, slot)
        if limit.whatever_the_answer or outcome.counts(hard=limit.hard):
            actual = costs.get(limit.meter, claim.cost)
            beyond = (actual or 0) - claim.cost
            self._count(share, claim, slot, actual, at)
        # What holds others up that wait elsewhere is told at once.
        urgent = limit.kind == "level" or (beyond > 0 and limit.hard)
        self.teller.dirty(share, urgent=urgent)

    def accrue(self, receipt: Receipt, costs: Mapping[str, int], at: Instant) -> None:
        """Count units of a receipt that stays open, in the windows of this moment."""
        if not receipt.open:
            return
        if not isinstance(receipt, SharedReceipt):
            self._counted_alone[receipt].accrue(receipt, costs, at)
            return
        receipt.leave_tab()
        receipt.claims = claims = [*receipt.claims]
        receipt.slots = slots = [*receipt.slots]
        for index, claim in enumerate(claims):
            units = costs.get(claim.limit.meter, 0)
            if not units:
                continue
            share: Share = claim.counter
            share.entered().mine.expire(at)
            share.mine.settle(slots[index], claim.cost, None, claim.member)
            claims[index] = now = claim.but(cost=0, span=claim.limit.span(at.wall))
            slots[index] = slot = share.mine.current(at, now.span)
            share.count(slot, units, member=claim.member)
            self.teller.dirty(share)

    def record(self, account: str, claim: Claim, moment: float, at: Instant) -> None:
        """Count what was used at an earlier moment."""
        share = self._share(account, claim)
        share.mine.expire(at)
        slot = share.mine.slot_at(moment, at, claim.span)
        if slot is not None:
            share.count(slot, claim.cost, member=claim.member, moment=moment, amount=claim.amount)
            self.teller.dirty(share)

    async def read(self, account: str, at: Instant) -> list[Reading]:  # noqa: ARG002
        """Give what the account has used. Raises StoreError where the store does not answer."""
        for share in self._of_account.get(account, {}).values():
            if not share.entered().idle:
                self.teller.dirty(share)
        await self.teller.flush(account)
        found = await read_account(self._channel, self._namespace, account)
        return [reading for _, reading in found]

    async def flush(self) -> None:
        """Wait until the store has all that was counted so far. Raises StoreError."""
        await self.teller.flush()

    async def start(self) -> None:
        """Connect. Raises StoreError where the store does not answer; it is looked for then."""
        try:
            await self.teller.start()
        finally:
            self._keeping = asyncio.create_task(self._keep_up())

    async def close(self) -> None:
        """Tell everything, give every lease back, and disconnect."""
        if self._keeping is not None:
            self._keeping.cancel()
        for share in self._shares.values():
            if not share.entered().idle:
                share.give_up_lease()
                self.teller.dirty(share)
        await self.teller.stop()

    def sweep(self, at: Instant) -> None:
        """Keep alive what is held, give back leases that nobody spends, forget what is idle."""
        patience = IDLE_SECONDS if len(self._shares) < MOST_SHARES else 0.0
        for name, share in [*self._shares.items()]:
            share.entered()
            if not share.touched and share.left:
                share.give_up_lease()
                self.teller.dirty(share)
            elif share.idle and not share.mine.held:
                if at.monotonic - share.told_at > patience and not share.touched:
                    self._forget(name, share)
            elif at.monotonic - share.told_at > RENEW_SECONDS:
                self.teller.dirty(share)
            share.touched = False

    def _forget(self, name: TallyKey, share: Share) -> None:
        share.remembered = False
        del self._shares[name]
        shares = self._of_account[name.account]
        del shares[name]
        if not shares:
            del self._of_account[name.account]

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                self.sweep(self._clock.now())
            except Exception:  # what is held has to be kept alive, whatever it is
                log.exception("counters.sweep_failed")

    def __len__(self) -> int:
        """Count the shares that are remembered."""
        return len(self._shares)

    def _share(self, account: str, claim: Claim) -> Share:
        limit = claim.limit
        name = TallyKey(account, limit.name, limit.window_text, claim.scope)
        share = self._shares.get(name)
        if share is None:
            share = Share(share_name(self._namespace, name), name, claim, leases=not self._strict)
            self._shares[name] = share
            self._of_account.setdefault(account, {})[name] = share
        elif claim.amount < share.claim.amount:
            # What was leased under a higher amount may be more than there is now (D22).
            share.entered().give_up_lease()
            self.teller.dirty(share)
        claim.counter = share
        return share.entered()

    def _share_if_room(self, account: str, claim: Claim) -> Share | None:
        """Give a share; None for a new one where an outage has left too many untold (F-44)."""
        limit = claim.limit
        name = TallyKey(account, limit.name, limit.window_text, claim.scope)
        full = len(self._shares) >= 2 * MOST_SHARES
        return None if full and name not in self._shares else self._share(account, claim)

    def _sorted(
        self, account: str, claims: Sequence[Claim], at: Instant
    ) -> tuple[list[Claim], list[tuple[Share, Claim]]]:
        """Tell the claims that can be let in without asking from those that can't."""
        affordable, wanted = [], []
        for claim in claims:
            share = self._share(account, claim)
            share.claim = claim
            if not (claim.hard or self._strict) or share.affords(claim, at.monotonic):
                affordable.append(claim)
            else:
                wanted.append((share, claim))
        return affordable, wanted

    def _take(self, share: Share, claim: Claim, at: Instant) -> Slot:
        """Hold the units of a claim that is let in without asking."""
        if claim.limit.measure == "in flight":
            self.teller.dirty(share, urgent=True)
        return share.spend(claim, at, claim.span)

    def _unspend(self, slots: Mapping[Claim, Slot]) -> None:
        """Put back what was spent for nothing; not what is of a window that is over."""
        at = self._clock.now()
        for claim, slot in slots.items():
            share: Share = claim.counter
            share.give_back(claim, slot)
            if claim.hard and not claim.member and at[share.mine.clock] < slot.ends:
                share.left += claim.cost
            self.teller.dirty(share)

    def _decline(self, asked: Asked, wanted: Sequence[tuple[Share, Claim]]) -> None:
        """Give back what was granted to somebody who is gone."""
        answered = asked.done() and not asked.cancelled() and asked.exception() is None
        granted = asked.result() if answered else None
        if isinstance(granted, list):
            for (share, claim), slot in zip(wanted, granted, strict=True):
                share.give_back(claim, slot)
        for share, _ in wanted:
            self.teller.dirty(share)

    def _count(
        self, share: Share, claim: Claim, slot: Slot, actual: int | None, at: Instant
    ) -> None:
        """Have it told what a claim came to; see `settle` of the counters in memory."""
        mine = share.mine
        if isinstance(mine, GaugeTally):
            if actual is not None:
                share.count(slot, actual, moment=mine.asked_at)
            return
        units = actual or 0
        if isinstance(mine, RollingTally) and at.monotonic >= slot.ends and units > claim.cost:
            units -= claim.cost
            slot = mine.current(at, None)
        share.count(slot, units, member=claim.member)

    def _reserve_alone(self, account: str, claims: Sequence[Claim], at: Instant) -> Decision:
        """Decide without the store; each outage is counted by itself."""
        metrics.DECIDED_ALONE.inc()
        if self._alone is None or self._outage != self.teller.outages:
            self._alone = Alone(self._share_if_room, self.teller.dirty)
            self._outage = self.teller.outages
        decision = self._alone.reserve(account, claims, at)
        if isinstance(decision, Receipt):
            self._counted_alone[decision] = self._alone
        return decision
