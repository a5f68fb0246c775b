"""F-25, F-26: whatever several processes do in whatever order, no limit is passed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.model import AT_ONCE, BURST, DAILY, SEATS, Held, Model
from tests.stores.shared_store import SharedStore, new_namespace
from tests.stores.support import DAY, claim, take
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.stores.protocol import Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.redis_servers import RedisServer

    from fairuse.rules.claims import Claim

pytestmark = REDIS_MARKS

UNITS = st.integers(0, 12)
INDEX = st.integers(0, 20)
USERS = st.sampled_from("abcd")
ASKED = {
    "a day": (DAILY,),
    "a minute, too": (DAILY, BURST),
    "all": (DAILY, BURST, AT_ONCE, SEATS),
}
"""What a request may ask: the first two kinds may be let in by a lease."""


@dataclass
class Process:
    """One of those that count, and the requests that are open there."""

    store: SharedStore
    open: list[Held] = field(default_factory=list)


class Together(RuleBasedStateMachine):
    """Three processes reserve, settle, crash, fall silent, and let time pass."""

    def __init__(self, url: str, *, strict: bool) -> None:
        super().__init__()
        self.url, self.strict = url, strict
        self.namespace = new_namespace()
        self.clock = ManualClock(NOON)
        self.model = Model(strict=strict)
        self.processes = [Process(self._opened()) for _ in range(3)]
        self.turn = itertools.count()

    def _opened(self) -> SharedStore:
        return SharedStore(self.url, strict=self.strict, namespace=self.namespace, leased_at_once=2)

    def teardown(self) -> None:
        """Close what is left."""
        for process in self.processes:
            process.store.close()

    def _claims(self, asked: str, units: int, user: str) -> list[Claim]:
        now = self.clock.wall
        return [
            claim(terms, now, 1, member=user)
            if terms is SEATS
            else claim(terms, now, 1 if terms is AT_ONCE else units)
            for terms in ASKED[asked]
        ]

    @rule(index=INDEX, asked=st.sampled_from([*ASKED]), units=UNITS, user=USERS)
    def reserve(self, index: int, asked: str, units: int, user: str) -> None:
        """Begin a request: it is let in only where it fits whatever the others did."""
        process = self.processes[index % 3]
        claims = self._claims(asked, units, user)
        decision = take(process.store, self.clock, *claims)
        assert isinstance(decision, Receipt) or self.model.may_refuse(claims, self.clock.wall)
        if isinstance(decision, Receipt):
            self.model.check(claims, self.clock.wall)
            held = Held(
                decision,
                units,
                self.clock.wall,
                user,
                frozenset(terms.name for terms in ASKED[asked]),
            )
            process.open.append(held)
            self.model.open.append(held)

    @rule(index=INDEX, units=st.integers(1, 12))
    def spend(self, index: int, units: int) -> None:
        """Reserve and settle again and again, so that leases are taken and spent."""
        for _ in range(4):
            self.reserve(index, "a day", units, "a")
            self.settle(index, -1, Outcome.ACCEPTED, None)

    @rule(index=INDEX, which=INDEX, outcome=st.sampled_from(Outcome), units=st.none() | UNITS)
    def settle(self, index: int, which: int, outcome: Outcome, units: int | None) -> None:
        """End a request, with what it was told to cost, or as reserved."""
        process = self.processes[index % 3]
        if not process.open:
            return
        held = process.open.pop(which % len(process.open))
        costs = {} if units is None else {"m": units}
        process.store.settle(held.receipt, outcome, costs, self.clock.now())
        self.model.settle(held, outcome, held.units if units is None else units, self.clock.wall)

    @rule(index=INDEX)
    def crash(self, index: int) -> None:
        """Kill a process; another one takes its place."""
        process = self.processes[index % 3]
        process.store.crash()
        for held in process.open:
            self.model.lose(held, self.clock.wall)
        self.processes[index % 3] = Process(self._opened())

    @rule(index=INDEX)
    def restart(self, index: int) -> None:
        """End a process as it should; what was open there is as after a crash."""
        process = self.processes[index % 3]
        process.store.close()
        for held in process.open:
            self.model.lose(held, self.clock.wall)
        self.processes[index % 3] = Process(self._opened())

    @rule(index=INDEX)
    def fall_silent(self, index: int) -> None:
        """Have a process stand still until the others give it up."""
        silent = self.processes[index % 3]
        for _ in range(2):
            self._pass(6, [process for process in self.processes if process is not silent])
        for held in silent.open:
            held.silent = True
            held.doubtful = not self.strict

    @rule(seconds=st.integers(1, 61))
    def wait(self, seconds: int) -> None:
        """Let time pass, while every process keeps up."""
        for _ in range(seconds // 6):
            self._pass(6, self.processes)
        self._pass(seconds % 6, self.processes)

    @rule(seconds=st.sampled_from([500, 3_600, 40_000, DAY]))
    def sleep(self, seconds: int) -> None:
        """Let time pass as if the machine slept, for longer only where nothing is open."""
        for process in self.processes:
            while process.open and seconds > 500:
                held = process.open.pop()
                process.store.settle(held.receipt, Outcome.REFUSED, {}, self.clock.now())
                self.model.settle(held, Outcome.REFUSED, 0, self.clock.wall)
        self._pass(seconds, self.processes)

    def _pass(self, seconds: float, processes: Sequence[Process]) -> None:
        self.clock.advance(seconds)
        for process in processes:
            process.store.sweep(self.clock.now())

    @precondition(lambda self: next(self.turn) % 3 == 0)
    @invariant()
    def nothing_is_lost_and_nothing_counts_twice(self) -> None:
        """Compare what is read with what was settled and is open, once all have told it."""
        for process in self.processes:
            process.store.read("anna", self.clock.now())
        for process in self.processes[:2]:
            readings = process.store.read("anna", self.clock.now())
            self.model.compare({reading.limit: reading for reading in readings}, self.clock.wall)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])
def test_processes_count_together(server: RedisServer, *, strict: bool) -> None:
    """F-25, F-26: no interleaving lets in more than agreed, loses a unit, or counts one twice."""
    run_state_machine_as_test(
        partial(Together, server.url, strict=strict),  # type: ignore[arg-type]
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
