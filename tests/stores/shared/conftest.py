"""Fixtures: a server for all tests of the shared store, and stores that share counts over it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import redis_server
from tests.stores.shared.support import Pair
from tests.stores.shared_store import SharedStore, new_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.redis_servers import RedisServer
    from tests.stores.shared.support import Opens


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Run one server for all tests: each has a namespace of its own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def opens(server: RedisServer) -> Iterator[Opens]:
    """Open stores that share one namespace, and close those that are left at the end."""
    namespace = new_namespace()
    with ExitStack() as stack:

        def opened(*, strict: bool = False, leased_at_once: int = 64) -> SharedStore:
            store = SharedStore(
                server.url, strict=strict, namespace=namespace, leased_at_once=leased_at_once
            )
            return stack.enter_context(store)

        yield opened


@pytest.fixture
def relaxed(opens: Opens) -> Pair:
    """Give two stores that share what they count, and lease it ahead."""
    return Pair(opens(), opens())


@pytest.fixture
def strict(opens: Opens) -> Pair:
    """Give two stores that ask for every unit."""
    return Pair(opens(strict=True), opens(strict=True))


@pytest.fixture(params=["relaxed", "strict"])
def pair(request: pytest.FixtureRequest) -> Pair:
    """Give two stores of each kind."""
    two: Pair = request.getfixturevalue(request.param)
    return two
