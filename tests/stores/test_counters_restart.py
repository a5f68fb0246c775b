"""What counters in memory take up after a restart: windows, levels and members, nothing open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.support import DAY, claim, fits, limit
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.rules.claims import Claims
from fairuse.rules.tally import KEPT_SECONDS
from fairuse.stores.journal import Journal
from fairuse.stores.ledger import Ledger
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.protocol import Exceeded, Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fairuse.rules.claims import Claim
    from fairuse.stores.protocol import Crossing, Decision, Receipt

pytestmark = pytest.mark.anyio

MONTH = "calendar month"


class Process:
    """Counters with a journal, which end and begin again on the same ledger."""

    def __init__(self, ledger: Ledger, clock: ManualClock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.told: list[Crossing] = []
        self.begin(strict=False)

    def begin(self, *, strict: bool) -> None:
        """Begin with nothing."""
        self.journal = Journal(strict=strict)
        self.counters = MemoryCounters(self.journal, self.told.append)

    def take(self, *claims: Claim) -> Decision:
        """Reserve."""
        return self.counters.try_reserve("anna", Claims(claims), self.clock.now())

    def taken(self, *claims: Claim) -> Receipt:
        """Reserve what surely fits."""
        return fits(self.take(*claims))

    def accept(self, *claims: Claim, cost: int | None = 1) -> None:
        """Reserve and settle what is accepted."""
        self.settle(self.taken(*claims), Outcome.ACCEPTED, cost=cost)

    def settle(self, receipt: Receipt, outcome: Outcome, cost: int | None = 1) -> None:
        """Settle with what it came to."""
        self.counters.settle(receipt, outcome, {"m": cost}, self.clock.now())

    async def restart(self, seconds: float = 0) -> None:
        """Write what was counted, and take it up some time later, on another monotonic clock."""
        assert await self.journal.flush(self.ledger, self.clock.now())
        self.clock = ManualClock(self.clock.wall + seconds)
        self.clock.monotonic = 5.0
        self.begin(strict=self.journal.strict)
        at, since = self.clock.now(), self.clock.wall - KEPT_SECONDS
        slots, members = await self.ledger.open_slots(since), await self.ledger.members(since)
        self.counters.restore(slots, at, members)

    async def used(self) -> dict[str, int]:
        """Give what is used, limit by limit."""
        readings = await self.counters.read("anna", self.clock.now())
        return {reading.limit: reading.used for reading in readings}

    async def settled(self) -> dict[str, int]:
        """Give what is settled, limit by limit."""
        readings = await self.counters.read("anna", self.clock.now())
        return {reading.limit: reading.settled for reading in readings}


@pytest.fixture
async def process(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Process]:
    """Give counters on an empty ledger."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    yield Process(ledger, clock)
    await ledger.close()


async def test_what_was_settled_goes_on_and_what_was_open_is_gone(process: Process) -> None:
    """S15: after a restart the settled units of every window are there, and no others."""
    minute, month = limit("minute", 10), limit("month", 10, MONTH)
    process.accept(claim(minute, NOON, 4), claim(month, NOON, 4), cost=4)
    process.taken(claim(minute, NOON, 3), claim(month, NOON, 3))
    await process.restart(20)
    assert await process.used() == await process.settled() == {"minute": 4, "month": 4}
    refused = process.take(claim(minute, process.clock.wall, 7))
    assert isinstance(refused, Exceeded)
    assert refused.frees_in == 40
    process.clock.advance(40)
    assert await process.used() == {"month": 4}


@pytest.mark.parametrize("strict", [False, True])
async def test_what_was_under_way_is_over_with_the_process(
    process: Process, *, strict: bool
) -> None:
    """E11, S15: requests in flight hold no places after a restart; the month's peak stays."""
    process.begin(strict=strict)
    at_once = limit("at-once", 2, "always", measure="in flight")
    peak = limit("peak", 5, MONTH, over="charge", measure="in flight")
    for _ in range(2):
        process.taken(claim(at_once, NOON), claim(peak, NOON))
    process.accept(claim(peak, NOON))
    await process.restart()
    assert (await process.used(), await process.settled()) == ({"peak": 0}, {"peak": 3})
    for _ in range(2):
        process.taken(claim(at_once, NOON), claim(peak, NOON))
    assert ((await process.used())["peak"], (await process.settled())["peak"]) == (2, 3)


async def test_what_is_stored_is_stored_still(process: Process) -> None:
    """E22, E27, S15: a level is known after a restart, also months after it was last told."""
    stored = limit("stored", 10, "always", measure="gauge")
    highest = limit("highest", 10, MONTH, over="charge", measure="gauge")
    for level in (12, 9):
        process.accept(claim(highest, NOON), cost=level)
    process.accept(claim(stored, NOON), cost=10)
    await process.restart()
    assert await process.used() == {"stored": 10, "highest": 9}
    assert (await process.settled())["highest"] == 12
    await process.ledger.prune(process.clock.wall + 90 * DAY)
    await process.restart(90 * DAY)
    assert await process.used() == {"stored": 10, "highest": 9}
    assert (await process.settled())["highest"] == 9
    moment = process.clock.wall
    assert isinstance(process.take(claim(stored, moment)), Exceeded)
    later = process.taken(claim(highest, moment))
    process.settle(later, Outcome.REFUSED)
    assert (await process.used())["highest"] == (await process.settled())["highest"] == 9


