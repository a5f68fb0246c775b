"""Fixtures: the stores that keep the promises of the counter protocol, and a ledger's averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import REDIS_MARKS, redis_server
from tests.stores.office import Office
from tests.stores.shared_store import SharedStore
from tests.stores.support import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.redis_servers import RedisServer
    from tests.stores.support import Store

    from fairuse.stores.ledger import Ledger


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Run one Redis for all tests: each store has a namespace of its own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(
    params=[
        "memory",
        pytest.param("redis, leased", marks=REDIS_MARKS),
        pytest.param("redis, strict", marks=REDIS_MARKS),
    ]
)
def counters(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Give an empty store of each kind."""
    if request.param == "memory":
        store: Store = MemoryStore()
    else:
        url = request.getfixturevalue("server").url
        store = SharedStore(url, strict=request.param.endswith("strict"))
    with store:
        yield store


@pytest.fixture
def office(tmp_path: Path, ledger: Ledger) -> Office:
    """Give an empty ledger with the averages of it."""
    return Office(tmp_path, ledger)
