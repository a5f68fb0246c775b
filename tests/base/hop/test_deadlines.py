"""What takes too long ends with UpstreamTimeout, and its connection with it."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import (
    BOTH,
    CHUNKED,
    GET,
    OK,
    Asking,
    Line,
    Make,
    ask,
    before,
    begin,
    once,
    pieces,
    post,
)

from fairuse.base.errors import UpstreamTimeout
from fairuse.base.hop.upstream import Timeouts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.base.hop.support import Script


pytestmark = pytest.mark.anyio

SHORT = GET._replace(timeouts=Timeouts(5, 0.02, math.inf))
IN_ALL = GET._replace(timeouts=Timeouts(5, 20, 0.05))


@pytest.fixture
def deaf() -> Iterator[str]:
    """Give the URL of an origin that accepts no connection, and refuses none."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for taking in (first, second):  # all the room there is for those that wait
            taking.setblocking(False)
            taking.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@BOTH
async def test_connecting_has_a_deadline(make: Make, deaf: str) -> None:
    """HTTP-48, F-47: an origin that takes no connection is UpstreamTimeout."""
    async with before(once(OK), make) as (upstream, _):
        with pytest.raises(UpstreamTimeout):
            await ask(upstream, deaf, GET._replace(timeouts=Timeouts(0.02, 20, math.inf)))


async def test_an_origin_that_takes_no_connection_is_not_a_full_pool(
    deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP-48: connecting may take as long as waiting for a connection, and is told from it."""
    monkeypatch.setattr("fairuse.base.hop.pool.WAIT_SECONDS", 0.02)
    async with before(once(OK)) as (upstream, _):
        with pytest.raises(UpstreamTimeout):
            await ask(upstream, deaf, GET._replace(timeouts=Timeouts(0.02, 20, math.inf)))


@BOTH
@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nA:", b"HTTP/1.1 103 Early Hints\r\n\r\n"]
)
async def test_the_head_has_a_deadline(make: Make, said: bytes) -> None:
    """HTTP-48, F-47: an origin that does not answer is UpstreamTimeout, and is hung up on."""
    async with before(once(said), make) as (upstream, origin):
        with pytest.raises(UpstreamTimeout):
            await ask(upstream, origin.url, SHORT)
        await origin.left()


@BOTH
@pytest.mark.parametrize("said", [CHUNKED, OK[:-1], b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_a_pause_in_the_body_has_a_deadline(make: Make, said: bytes) -> None:
    """F-47: an origin that stops in the middle is UpstreamTimeout, and is hung up on."""
    async with before(once(said), make) as (upstream, origin):
        reply = await begin(upstream, origin.url, SHORT)
        with pytest.raises(UpstreamTimeout):
            assert [chunk async for chunk in reply.chunks()] == [b"o"]
        await reply.close()
        await origin.left()


async def drip(line: Line) -> None:
    """Answer for ever, a byte at a time."""
    await line.head()
    await line.say(CHUNKED)
    while True:
        await line.say(b"1\r\nx\r\n")
        await asyncio.sleep(0)


async def drip_head(line: Line) -> None:
    """Never come to the end of the head."""
    await line.head()
    await line.say(b"HTTP/1.1 200 OK\r\nA: ")
    while True:
        await line.say(b"x")
        await asyncio.sleep(0)


@pytest.mark.parametrize("script", [drip, drip_head, once(b"")], ids=["body", "head", "nothing"])
async def test_all_of_it_has_a_deadline(script: Script) -> None:
    """F-47 (slow trickle): bytes now and then put off the end no more than it may be."""
    async with before(script) as (upstream, origin):
        with pytest.raises(UpstreamTimeout):
            await ask(upstream, origin.url, IN_ALL)
        await origin.left()


async def test_an_origin_that_does_not_take_the_body_has_a_deadline() -> None:
    """F-47: an origin that neither reads nor answers is UpstreamTimeout."""
    let = asyncio.Event()

    async def script(line: Line) -> None:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await let.wait()

    async with before(script) as (upstream, origin):
        big = post(pieces(*[b"x" * 1_000_000] * 50))._replace(timeouts=SHORT.timeouts)
        with pytest.raises(UpstreamTimeout):
            await ask(upstream, origin.url, big)
        let.set()


async def test_without_deadlines_nothing_is_overdue() -> None:
    """F-47: an infinite time is one, not an error."""
    never = Asking(timeouts=Timeouts(math.inf, math.inf, math.inf))
    async with before(once(OK)) as (upstream, origin):
        assert (await ask(upstream, origin.url, never)).body == b"ok"
