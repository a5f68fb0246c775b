"""Casework: open cases are looked at together, and one that goes wrong keeps no other waiting."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event
from tests.measures import DAY, configured, measured, told
from tests.support import NOON

from fairuse.base.errors import StoreError
from fairuse.entry.casework import Casework
from fairuse.entry.decisions import Decisions
from fairuse.stores.casebook import move
from fairuse.stores.configuration import Configuration
from fairuse.stores.ledger import Ledger
from fairuse.stores.protocol import Reading
from fairuse.stores.rows import Batch, UsageKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from fairuse.base.clock import ManualClock
    from fairuse.base.instant import Instant
    from fairuse.rules.ladder import Case

    Open = Callable[[Ledger, str, str], Awaitable[object]]

pytestmark = pytest.mark.anyio

MONTHLY = "appointments-per-month"
HOUR = 3_600


class Counts:
    """Counters of which every one goes up each time they are asked."""

    def __init__(self) -> None:
        self.count = 100
        self.cases: list[Case] = []
        self.broken: dict[str, Exception] = {}

    async def read(self, account: str, _at: Instant) -> list[Reading]:
        """Give the same count for every case of an account."""
        if account in self.broken:
            raise self.broken[account]
        self.count += 1
        counts = ("calendar month", self.count, self.count)
        return [
            Reading(
                each.rule, counts[0], each.scope, counts[1], counts[2], each.starts_at, each.ends_at
            )
            for each in self.cases
            if each.account == account
        ]


class Office:
    """A configuration, a ledger, and the casework between them."""

    def __init__(self, folder: Path, ledger: Ledger, clock: ManualClock) -> None:
        configuration = Configuration(configured(folder))
        configuration.load()
        self.ledger = ledger
        self.counts = Counts()
        counters: Any = self.counts
        decisions = Decisions(clock, configuration, ledger)
        self.casework = Casework(clock, configuration, counters, ledger, decisions)

    async def open(self, number: int, open_one: Open, account: str = "salon") -> list[Case]:
        """Open cases, each of a location of its own that uses five an hour for two days."""
        places = [f"place-{each}" for each in range(number)]
        for place in places:
            await open_one(self.ledger, account, place)
        rows = [
            (UsageKey(account, place, "appointments", int(NOON) + hour * HOUR), 5)
            for place in places
            for hour in range(48)
        ]
        await self.ledger.write(Batch(usage=rows))
        self.counts.cases = await self.ledger.cases()
        return [each for each in self.counts.cases if each.account == account]


@pytest.fixture
async def office(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Office]:
    """Give an office on an empty ledger."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    yield Office(tmp_path, ledger, clock)
    await ledger.close()


async def waiting(ledger: Ledger, account: str, place: str) -> None:
    """Open a case that waits for its customer."""
    await told(ledger, account, MONTHLY, (("location", place),), NOON)


async def measured_until_under(ledger: Ledger, account: str, place: str) -> None:
    """Open a case with a measure that ends as soon as the pace is under the limit."""
    scope = (("location", place),)
    case, _ = await measured(
        ledger, "degrade", NOON, account=account, scope=scope, ends_at=None, until_under=True
    )
    async with ledger.transaction() as connection:
        for happening in ("declined", "approved"):
            moved = await move(connection, case, happening, NOON)
            assert moved is not None
            case = moved


@contextmanager
def statements() -> Iterator[list[str]]:
    """Gather what databases are told meanwhile; a statement for many rows is one."""
    found: list[str] = []

    def hear(*said: Any) -> None:
        found.append(said[2].split()[0])

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


@pytest.mark.parametrize(
    ("open_one", "said"),
    [
        (waiting, ["SELECT", "SELECT", "UPDATE"]),
        (measured_until_under, ["SELECT", "SELECT", "UPDATE", "SELECT"]),
    ],
)
async def test_idle_cases_cost_no_statement_each(
    office: Office, clock: ManualClock, open_one: Open, said: list[str]
) -> None:
    """S15: a run asks for all cases at once, and writes all their latest counts at once."""
    cases = await office.open(50, open_one)
    clock.advance(2 * DAY)
    with statements() as found:
        await office.casework.run()
    assert found == said
    latest = office.counts.count
    assert await office.ledger.cases() == [case._replace(latest=latest) for case in cases]


@pytest.mark.parametrize("fault", [StoreError("away"), RuntimeError("ours")], ids=repr)
async def test_a_case_that_fails_keeps_no_other_waiting(
    office: Office, clock: ManualClock, fault: Exception
) -> None:
    """S15: a measure ends though the counters can't be asked about another account."""
    await office.open(2, measured_until_under)
    await office.open(2, measured_until_under, "dentist")
    clock.advance(90 * DAY)  # 240 in three months are fewer than 100 in each
    office.counts.broken = {"salon": fault}
    await office.casework.run()
    closed = [case.account for case in await office.ledger.cases() if case.state == "closed"]
    assert closed == ["dentist"] * 2
    office.counts.broken = {}
    await office.casework.run()
    assert {case.state for case in await office.ledger.cases()} == {"closed"}
