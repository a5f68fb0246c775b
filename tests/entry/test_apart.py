"""Upkeep in parts: a fault in one starves no other, and without the ledger nothing is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.support import Recorder, mounted, told

from fairuse.base.errors import LedgerError, PromiseBroken, StoreError
from fairuse.entry import fair_process
from fairuse.entry.announcements import Announcements
from fairuse.entry.casework import Casework
from fairuse.entry.reviews import Reviews
from fairuse.entry.switched import SwitchedTariffs
from fairuse.entry.upkeep import Upkeep
from fairuse.entry.warnings import Warnings
from fairuse.pipeline import Pipeline
from fairuse.stores.averages import Averages
from fairuse.stores.ledger import Ledger
from fairuse.stores.memory import MemoryCounters

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

PARTS: dict[str, tuple[Any, str]] = {
    "sweeping": (MemoryCounters, "sweep"),
    "open requests": (Pipeline, "settle_lasting"),
    "warnings": (Warnings, "run"),
    "breaches": (Upkeep, "_judge"),
    "items": (Upkeep, "_age"),
    "announcements": (Announcements, "run"),
    "everybody's warnings": (Warnings, "look_at_everybody"),
    "switched tariffs": (SwitchedTariffs, "run"),
    "cases": (Casework, "run"),
    "reviews": (Reviews, "run"),
    "charges": (fair_process, "finalise"),
    "top-ups": (fair_process, "carry_over"),
    "calls": (fair_process.FairProcess, "_tell_of_calls"),
    "averages": (Averages, "renew"),
    "what is over": (Ledger, "prune"),
}
PLAIN = ("sweeping", "open requests")
"""Those that await nothing."""


def having(name: str, done: list[str], faults: dict[str, Exception]) -> Any:
    """Give what notes that a part was begun, and fails where it should."""

    def plain(*_: object) -> None:
        done.append(name)
        if name in faults:
            raise faults[name]

    async def awaited(*_: object) -> None:
        plain()

    return plain if name in PLAIN else awaited


async def done_with(
    faults: dict[str, Exception],
    folder: tuple[Path, Recorder, ManualClock],
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Give the parts that a run of the upkeep begins, where some of them fail."""
    done: list[str] = []
    async with mounted(*folder) as fair:
        await told(fair.service)
        assert fair.service.upkeep is not None
        async with fair.service.upkeep._one_at_a_time:
            for name, (owner, attribute) in PARTS.items():
                monkeypatch.setattr(owner, attribute, having(name, done, faults))
        await fair.service.upkeep.run()
        monkeypatch.undo()
    return done


@pytest.mark.parametrize(
    "fault", [ZeroDivisionError(), StoreError("away"), PromiseBroken("P1", "too early")], ids=repr
)
@pytest.mark.parametrize("part", PARTS)
async def test_a_fault_in_a_part_starves_no_other(
    config: Path,
    recorder: Recorder,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    fault: Exception,
) -> None:
    """S15, F-55 (off the path): whichever part fails, all the others are done."""
    done = await done_with({part: fault}, (config, recorder, clock), monkeypatch)
    assert set(done) == set(PARTS)


@pytest.mark.parametrize("part", [name for name in PARTS if name not in PLAIN])
async def test_without_the_ledger_the_rest_is_put_off(
    config: Path,
    recorder: Recorder,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
) -> None:
    """F-41: what can't be written ends the run; the next one begins where it began."""
    done = await done_with({part: LedgerError("full")}, (config, recorder, clock), monkeypatch)
    assert done == [*PARTS][: [*PARTS].index(part) + 1]
