"""Fixtures: the stores that keep the promises of the counter protocol, and a ledger's averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.office import Office

from fairuse.stores.journal import Journal
from fairuse.stores.ledger import Ledger
from fairuse.stores.memory import MemoryCounters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from fairuse.stores.protocol import Counters


@pytest.fixture(params=["memory"])
def counters(request: pytest.FixtureRequest) -> Counters:
    """Give an empty store of each kind."""
    stores: dict[str, Callable[[], Counters]] = {"memory": lambda: MemoryCounters(Journal())}
    return stores[request.param]()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Give an empty ledger with the averages of it."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    yield Office(tmp_path, ledger)
    await ledger.close()
