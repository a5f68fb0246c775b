"""The upstream's connections survive clients that hang up."""

from __future__ import annotations

import asyncio
import math
import random
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from fairuse.base.errors import UpstreamBusy, UpstreamUnreachable
from fairuse.base.hop import pool, through_httpx
from fairuse.base.hop.client import Client
from fairuse.base.hop.through_httpx import HttpxClient
from fairuse.base.hop.upstream import Request, Target, Timeouts, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

TIMEOUTS = Timeouts(5, 20, math.inf)
BOTH = pytest.mark.parametrize("make", [Client, HttpxClient], ids=["fairuse", "httpx"])
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Origin:
    """A server that answers each request after a few turns of the loop, or when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.let.set()
        self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the other side hangs up."""
        self.open += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                for _ in range(random.randrange(20)):  # noqa: S311
                    await asyncio.sleep(0)
                await self.let.wait()
                writer.write(ANSWER)
        self.open -= 1
        writer.close()


async def ask(upstream: Upstream, url: str) -> bytes:
    """Send a request and read the whole answer."""
    target = Target((url,), TIMEOUTS)
    reply = await upstream.send(target, Request("GET", b"/", [(b"host", b"a")]))
    try:
        return b"".join([chunk async for chunk in reply.chunks()])
    finally:
        await reply.close()


@BOTH
async def test_hanging_up_at_any_moment_costs_no_connection(
    make: Callable[[int], Upstream],
) -> None:
    """F-46 (the pool): after 600 requests cancelled at random moments all five places are free."""
    origin, upstream = Origin(), make(5)
    async with await asyncio.start_server(origin, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for _ in range(30):
            asking = [asyncio.create_task(ask(upstream, url)) for _ in range(20)]
            for task in asking:
                for _ in range(random.randrange(6)):  # noqa: S311
                    await asyncio.sleep(0)
                task.cancel()
            await asyncio.wait(asking)
        async with asyncio.timeout(20):
            assert await asyncio.gather(*(ask(upstream, url) for _ in range(25))) == [b"ok"] * 25
        assert origin.open <= 5
        await upstream.close()
        async with asyncio.timeout(20):
            while origin.open:  # noqa: ASYNC110
                await asyncio.sleep(0)


@BOTH
async def test_a_full_pool_is_said_and_gets_free_again(
    make: Callable[[int], Upstream], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP-48 (busy): with every connection in use a request waits, and then is UpstreamBusy."""
    for module in (pool, through_httpx):
        monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    origin, upstream = Origin(), make(1)
    origin.let.clear()
    async with await asyncio.start_server(origin, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        first = asyncio.create_task(ask(upstream, url))
        while not origin.open:  # noqa: ASYNC110
            await asyncio.sleep(0)
        with pytest.raises(UpstreamBusy):
            await ask(upstream, url)
        origin.let.set()
        assert await first == b"ok"
        assert await ask(upstream, url) == b"ok"
        await upstream.close()


@BOTH
async def test_what_waits_for_a_connection_is_known_not_to_be_sent(
    make: Callable[[int], Upstream],
) -> None:
    """F-47: until a request has a connection nothing of it can have reached the upstream."""
    origin, upstream = Origin(), make(1)
    origin.let.clear()
    async with await asyncio.start_server(origin, "127.0.0.1", 0) as server:
        target = Target((f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",), TIMEOUTS)
        requests = [Request("GET", b"/", [(b"host", b"a")]) for _ in range(2)]
        first, second = (asyncio.create_task(upstream.send(target, each)) for each in requests)
        async with asyncio.timeout(20):
            while not requests[0].sent:  # noqa: ASYNC110
                await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait((second,))
        assert not requests[1].sent
        origin.let.set()
        await (await first).close()
        await upstream.close()


async def test_what_can_not_be_sent_is_not_said_to_be_sent() -> None:
    """F-47: where nobody listens nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    request = Request("GET", b"/", [(b"host", b"a")])
    client = Client(1)
    with pytest.raises(UpstreamUnreachable):
        await client.send(Target((f"http://127.0.0.1:{port}",), TIMEOUTS), request)
    assert not request.sent
    await client.close()
