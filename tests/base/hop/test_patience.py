"""A deadline is the origin's: nothing is overdue while the other side is the slow one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import CHUNKED, GET, OK, Line, ask, before, begin, post

from fairuse.base.errors import UpstreamTimeout
from fairuse.base.hop.reply import Reply
from fairuse.base.hop.upstream import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fairuse.base.hop.upstream import Answered

pytestmark = pytest.mark.anyio

LEAPING = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""The other loop's clock can't be moved."""
TEN = Timeouts(5, 10, math.inf)
Leap = Callable[[], Awaitable[None]]


@pytest.fixture
def leap(monkeypatch: pytest.MonkeyPatch) -> Leap:
    """Give what lets fifteen seconds go by at once."""

    async def fifteen_seconds() -> None:
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + 15)
        for _ in range(5):
            await asyncio.sleep(0)

    return fifteen_seconds


@LEAPING
async def test_the_deadline_of_one_exchange_is_not_that_of_the_next(leap: Leap) -> None:
    """F-47: on a kept connection each exchange has its own time."""
    asked, let = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.head()
        await line.say(OK)
        await line.head()
        asked.set()
        await let.wait()
        await line.say(OK)
        await line.gone()

    async with before(script) as (upstream, origin):
        await ask(upstream, origin.url, GET._replace(timeouts=Timeouts(5, 2, 2)))
        later = asyncio.create_task(ask(upstream, origin.url))
        await asked.wait()
        await leap()
        let.set()
        assert (await later).body == b"ok"
        assert origin.lines == 1


async def much(line: Line) -> None:
    """Answer ten million bytes, as fast as they are taken."""
    await line.head()
    await line.say(CHUNKED)
    for _ in range(100):
        await line.say(b"%x\r\n%b\r\n" % (100_000, b"x" * 100_000))
    await line.say(b"0\r\n\r\n")
    await line.gone()


async def full(reply: Answered) -> None:
    """Wait until so much is unread that no more is read."""
    assert isinstance(reply, Reply)
    while not reply._source._paused:  # type: ignore[attr-defined]  # noqa: ASYNC110
        await asyncio.sleep(0)


@LEAPING
async def test_a_reader_that_does_not_read_is_not_the_origins_delay(leap: Leap) -> None:
    """HTTP-32, F-13: while the answer waits for its reader, the origin may take its time."""
    async with before(much) as (upstream, origin):
        reply = await begin(upstream, origin.url, GET._replace(timeouts=TEN))
        await full(reply)
        await leap()
        assert len(b"".join([chunk async for chunk in reply.chunks()])) == 10_000_000
        await reply.close()


@LEAPING
async def test_nor_is_it_while_the_request_goes_on(leap: Leap) -> None:
    """HTTP-32: pieces of an upload, and its end, start no clock while nobody reads."""
    more, ended = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        await more.wait()
        yield b"y"
        ended.set()

    async with before(much) as (upstream, origin):
        reply = await begin(upstream, origin.url, post(body())._replace(timeouts=TEN))
        await full(reply)
        more.set()
        await ended.wait()
        await asyncio.sleep(0)
        await leap()
        assert len(b"".join([chunk async for chunk in reply.chunks()])) == 10_000_000
        await reply.close()


@LEAPING
async def test_a_slow_client_is_not_the_origins_delay(leap: Leap) -> None:
    """F-47, HTTP-32: while the origin waits for the request's body, nothing is expected of it."""

    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await leap()
        yield b"b"

    async def script(line: Line) -> None:
        await line.head()
        await line.reader.readuntil(b"0\r\n\r\n")
        await line.say(OK)
        await line.gone()

    async with before(script) as (upstream, origin):
        asking = post(slow())._replace(timeouts=TEN)
        assert (await ask(upstream, origin.url, asking)).body == b"ok"


@LEAPING
async def test_all_of_it_has_a_deadline_also_for_a_slow_reader(leap: Leap) -> None:
    """F-47: the time for all of it goes on while nobody reads."""
    async with before(much) as (upstream, origin):
        reply = await begin(upstream, origin.url, GET._replace(timeouts=Timeouts(5, 10, 12)))
        await full(reply)
        await leap()
        with pytest.raises(UpstreamTimeout):
            assert [chunk async for chunk in reply.chunks()] == []
        await reply.close()
