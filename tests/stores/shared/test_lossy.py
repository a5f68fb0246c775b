"""F-26, F-37, F-38: over a line that loses questions and answers, every unit counts once."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared_store import SharedStore, new_namespace
from tests.stores.support import claim, limit
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.base.errors import StoreError
from fairuse.stores.protocol import Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.redis_servers import RedisServer

    from fairuse.stores.shared.channel import Script

pytestmark = REDIS_MARKS

DAILY = limit("daily", 500, "calendar day")
HOUR = limit("hour", 500, "1 hour")
SOFT = limit("soft", 20, "calendar day", over="case")
AT_ONCE = limit("at-once", 50, "always", measure="in flight", meter="f")
SEATS = limit("seats", 9, "calendar day", over="deny user", measure="users", meter="s")
FLOWS = (DAILY, HOUR, SOFT)

UNITS = st.integers(0, 9)
INDEX = st.integers(0, 9)
FAULTS = st.lists(st.sampled_from(["", "", "question", "answer"]), max_size=12)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.one_of(
            st.tuples(st.just("reserve"), UNITS, st.sampled_from("abc")),
            st.tuples(st.just("settle"), INDEX, st.sampled_from(Outcome)),
            st.tuples(st.just("accrue"), INDEX, UNITS),
            st.tuples(st.just("record"), UNITS, st.sampled_from("abc")),
            st.tuples(st.just("tell"), INDEX, st.none()),
            st.tuples(st.just("wait"), st.integers(1, 12), st.none()),
            st.tuples(st.just("back"), INDEX, st.none()),
        ),
    ),
    max_size=30,
)


@contextmanager
def lossy(store: SharedStore, faults: Sequence[str]) -> Iterator[None]:
    """Have a store's calls lose their question or their answer, one after the other as told."""
    channel, plan = store.shared._channel, deque(faults)
    call = channel.call

    async def losing(script: Script, keys: Sequence[str], args: Sequence[int | str]) -> Any:
        fault = plan.popleft() if plan else ""
        if fault == "question":
            raise StoreError("the question is lost")
        reply = await call(script, keys, args)
        if fault == "answer":
            raise StoreError("the answer is lost")
        return reply

    with patch.object(channel, "call", losing):
        yield


class Lossy:
    """Two processes, what is open there, and what was settled."""

    def __init__(self, stores: Sequence[SharedStore]) -> None:
        self.clock = ManualClock(NOON)
        self.stores = stores
        self.open: list[tuple[SharedStore, Receipt, int, str]] = []
        self.settled = dict.fromkeys((terms.name for terms in FLOWS), 0)
        self.seen: set[str] = set()

    def reserve(self, store: SharedStore, units: int, user: str) -> None:
        """Begin a request."""
        now = self.clock.wall
        claims = [claim(terms, now, units) for terms in FLOWS]
        claims += [claim(AT_ONCE, now), claim(SEATS, now, member=user)]
        receipt = store.reserve("anna", claims, self.clock.now())
        assert isinstance(receipt, Receipt)  # nothing is near its amount
        self.open.append((store, receipt, units, user))

    def settle(self, _: SharedStore, index: int, outcome: Outcome) -> None:
        """End a request."""
        if self.open:
            where, receipt, units, user = self.open.pop(index % len(self.open))
            at = self.clock.now()
            where.unflushed(at, lambda: where.shared.settle(receipt, outcome, {}, at))
            for terms in FLOWS:
                self.settled[terms.name] += units * outcome.counts(hard=terms.hard)
            if outcome.counts(hard=True):
                self.seen.add(user)

    def accrue(self, _: SharedStore, index: int, units: int) -> None:
        """Count what an open request has come to."""
        if self.open and units:
            where, receipt, _units, user = self.open.pop(index % len(self.open))
            at = self.clock.now()
            where.unflushed(at, lambda: where.shared.accrue(receipt, {"m": units}, at))
            self.open.append((where, receipt, 0, user))
            for terms in FLOWS:
                self.settled[terms.name] += units

    def record(self, store: SharedStore, units: int, user: str) -> None:
        """Hear of something that happened a moment ago."""
        at, moment = self.clock.now(), self.clock.wall - 1
        claims = [claim(terms, moment, units) for terms in FLOWS]
        for each in (*claims, claim(SEATS, moment, member=user)):
            record = partial(store.shared.record, "anna", each, moment, at)
            store.unflushed(at, record)
        for terms in FLOWS:
            self.settled[terms.name] += units
        self.seen.add(user)

    def tell(self, store: SharedStore, *_: object) -> None:
        """Have it told, as far as it is heard; what is lost is told again later."""
        try:
            store.sweep(self.clock.now())
        except StoreError:
            assert store.shared.away

    def wait(self, _: SharedStore, seconds: int, __: object) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def back(self, store: SharedStore, *_: object) -> None:
        """Look for the store."""
        store.before(self.clock.now())
        with suppress(StoreError):
            store.run(store.shared.teller._probe())

    def end(self) -> None:
        """End what is open, and have everything told; twice, for what others gave up meanwhile."""
        while self.open:
            self.settle(self.stores[0], 0, Outcome.REFUSED)
        for store in (*self.stores, *self.stores):
            self.back(store)
            self.tell(store)
            assert not store.shared.away


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])
@settings(max_examples=60)
@given(
    steps=STEPS,
    faults=st.tuples(FAULTS, FAULTS),
)
def test_every_unit_counts_once(
    server: RedisServer,
    steps: list[tuple[int, tuple[str, Any, Any]]],
    faults: tuple[list[str], list[str]],
    *,
    strict: bool,
) -> None:
    """F-37, F-38: whatever was lost on its way, in the end all that was used is there, and once."""
    namespace = new_namespace()
    one = SharedStore(server.url, strict=strict, namespace=namespace, leased_at_once=4)
    other = SharedStore(server.url, strict=strict, namespace=namespace, leased_at_once=4)
    with one, other:
        world = Lossy([one, other])
        with lossy(one, faults[0]), lossy(other, faults[1]):
            for number, (what, first, second) in steps:
                getattr(world, what)(world.stores[number], first, second)
        world.end()
        for store in world.stores:
            readings = store.read("anna", world.clock.now())
            used = {reading.limit: reading.used for reading in readings if reading.used}
            settled = {reading.limit: reading.settled for reading in readings}
            expected = {**world.settled, "seats": len(world.seen)}
            assert used == {name: units for name, units in expected.items() if units}
            assert all(settled.get(name, 0) == units for name, units in expected.items())
