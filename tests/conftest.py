"""Fixtures: a clock that stands still, configurations, and real servers."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tests.ledgers import BOTH, Place, PostgresPlace, postgres_database
from tests.support import NOON, REPOSITORY, Front, Recorder, Served, front, write_config

from fairuse.base.clock import ManualClock
from fairuse.stores.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

# How long an example takes says something of the machine alone.
settings.register_profile("fairuse", deadline=None)
settings.load_profile("fairuse")


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio only."""
    return "asyncio"


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock at noon on a day in November."""
    return ManualClock(NOON)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the shipped booking policy with two tenants."""
    return write_config(tmp_path)


@pytest.fixture
def recorder() -> Recorder:
    """Give an app that remembers what it was sent."""
    return Recorder()


@pytest.fixture
def booking_api(tmp_path: Path) -> Iterator[str]:
    """Run the sample booking API on a real socket, and give its URL."""
    sys.path.insert(0, str(REPOSITORY))
    from examples.booking_api.app import create_app

    with Served(create_app(tmp_path / "booking.db"), lifespan="on") as server:
        yield server.url
    sys.path.remove(str(REPOSITORY))


@pytest.fixture
def booking(tmp_path: Path, booking_api: str, clock: ManualClock) -> Iterator[Front]:
    """Run the gateway in front of the booking API."""
    with front(write_config(tmp_path, upstream=booking_api), clock) as running:
        yield running


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[PostgresPlace]:
    """Make a database in PostgreSQL for the tests of this process."""
    with postgres_database() as place:
        yield place


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Give an empty place for a ledger, in either database."""
    if request.param == "sqlite":
        return Place(f"sqlite:///{tmp_path}/fairuse.db")
    postgres: PostgresPlace = request.getfixturevalue("own_postgres")
    asyncio.run(postgres.empty())
    return postgres


@pytest.fixture
async def ledger(place: Place) -> AsyncIterator[Ledger]:
    """Give an empty ledger, in either database."""
    ledger = await Ledger.open(place.url)
    yield ledger
    await ledger.close()
