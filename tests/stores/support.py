"""What the tests of the stores share: limits, claims on them, and stores of any kind to ask."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from fairuse.rules.agreed import DatedAmount
from fairuse.rules.amounts import Amount
from fairuse.rules.claims import Claim, Claims
from fairuse.rules.meters import KINDS, WHATEVER_THE_ANSWER
from fairuse.rules.terms import LimitTerms
from fairuse.rules.units import Unit
from fairuse.rules.windows import FIRST, parse_window
from fairuse.stores.journal import Journal
from fairuse.stores.memory import MOST_TALLIES, MemoryCounters
from fairuse.stores.protocol import Exceeded, Receipt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Self

    from fairuse.base.clock import ManualClock
    from fairuse.base.instant import Instant
    from fairuse.rules.meters import Measure
    from fairuse.rules.policy import Over
    from fairuse.rules.tally import TallyKey
    from fairuse.stores.protocol import (
        Costs,
        Counters,
        Crossed,
        Crossing,
        Decision,
        Outcome,
        Reading,
    )
    from fairuse.stores.rows import Batch

    Opened = Callable[[Crossed], AbstractAsyncContextManager[Counters]]

T = TypeVar("T")

ZONE = ZoneInfo("Europe/Amsterdam")
DAY = 86_400
FOREVER = float("inf")


def limit(
    name: str,
    amount: int,
    window: str = "1 minute",
    *,
    over: Over = "refuse",
    measure: Measure = "requests",
    meter: str = "m",
) -> LimitTerms:
    """Give a limit; a soft one has another `over`."""
    return LimitTerms(
        name=name,
        meter=meter,
        kind=KINDS[measure],
        measure=measure,
        unit=Unit("unit", "units"),
        scope=(),
        window=parse_window(window),
        window_text=window,
        over=over,
        hard=over in {"refuse", "deny user"},
        whatever_the_answer=measure in WHATEVER_THE_ANSWER,
        then=None,
        case_after=None,
        tariffs=(),
        zone=ZONE,
        billing=FIRST,
        timeline=(DatedAmount(-FOREVER, FOREVER, Amount(amount, "policy"), overridden=False),),
    )


def claim(
    terms: LimitTerms,
    moment: float,
    cost: int = 1,
    *,
    place: str = "",
    member: str = "",
    refusable: bool = True,
) -> Claim:
    """Ask a limit for units, at a moment."""
    amount = terms.amount(moment)
    assert amount is not None
    scope = (("location", place),) if place else ()
    return Claim(terms, scope, amount.value, cost, terms.span(moment), member, refusable=refusable)


Plans = dict[object, Claims]
MOST_PLANS = 16
"""A plan has counts of its own remembered."""


def planned(plans: Plans, account: str, claims: Iterable[Claim]) -> Claims:
    """Give the plan of requests that are alike, as the gateway keeps it; a plan as it is."""
    if isinstance(claims, Claims):
        return claims
    made = Claims(claims)
    if len(plans) > MOST_PLANS:
        plans.clear()
    alike = (
        (id(each.limit), each.scope, each.amount, each.cost, each.span, each.member, each.hard)
        for each in made
    )
    return plans.setdefault((account, *alike), made)


class Store:
    """A store of counters of any kind, in a loop of its own: whoever asks gets the answer at once.

    `opened` gives the counters for as long as the store is; `before` is told the moment of each
    operation first, for counters that keep a time of their own. What is told of soft limits is
    given by the operation after which it was told.
    """

    def __init__(self, opened: Opened, before: Callable[[Instant], None] | None = None) -> None:
        self._runner = asyncio.Runner()
        self._before = before
        self._told: list[Crossing] = []
        self._plans: Plans = {}
        self._stack = AsyncExitStack()
        self.counters = self.run(self._stack.enter_async_context(opened(self._told.append)))

    def close(self) -> None:
        """Give up what the counters hold."""
        try:
            self.run(self._stack.aclose())
        finally:
            self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the store's own loop."""
        return self._runner.run(work)

    def before(self, at: Instant) -> None:
        """Get ready for an operation of a moment."""
        if self._before is not None:
            self._before(at)

    def reserve(self, account: str, claims: Sequence[Claim], at: Instant) -> Decision:
        """Reserve; ask where the store can't say at once. What is alike is planned once."""
        plan = planned(self._plans, account, claims)

        async def reserved() -> Decision:
            decision = self.counters.try_reserve(account, plan, at)
            if decision is None:
                decision = await self.counters.reserve(account, plan, at)
            return decision

        self.before(at)
        return self.run(reserved())

    def settle(
        self, receipt: Receipt, outcome: Outcome, costs: Costs, at: Instant
    ) -> list[Crossing]:
        """Settle, and give what was told of it."""
        return self._counted(at, lambda: self.counters.settle(receipt, outcome, costs, at))

    def accrue(self, receipt: Receipt, costs: Mapping[str, int], at: Instant) -> list[Crossing]:
        """Count on, and give what was told of it."""
        return self._counted(at, lambda: self.counters.accrue(receipt, costs, at))

    def record(self, account: str, claim: Claim, moment: float, at: Instant) -> list[Crossing]:
        """Count what was used earlier, and give what was told of it."""
        return self._counted(at, lambda: self.counters.record(account, claim, moment, at))

    def read(self, account: str, at: Instant) -> list[Reading]:
        """Give what an account has used."""
        self.before(at)
        return self.run(self.counters.read(account, at))

    def sweep(self, at: Instant) -> None:
        """Keep up with the time, where the store has to."""

    def _counted(self, at: Instant, count: Callable[[], None]) -> list[Crossing]:
        async def counted() -> None:
            count()
            await self.counters.flush()

        self.before(at)
        self.run(counted())
        told = [*self._told]
        self._told.clear()
        return told


