"""Where the cases are tried: a gateway on a real port, and everybody else in the gateway's loop.

In one loop everybody has his turn, so that bytes sent one by one are read one by one, and nothing
depends on which thread is faster.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.hostile.client import PATIENCE, Client
from tests.hostile.upstream import RecordingUpstream
from tests.support import DENTIST, NOON, SALON, Served, write_config

from fairuse import Gateway
from fairuse.base.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.hostile.client import Got

POLICY = """
title = "Fair use"
[packages.standard]
title = "Subscription"
[counts]
locations = "locations"
[meters.requests]
unit  = "request"
count = ["* /**"]
[limits.requests]
meter  = "requests"
amount = "1000000"
window = "calendar month"
over   = "case"
[meters.forbidden]
unit  = "forbidden request"
count = ["* /forbidden/**"]
[limits.forbidden]
meter  = "forbidden"
amount = "0"
window = "calendar month"
over   = "refuse"
[meters.scarce]
unit  = "scarce request"
count = ["* /scarce/**"]
[limits.scarce]
meter  = "scarce"
amount = "1"
window = "1 minute"
over   = "refuse"
"""
NEIGHBOUR = "Host: neighbour.example\r\nX-API-Key: " + DENTIST
ACCOUNT = "Host: api.example\r\nX-API-Key: " + SALON


class Stand:
    """A gateway before a recording upstream, and a neighbour who must notice nothing."""

    def __init__(self, server: Served, clock: ManualClock, upstream: RecordingUpstream) -> None:
        self.port = server.port
        self.run = server.run
        self.upstream = upstream
        self._clock = clock
        self._targets = count()

    def next_minute(self) -> None:
        """Let a minute pass, so that no limit on unknown callers gets in the way."""
        self._clock.advance(61)

    async def neighbour(self) -> Client:
        """Give a connection on which another tenant has been served."""
        client = await Client.connect(self.port)
        await self.serves(client, 1)
        return client

    async def serves(self, client: Client, wanted: int) -> None:
        """Have another tenant's request served on a connection, as its answer of that number."""
        target = f"/neighbour/{next(self._targets)}"
        await client.send([(f"GET {target} HTTP/1.1\r\n{NEIGHBOUR}\r\n\r\n".encode(), 1)])
        got = await client.answers(wanted)
        assert len(got) == wanted, got
        assert (got[-1].status, got[-1].body.decode()) == (200, target), got[-1]
        assert not client.gone

    async def page(self, target: str, fields: str) -> Got:
        """Read a page of the gateway's own."""
        client = await Client.connect(self.port)
        request = f"GET {target} HTTP/1.1\r\n{fields}\r\nConnection: close\r\n\r\n"
        await client.send([(request.encode(), 1)])
        [got] = await client.answers(1)
        assert await client.ended()
        assert got.status == 200, got
        return got

    async def turn(self) -> None:
        """Give the gateway time to do what it should not do yet: a whole request of its own."""
        await self.page("/fairuse/health", "Host: a")

    async def used(self) -> int:
        """Read what the account has used of its month."""
        page = await self.page("/fairuse/usage", ACCOUNT)
        limits: list[dict[str, Any]] = json.loads(page.body)["limits"]
        [used] = [entry["used"] for entry in limits if entry["limit"] == "requests"]
        return int(used)

    async def settles_at(self, used: int) -> int:
        """Read what is used once it is that, or what it stays at; requests end in their time."""
        for _ in range(20):
            if await self.used() == used:
                break
        return await self.used()

    async def still(self) -> None:
        """Wait until the upstream has no request under way."""
        async with asyncio.timeout(PATIENCE):
            await self.upstream.quiet()
        assert not self.upstream.faults


@contextmanager
def stand(folder: Path) -> Iterator[Stand]:
    """Run a gateway before a recording upstream."""
    upstream = RecordingUpstream()
    url = f"http://127.0.0.1:{upstream.port}"
    config = write_config(folder, upstream=url, policy=POLICY, response_timeout="5 seconds")
    clock = ManualClock(NOON)
    gateway = Gateway(config, clock=clock, access_stream=None)
    # Nothing that is to be closed may be taken for closed because it was idle.
    with Served(gateway, lifespan="on", timeout_keep_alive=600) as server:
        server.run(upstream.start())
        try:
            yield Stand(server, clock, upstream)
        finally:
            server.run(upstream.close())
