"""The worker that has accounts warned: it looks at who moved, and loses nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support import NOON, mounted, tenant, write_config

from fairuse.base.errors import LedgerError, StoreError
from fairuse.entry import warnings
from fairuse.entry.warnings import Warnings
from fairuse.rules.approaching import Subject
from fairuse.stores.configuration import Configuration
from fairuse.stores.protocol import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock
    from fairuse.base.instant import Instant
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import NoticeRow

pytestmark = pytest.mark.anyio

MONTH, ENDS = 1_793_487_600.0, 1_796_079_600.0
"""November 2026 in Amsterdam."""
RULE = "appointments-per-month"
CENTRUM = (("location", "centrum"),)


class Counted:
    """Counts that the test decides; it says who was asked about."""

    def __init__(self) -> None:
        self.used = 4_000
        self.asked: list[str] = []
        self.away = False

    async def read(self, account: str, _at: Instant) -> list[Reading]:
        """Give what the account has used of its month."""
        if self.away:
            raise StoreError("the store is away")
        self.asked.append(account)
        return [
            Reading(RULE, "calendar month", CENTRUM, self.used, self.used, MONTH, ENDS),
            Reading("gone", "calendar month", (), 9_999, 9_999, MONTH, ENDS),
            Reading(RULE, "calendar year", CENTRUM, 4_999, 4_999, MONTH, ENDS),
        ]


class Worker:
    """The worker, with its ledger and those counts."""

    def __init__(self, config: Path, ledger: Ledger, clock: ManualClock) -> None:
        self.counters, self.clock, self.ledger = Counted(), clock, ledger
        configuration = Configuration(config)
        configuration.load()
        self.warnings = Warnings(clock, configuration, self.counters, ledger)  # type: ignore[arg-type]

    async def told(self, account: str = "salon") -> list[str]:
        """Give the thresholds that an account was told of."""
        notices = await self.ledger.notices(account)
        return [(row.once or "").rpartition(":")[2] for row in reversed(notices)]


@pytest.fixture
def worker(config: Path, ledger: Ledger, clock: ManualClock) -> Worker:
    """Give a worker over two accounts that use 80 % of what was agreed."""
    return Worker(config, ledger, clock)


async def test_only_who_moved_is_looked_at(worker: Worker) -> None:
    """D18: of many accounts those are asked about whose counts moved; who is unknown is no one."""
    await worker.warnings.run({"salon", "nobody"})
    assert worker.counters.asked == ["salon"]
    assert await worker.told() == ["80%"]
    await worker.warnings.run(())
    assert worker.counters.asked == ["salon"]


async def test_everybody_is_looked_at_once_an_hour(worker: Worker, clock: ManualClock) -> None:
    """D18, D22: what changed though nobody moved is seen within the hour, and not every minute."""
    await worker.warnings.look_at_everybody()
    assert sorted(worker.counters.asked) == ["dentist", "salon"]
    clock.advance(3_599)
    await worker.warnings.look_at_everybody()
    assert len(worker.counters.asked) == 2
    clock.advance(1)
    await worker.warnings.look_at_everybody()
    assert len(worker.counters.asked) == 4
    assert await worker.told("dentist") == ["80%"]


async def test_while_the_store_is_away_they_wait(worker: Worker) -> None:
    """D18, F-37: what can't be counted now is looked at the next time, though nobody moves then."""
    worker.counters.away = True
    await worker.warnings.run({"salon"})
    assert await worker.told() == []
    worker.counters.away = False
    await worker.warnings.run(())
    assert await worker.told() == ["80%"]


async def test_what_can_not_be_written_waits(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D18, F-41: a warning that the ledger could not take is written the next time."""

    async def fails(*_: object) -> int:
        raise LedgerError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(warnings, "warn", fails)
        with pytest.raises(LedgerError):
            await worker.warnings.run({"salon"})
    await worker.warnings.run(())
    assert await worker.told() == ["80%"]


async def test_many_are_written_in_parts(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """D18, C15: however many are due, each is told once."""
    monkeypatch.setattr(warnings, "MOST_DUE", 1)
    monkeypatch.setattr(warnings, "AT_ONCE", 1)
    for _ in range(2):
        await worker.warnings.run({"salon", "dentist"})
    assert await worker.told("salon") == await worker.told("dentist") == ["80%"]


async def test_two_processes_tell_once(
    worker: Worker, config: Path, ledger: Ledger, clock: ManualClock
) -> None:
    """C15, P8: whoever counts it too tells nothing new, not even less than was told."""
    other = Worker(config, ledger, clock)
    other.counters.used = 4_600
    await other.warnings.run({"salon"})
    await worker.warnings.run({"salon"})
    await other.warnings.run({"salon"})
    assert await worker.told() == ["90%"]


async def test_the_count_at_a_delivery_is_of_the_same_window(worker: Worker) -> None:
    """P1, P5: of a window that is over nobody knows the count any more, so it is none."""
    now = Subject("salon", RULE, CENTRUM, int(MONTH))
    assert await worker.warnings.reading(now) == 4_000
    assert await worker.warnings.reading(now._replace(starts_at=int(MONTH) - 86_400)) is None
    assert await worker.warnings.reading(now._replace(scope=())) is None


NEXT = """
[version]
name      = "2027-01"
announced = 2026-11-02
effective = 2027-01-01
changes   = "4,000 appointments instead of 5,000"
"""


async def test_a_next_version_is_announced_to_whom_it_concerns(
    tmp_path: Path, clock: ManualClock
) -> None:
    """D26, D25, P7: each account of the policy is told once, with the day and what is different."""
    config = write_config(tmp_path)
    policies = config / "policies"
    text = (policies / "booking.toml").read_text()
    other = text.replace("Fair use policy: appointments", "Another policy")
    (policies / "other.toml").write_text(other)
    (config / "tenants/clinic.toml").write_text(
        tenant("clinic", "key-of-clinic").replace('"booking"', '"other"')
    )
    title, rest = text.split("\n[", 1)
    (policies / "booking.next.toml").write_text(f"{title}\n{NEXT}\n[{rest}")
    found: list[NoticeRow] = []
    for _ in range(2):
        async with mounted(config, _nothing, clock) as fair:
            upkeep, ledger = fair.service.upkeep, fair.service.ledger
            assert upkeep is not None
            assert ledger is not None
            await upkeep.run()
            await upkeep.run()
            assert fair.service.configuration.current.accounts["salon"].version == "booking"
            found = await ledger.notices("salon")
            assert len(found) == 1
            assert len(await ledger.notices("dentist")) == 1
            assert await ledger.notices("clinic") == []
        clock.advance(86_400)
    [notice] = found
    assert notice.written_at == NOON
    assert (notice.kind, notice.once) == ("announcement", "policy:salon:booking@2027-01")
    said = ("version 2027-01", "January 1, 2027", "4,000 appointments instead of 5,000")
    assert [part for part in said if part not in notice.body] == []


async def _nothing(*_: object) -> None:
    """Answer nothing: nobody asks."""
