"""Outages of the store, for tests: a node behind a proxy that breaks connections."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from tests.fault_proxy import FaultProxy, Mode
from tests.stores.shared.support import PATIENCE, Node, happens, node
from tests.stores.shared_store import new_namespace, patience

from fairuse.base.errors import StoreError
from fairuse.stores.shared import channel, teller
from fairuse.stores.shared.message import Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from tests.redis_servers import RedisServer

    from fairuse.base.instant import Instant
    from fairuse.stores.shared.channel import Script
    from fairuse.stores.shared.message import Ask
    from fairuse.stores.shared.share import Share

FAULTS: list[Mode] = ["refuse", "reset", "blackhole", "late", "garbage"]
BUDGET = 0.2
"""How long an answer may take in an outage; before and after it, a busy machine may take longer."""
LATE = 0.35
PROBES = 0.02


class Place(NamedTuple):
    """A node behind the proxy, and one that the store always answers."""

    node: Node
    other: Node
    proxy: FaultProxy

    @contextmanager
    def outage(self, mode: Mode) -> Iterator[None]:
        """Break the first node's connection for a while."""
        with (
            patch.object(teller, "BUDGET_SECONDS", BUDGET),
            patch.object(teller, "STOOD_STILL_SECONDS", PATIENCE),  # the machine may be busy
        ):
            self.proxy.mode = mode
            yield
        self.proxy.mode = "pass"

    async def back(self) -> None:
        """Wait until the store can be asked again, and has heard of everything."""
        for _ in range(9):
            await happens(lambda: not self.node.counters.away)
            with suppress(StoreError):
                return await self.node.counters.flush()
        raise AssertionError("it goes away again and again")

    async def used(self) -> dict[str, int]:
        """Give what the store has, as another node reads it."""
        return await self.other.used()


@asynccontextmanager
async def place(
    server: RedisServer, *, strict: bool = False, late: float = LATE
) -> AsyncIterator[Place]:
    """Run two nodes that count together; they look for the store often."""
    namespace = new_namespace()
    with (
        patience(),
        patch.object(teller, "PROBE_SECONDS", PROBES),
        patch.object(channel, "ANSWER_SECONDS", PATIENCE if late > LATE else 2 * LATE),
        FaultProxy(server.port, delay=late) as proxy,
    ):
        url = f"redis://127.0.0.1:{proxy.port}/0"
        async with (
            asyncio.timeout(3 * PATIENCE),
            node(url, namespace, strict=strict) as one,
            node(server.url, namespace, strict=strict) as other,
        ):
            yield Place(one, other, proxy)


class Watched:
    """A node's calls: how many tallies each is about, and how many are under way."""

    def __init__(self, node: Node) -> None:
        self.tallies: list[int] = []
        self.most_under_way = 0
        self.open = asyncio.Event()
        self.open.set()
        self._under_way = 0
        self._call = node.channel.call
        node.channel.call = self.call  # type: ignore[method-assign]

    def message(self, at: Instant, shares: Sequence[Share], asks: Sequence[Ask]) -> Message:
        """Write a message, and note what it is about."""
        self.tallies.append(len(shares))
        return Message(at, shares, asks)

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[int | str]) -> Any:
        """Call a script, once the gate is open."""
        self._under_way += 1
        self.most_under_way = max(self.most_under_way, self._under_way)
        try:
            await self.open.wait()
            return await self._call(script, keys, args)
        finally:
            self._under_way -= 1


@contextmanager
def watched(node: Node) -> Iterator[Watched]:
    """Watch the calls of a node."""
    watch = Watched(node)
    with patch.object(teller, "Message", watch.message):
        yield watch
