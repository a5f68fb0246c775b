"""Several origins take turns, and one that can't be reached costs nobody an answer."""

from __future__ import annotations

import asyncio
import math
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import GET, OK, Line, always, ask, before, pieces, post, serving

from fairuse.base.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from fairuse.base.hop import client
from fairuse.base.hop.upstream import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from tests.base.hop.support import Origin

    from fairuse.base.hop.upstream import Upstream

pytestmark = pytest.mark.anyio

NOWHERE = "http://127.0.0.1:9"


NAMES = (b"a", b"b", b"c")


@asynccontextmanager
async def three() -> AsyncIterator[tuple[Upstream, list[Origin]]]:
    """Run a client before three origins that answer their names."""
    async with AsyncExitStack() as stack:
        scripts = [always(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name) for name in NAMES]
        origins = [await stack.enter_async_context(serving(script)) for script in scripts]
        upstream, _ = await stack.enter_async_context(before(always(OK)))
        yield upstream, origins


async def test_origins_take_turns() -> None:
    """F-47: each answers its share, one after the other."""
    async with three() as (upstream, origins):
        urls = tuple(origin.url for origin in origins)
        answers = [(await ask(upstream, urls)).body for _ in range(9)]
        assert b"".join(answers) == b"abcabcabc"
        await upstream.close()


async def test_an_origin_that_is_down_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-47: its requests go to the next, and for a while it is asked last."""
    tried: list[str] = []
    send_to = client.Client._send_to

    async def noting(self: client.Client, origin: str, *rest: object) -> object:
        tried.append(origin)
        return await send_to(self, origin, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(client.Client, "_send_to", noting)
    async with three() as (upstream, origins):
        urls = (origins[0].url, NOWHERE, origins[2].url)
        answers = [(await ask(upstream, urls)).body for _ in range(12)]
        assert answers.count(b"a") + answers.count(b"c") == 12
        assert min(answers.count(b"a"), answers.count(b"c")) >= 4
        assert tried.count(NOWHERE) == 1
        monkeypatch.setattr(client, "DOWN_SECONDS", -1.0)
        upstream._down.clear()  # type: ignore[attr-defined]
        for _ in range(6):
            await ask(upstream, urls)
        assert tried.count(NOWHERE) == 3  # the while is over at once, so in each of its turns
        await upstream.close()


@pytest.mark.parametrize("length", [None, 5])
async def test_a_body_that_was_not_begun_goes_to_the_next_origin(length: int | None) -> None:
    """F-47 (retry only unsent): no byte of it went anywhere, so the next one gets all of it."""
    bodies: list[bytes] = []

    async def script(line: Line) -> None:
        while True:
            await line.head()
            whole = line.reader.readexactly(5) if length else line.reader.readuntil(b"0\r\n\r\n")
            bodies.append(await whole)
            await line.say(OK)

    async with before(script) as (upstream, origin):
        for _ in range(2):
            urls = (NOWHERE, NOWHERE, origin.url)
            assert (await ask(upstream, urls, post(pieces(b"he", b"llo"), length))).body == b"ok"
        assert bodies == [b"hello" if length else b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"] * 2


async def test_a_request_that_was_begun_goes_nowhere_else() -> None:
    """F-47 (retry only unsent): what an origin may have acted on is not told to another."""

    async def script(line: Line) -> None:
        await line.head()

    async with before(script) as (upstream, first), serving(script) as second:
        for _ in range(2):
            with pytest.raises(UpstreamBroken):
                await ask(upstream, (first.url, second.url), post(pieces(b"x")))
        assert (first.lines, second.lines) == (1, 1)


async def test_with_every_origin_down_it_is_said() -> None:
    """F-47, HTTP-48: all of them are tried, and the last one's fault is told."""
    async with before(always(OK)) as (upstream, _):
        for _ in range(3):
            with pytest.raises(UpstreamUnreachable):
                await ask(upstream, (NOWHERE, "http://127.0.0.1:7"))


async def test_an_origin_that_is_slow_to_connect_is_down_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F-47: connecting that takes too long leaves the request to the next origin."""
    connect = asyncio.get_running_loop().create_connection

    async def hanging(_: object, factory: Any, host: str, port: int, **rest: Any) -> object:
        if port == 9:
            await asyncio.Event().wait()
        return await connect(factory, host, port, **rest)

    timeouts = Timeouts(0.02, 20, math.inf)
    monkeypatch.setattr("fairuse.base.hop.pool.WAIT_SECONDS", 0.02)
    monkeypatch.setattr(type(asyncio.get_running_loop()), "create_connection", hanging)
    async with before(always(OK)) as (upstream, origin):
        asking = GET._replace(timeouts=timeouts)
        assert (await ask(upstream, (NOWHERE, origin.url), asking)).body == b"ok"
        with pytest.raises(UpstreamTimeout):
            await ask(upstream, NOWHERE, asking)