class Rows:
    """A ledger that keeps what is written, and does nothing else."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    async def write(self, batch: Batch) -> None:
        """Take rows."""
        self.batches.append(batch)


class MemoryStore(Store):
    """A store in memory, whose counters and journal can be looked into; nothing is written."""

    def __init__(self, *, most: int = MOST_TALLIES, strict: bool = False) -> None:
        self.journal = Journal(strict=strict)
        self._most = most
        super().__init__(self._opened)

    @asynccontextmanager
    async def _opened(self, crossed: Crossed) -> AsyncIterator[Counters]:
        self.memory = MemoryCounters(self.journal, crossed, self._most)
        yield self.memory

    def sweep(self, at: Instant) -> None:
        """Forget what is over."""
        self.memory.sweep(at)

    def __len__(self) -> int:
        """Count the tallies that are remembered."""
        return len(self.memory)

    def write(self, at: Instant) -> dict[tuple[TallyKey, int], int]:
        """Write what was noted since the last time, and give the units of each slot."""
        rows = Rows()
        ledger: Any = rows
        assert self.run(self.journal.flush(ledger, at))
        return {(row.key, row.slot): row.units for batch in rows.batches for row in batch.slots}


STORES: dict[str, Callable[[], Store]] = {"memory": MemoryStore}
"""Every kind of store, with which an empty one begins."""


def take(store: Store, clock: ManualClock, *claims: Claim) -> Decision:
    """Reserve for one account."""
    return store.reserve("anna", claims, clock.now())


def taken(store: Store, clock: ManualClock, *claims: Claim) -> Receipt:
    """Reserve for one account what surely fits."""
    return fits(take(store, clock, *claims))


def fits(decision: Decision | None) -> Receipt:
    """Give the receipt of what surely fits."""
    assert isinstance(decision, Receipt)
    return decision


def refused(
    store: Store, clock: ManualClock, *claims: Claim
) -> tuple[LimitTerms, int, float | None]:
    """Reserve what surely does not fit; give the limit, what is used of it, and the wait.

    A store's time may be milliseconds.
    """
    exceeded = take(store, clock, *claims)
    assert isinstance(exceeded, Exceeded)
    frees_in = exceeded.frees_in
    return exceeded.claim.limit, exceeded.used, None if frees_in is None else round(frees_in, 3)


def used(store: Store, clock: ManualClock) -> dict[str, int]:
    """Give what is used, limit by limit."""
    return {reading.limit: reading.used for reading in store.read("anna", clock.now())}


def settled(store: Store, clock: ManualClock) -> dict[str, int]:
    """Give what is settled, or the highest level, limit by limit."""
    return {reading.limit: reading.settled for reading in store.read("anna", clock.now())}
