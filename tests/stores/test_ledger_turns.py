"""Writing a large batch: the requests, which may have the same core, have their turns meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fairuse.rules.tally import TallyKey
from fairuse.stores import ledger as module
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import FOREVER, Batch, SlotRow

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("count", "turns"), [(0, 0), (1, 0), (64, 0), (65, 1), (1_000, 15), (10_000, 31)]
)
async def test_a_large_batch_is_written_part_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, turns: int
) -> None:
    """All is written in one transaction, with few pauses however much it is."""
    pauses: list[float] = []
    monkeypatch.setattr(module, "sleep", pauses.append)
    rows = [
        SlotRow(TallyKey(f"account-{number}", "limit", "1 day", ()), 1, FOREVER, number)
        for number in range(count)
    ]
    ledger = await Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    try:
        await ledger.write(Batch(slots=rows))
        written = await ledger.open_slots(0)
    finally:
        await ledger.close()
    assert sorted(written) == sorted(rows)
    assert pauses == [module.TURN_SECONDS] * turns