@pytest.mark.parametrize("pruned", [True, False])
async def test_what_was_deleted_does_not_come_back(process: Process, *, pruned: bool) -> None:
    """E27, S15: of a level's days the latest one says what is stored, however long ago it was."""
    day = limit("day", 10, "calendar day", over="charge", measure="gauge")
    for level in (7, 0):
        process.accept(claim(day, process.clock.wall), cost=level)
        await process.restart(DAY)
    for _ in range(2):
        await process.restart(30 * DAY)
        if pruned:
            await process.ledger.prune(process.clock.wall)
    later = process.taken(claim(day, process.clock.wall))
    process.settle(later, Outcome.REFUSED)
    assert await process.used() == await process.settled() == {}


async def test_seats_are_taken_by_the_same_users(process: Process) -> None:
    """S10, S15, E21: who had a seat has it after a restart, and nobody else does."""
    seats = limit("seats", 2, MONTH, over="deny user", measure="users")
    for user in ("a", "b", "a"):
        process.accept(claim(seats, NOON, member=user))
    taken_by_nobody = limit("other", 1, MONTH, over="deny user", measure="users")
    process.taken(claim(taken_by_nobody, NOON, member="x"))
    await process.restart()
    assert await process.used() == await process.settled() == {"seats": 2}
    for user in ("a", "b"):
        process.accept(claim(seats, NOON, member=user))
    refused = process.take(claim(seats, NOON, member="c"))
    assert isinstance(refused, Exceeded)
    process.taken(claim(taken_by_nobody, NOON, member="y"))


async def test_a_closed_month_can_still_be_raised(process: Process) -> None:
    """S15, S16: late events find a month that closed before the restart as it was."""
    soft = limit("soft", 5, MONTH, over="case")
    process.accept(claim(soft, NOON, 5), cost=5)
    span = soft.span(NOON)
    assert span is not None
    await process.restart(span.end + 3_600 - NOON)
    told = claim(soft, NOON, 2)
    process.counters.record("anna", told, NOON, process.clock.now())
    [crossing] = process.told
    assert (crossing.reading, crossing.starts_at) == (7, span.start)
    await process.restart()
    [row] = await process.ledger.open_slots(process.clock.wall - KEPT_SECONDS)
    assert (row.slot, row.units) == (span.start * 1_000, 7)


async def test_a_stream_counts_in_the_day_it_has_reached(process: Process) -> None:
    """B08: a stream open over midnight counts today's seconds today, where others see them."""
    seconds = limit("seconds", 100, "calendar day", measure="seconds open")
    counters, clock = process.counters, process.clock
    receipt = process.taken(claim(seconds, clock.wall))
    process.accept(claim(seconds, clock.wall), cost=60)
    clock.advance(DAY)
    counters.sweep(clock.now())
    counters.accrue(receipt, {"m": 70}, clock.now())
    assert await process.settled() == await process.used() == {"seconds": 70}
    assert isinstance(process.take(claim(seconds, clock.wall, 31)), Exceeded)
    process.taken(claim(seconds, clock.wall, 30))


async def test_what_was_admitted_is_counted_after_a_crash(process: Process) -> None:
    """S15 (strict): after a restart what was settled and what was reserved is used, and no more."""
    process.begin(strict=True)
    minute, month = limit("minute", 10), limit("month", 10, MONTH)
    both = (claim(minute, NOON, 2), claim(month, NOON, 2))
    process.accept(*both, cost=4)
    for _ in range(2):
        process.taken(*both)
    for seconds in (0, 20):
        await process.restart(seconds)
        assert await process.used() == await process.settled() == {"minute": 8, "month": 8}
    refused = process.take(claim(minute, process.clock.wall, 3))
    assert isinstance(refused, Exceeded)
    assert refused.frees_in == 40
    process.clock.advance(40)
    assert await process.used() == {"month": 8}


@pytest.mark.parametrize("written", [True, False])
async def test_what_was_given_back_before_a_crash_stays_so(
    process: Process, *, written: bool
) -> None:
    """S15, F-26 (strict): a refused request is not counted, though it was written as reserved."""
    process.begin(strict=True)
    month = limit("month", 10, MONTH)
    receipt = process.taken(claim(month, NOON, 3))
    if written:
        assert await process.journal.flush(process.ledger, process.clock.now())
        [row] = await process.ledger.open_slots(NOON)
        assert row.units == 3
    process.settle(receipt, Outcome.REFUSED)
    await process.restart()
    assert await process.settled() in ({}, {"month": 0})
    process.taken(claim(month, process.clock.wall, 10))
