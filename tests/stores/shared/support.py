"""What the tests of the shared store have in common."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self
from unittest.mock import patch
from weakref import WeakKeyDictionary

from tests.stores.support import Plans, claim, fits, planned, take

from fairuse.base.clock import SystemClock
from fairuse.stores.protocol import Outcome, Receipt
from fairuse.stores.shared.channel import SERVER_TIME, Channel
from fairuse.stores.shared.clock import StoreClock
from fairuse.stores.shared.counters import SharedCounters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from tests.stores.shared_store import SharedStore
    from tests.stores.support import Store

    from fairuse.base.clock import Clock, ManualClock
    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim
    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.protocol import Crossing, Decision
    from fairuse.stores.shared.channel import Script

PATIENCE = 20.0
TURN = 11 * 3_600
"""Seconds from the tests' noon to midnight in Amsterdam."""


class Opens(Protocol):
    """Opens a store that shares its counts with the others that were opened."""

    def __call__(self, *, strict: bool = False, leased_at_once: int = 64) -> SharedStore:
        """Open one more."""
        ...


class Pair(NamedTuple):
    """Two processes that count together."""

    one: SharedStore
    other: SharedStore


def count(store: Store, clock: ManualClock, *claims: Claim) -> None:
    """Use units that surely fit."""
    receipt = fits(take(store, clock, *claims))
    store.settle(receipt, Outcome.ACCEPTED, {}, clock.now())


def drain(store: SharedStore, clock: ManualClock, asked: Claim) -> int:
    """Take a unit at a time until it is refused, settle each, and give how many were let in."""

    async def drained() -> int:
        admitted = 0
        while isinstance(receipt := await reserved(store.shared, clock.now(), asked), Receipt):
            store.shared.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
            admitted += 1
        return admitted

    store.before(clock.now())
    return store.run(drained())


_plans: WeakKeyDictionary[SharedCounters, Plans] = WeakKeyDictionary()


async def reserved(
    counters: SharedCounters, at: Instant, *claims: Claim, account: str = "anna"
) -> Decision:
    """Reserve, and ask where it can't be said at once."""
    plan = planned(_plans.setdefault(counters, {}), account, claims)
    decision = counters.try_reserve(account, plan, at)
    return decision if decision is not None else await counters.reserve(account, plan, at)


@dataclass
class Node:
    """One process among others, in the loop of the test."""

    counters: SharedCounters
    channel: Channel
    clock: StoreClock

    async def reserve(self, terms: LimitTerms, cost: int = 1, *, account: str = "anna") -> Decision:
        """Reserve as of now."""
        at = self.clock.now()
        return await reserved(self.counters, at, claim(terms, at.wall, cost), account=account)

    async def take(self, terms: LimitTerms, cost: int = 1, *, account: str = "anna") -> Receipt:
        """Reserve what surely fits."""
        return fits(await self.reserve(terms, cost, account=account))

    def settle(self, receipt: Receipt, outcome: Outcome = Outcome.ACCEPTED) -> None:
        """End a request."""
        self.counters.settle(receipt, outcome, {}, self.clock.now())

    async def count(self, terms: LimitTerms, cost: int = 1, *, account: str = "anna") -> None:
        """Use units that surely fit, and have the store hear of it."""
        self.settle(await self.take(terms, cost, account=account))
        await self.counters.flush()

    async def used(self, account: str = "anna") -> dict[str, int]:
        """Give what is used, limit by limit."""
        readings = await self.counters.read(account, self.clock.now())
        return {reading.limit: reading.used for reading in readings}

    async def back(self) -> None:
        """Wait until the store can be asked again."""
        await happens(lambda: not self.counters.away)


@asynccontextmanager
async def node(
    url: str,
    namespace: str,
    *,
    strict: bool = False,
    clock: Clock | None = None,
    time: str = SERVER_TIME,
) -> AsyncIterator[Node]:
    """Run a process that counts together with those of the same namespace."""
    channel, store_clock = Channel(url, time), StoreClock(clock or SystemClock())
    counters = SharedCounters(channel, namespace, store_clock, ignore, strict=strict)
    await counters.start()
    try:
        yield Node(counters, channel, store_clock)
    finally:
        await counters.close()


async def drained(counting: Node, terms: LimitTerms) -> int:
    """Take a unit at a time until it is refused, settle each, and give how many were let in."""
    admitted = 0
    while isinstance(receipt := await counting.reserve(terms), Receipt):
        counting.settle(receipt)
        admitted += 1
    return admitted


async def happens(holds: Callable[[], bool]) -> None:
    """Wait until something holds, and fail when it does not come to."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  what is waited for rings no bell
            await asyncio.sleep(0.005)


def ignore(crossing: Crossing) -> None:
    """Hear of soft limits that were gone over, in tests that are not about them."""


@contextmanager
def answered_late(store: SharedStore, clock: ManualClock, seconds: float) -> Iterator[None]:
    """Have so much time pass before each answer comes; the store looked at its clock before."""
    channel = store.shared._channel
    call = channel.call

    async def slow(script: Script, keys: Sequence[str], args: Sequence[int | str]) -> Any:
        reply = await call(script, keys, args)
        clock.advance(seconds)
        store.before(clock.now())
        return reply

    with patch.object(channel, "call", slow):
        yield


@contextmanager
def asked_late(store: SharedStore, clock: ManualClock, seconds: float) -> Iterator[None]:
    """Have so much time pass before each question is heard."""
    channel = store.shared._channel
    call = channel.call

    async def slow(script: Script, keys: Sequence[str], args: Sequence[int | str]) -> Any:
        clock.advance(seconds)
        store.before(clock.now())
        return await call(script, keys, args)

    with patch.object(channel, "call", slow):
        yield


class Gate:
    """Holds a node's calls up until the end of the block: they are under way, and not answered."""

    def __init__(self, held_up: Node) -> None:
        self._channel = held_up.channel
        self._waiting = asyncio.Event()
        self._open = asyncio.Event()

    def __enter__(self) -> Self:
        self._call = self._channel.call
        self._channel.call = self._later  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.call = self._call  # type: ignore[method-assign]
        self._open.set()

    async def reached(self) -> None:
        """Wait until somebody calls."""
        async with asyncio.timeout(PATIENCE):
            await self._waiting.wait()

    async def _later(self, script: Script, keys: Sequence[str], args: Sequence[int | str]) -> Any:
        self._waiting.set()
        await self._open.wait()
        return await self._call(script, keys, args)
