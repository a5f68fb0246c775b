"""A process that dies between any two steps of a case: none is lost, and none is done twice."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.process import chosen, delivered
from tests.scenarios.support import contract, go_to, key_of, pass_time, running, shipped
from tests.support import Recorder, call, told

from fairuse.base.errors import LedgerError
from fairuse.stores.charges import charges_of
from fairuse.stores.ledger import Ledger
from fairuse.stores.record import entries_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

MOST_STEPS = 60


class _Deaths:
    """Lets the process die just before some transaction is committed, counted from the start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self.died = False
        transaction = Ledger.transaction

        @asynccontextmanager
        async def deadly(ledger: Ledger) -> AsyncIterator[Any]:
            async with transaction(ledger) as connection:
                yield connection
                self.left -= 1
                if self.left == 0:
                    self.died = True
                    raise LedgerError("killed")

        monkeypatch.setattr(Ledger, "transaction", deadly)


async def test_killed_before_any_commit_the_next_process_goes_on(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15, F-39, P8: wherever it is killed, the record ends the same, with one charge."""
    first = await _with_a_case(tmp_path / "first", recorder, clock)
    deaths, told_at = _Deaths(monkeypatch), clock.wall
    expected: list[Any] = []
    for number in range(MOST_STEPS):
        clock.wall = told_at
        deaths.died, deaths.left = False, number
        found = await _lived_through(_copied(first, number), recorder, clock, deaths)
        expected = expected or found
        assert found == expected, number
        if number and not deaths.died:
            return
    pytest.fail("it never came to its end")


async def _with_a_case(folder: Path, recorder: Recorder, clock: ManualClock) -> Path:
    """Give a configuration whose ledger has a case that nobody was told of yet."""
    package = "[packages.standard]\nlocations = 2\n"
    config = shipped(folder, {"salon": contract("salon", "booking", package)})
    for policy in (config / "policies").iterdir():
        if policy.stem == "booking":
            policy.write_text(policy.read_text().replace('"5000"', '"2"'))
        else:
            policy.unlink()
    go_to(clock, "2026-10-05T09:00")
    async with running(config, recorder, clock) as fair:
        for _ in range(5):
            path = "/locations/centrum/appointments"
            await call(fair, "POST", path, key=key_of("salon"))
        await told(fair.service)
    return config


def _copied(config: Path, number: int) -> Path:
    """Give a copy of a configuration with its ledger."""
    first, folder = config.parent, config.parent.with_name(str(number))
    shutil.copytree(first, folder)
    settings = folder / "config/gateway.toml"
    settings.write_text(settings.read_text().replace(str(first), str(folder)))
    return folder / "config"


async def _lived_through(
    config: Path, recorder: Recorder, clock: ManualClock, deaths: _Deaths
) -> list[Any]:
    """Go through a case from its notice to its charge, restarting wherever the process died."""
    steps = [_notified, _accepted, _charged]
    while steps:
        with suppress(LedgerError):
            async with running(config, recorder, clock) as fair:
                while steps:
                    await steps[0](fair, clock)
                    steps.pop(0)
    deaths.left = 0
    async with running(config, recorder, clock) as fair:
        ledger = await told(fair.service)
        assert len(await charges_of(ledger, account="salon")) == 1
        violations = [*map(str, (await verify(ledger, None)).violations)]
        assert not violations, violations
        return [(entry.kind, entry.data.get("on")) for entry in await entries_of(ledger)]


async def _notified(fair: FairUse, clock: ManualClock) -> None:
    await delivered(fair, clock)


async def _accepted(fair: FairUse, clock: ManualClock) -> None:
    await chosen(fair, clock, "salon", "accept charges")
    clock.advance(3_600)  # what is used in the hour of the notice is free
    path = "/locations/centrum/appointments"
    await call(fair, "POST", path, key=key_of("salon"))


async def _charged(fair: FairUse, clock: ManualClock) -> None:
    await pass_time(fair, clock, "2026-11-05T12:00")
