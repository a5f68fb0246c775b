"""Back-pressure: neither side's speed fills the memory between them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import BOTH, CHUNKED, OK, Line, Make, ask, before, begin, post

from fairuse.base.hop.reply import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

PIECE = b"x" * 65_536
ROUNDS = 1_000
"""65 MB in all, of which the sockets of both sides hold a few."""
HELD = 24 * 1_048_576
"""What systems keep in the buffers of two sockets, generously, and what we do."""


class Meter:
    """Counts bytes, and says when they stop moving."""

    def __init__(self) -> None:
        self.bytes = 0

    async def stands_still(self) -> None:
        """Wait until nothing was counted for many turns of the loop."""
        before, quiet = -1, 0
        while quiet < 500:
            quiet = quiet + 1 if self.bytes == before else 0
            before = self.bytes
            await asyncio.sleep(0)


@BOTH
async def test_a_reader_that_does_not_read_stops_the_origin(make: Make) -> None:
    """HTTP-32: of a large answer only so much is taken as its reader takes."""
    sent = Meter()

    async def script(line: Line) -> None:
        await line.head()
        await line.say(CHUNKED)
        for _ in range(ROUNDS):
            await line.say(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            sent.bytes += len(PIECE)
        await line.say(b"0\r\n\r\n")
        await line.gone()

    async with before(script, make) as (upstream, origin):
        reply = await begin(upstream, origin.url)
        await sent.stands_still()
        assert sent.bytes < HELD
        got = 0
        async for chunk in reply.chunks():
            got += len(chunk)
        await reply.close()
        assert got == sent.bytes == ROUNDS * len(PIECE)


async def test_what_waits_for_a_reader_has_a_bound() -> None:
    """HTTP-32: what one answer keeps in our memory is less than a megabyte."""
    sent = Meter()

    async def script(line: Line) -> None:
        await line.head()
        await line.say(CHUNKED)
        while True:
            await line.say(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            sent.bytes += len(PIECE)

    async with before(script) as (upstream, origin):
        reply = await begin(upstream, origin.url)
        chunks = reply.chunks()
        for _ in range(3):
            await anext(chunks)
            await sent.stands_still()
            assert isinstance(reply, Reply)
            assert sum(len(piece) for piece in reply._unread) < 1_048_576
        await reply.close()


@BOTH
@pytest.mark.parametrize("length", [None, ROUNDS * len(PIECE)], ids=["chunks", "length"])
async def test_an_origin_that_does_not_read_stops_the_client(
    make: Make, length: int | None
) -> None:
    """HTTP-32: of a large request only so much is taken as the origin takes, and all of it then."""
    taken, let = Meter(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(ROUNDS):
            taken.bytes += len(PIECE)
            yield PIECE

    async def script(line: Line) -> None:
        await line.head()
        await let.wait()
        got = 0
        while got < ROUNDS * len(PIECE):
            if length is None:
                size = int(await line.reader.readline(), 16)
                await line.reader.readexactly(size + 2)
            else:
                size = len(await line.reader.read(1_000_000))
            got += size
        if length is None:
            await line.reader.readuntil(b"0\r\n\r\n")
        await line.say(OK)
        await line.gone()

    async with before(script, make) as (upstream, origin):
        asking = asyncio.create_task(ask(upstream, origin.url, post(body(), length)))
        await taken.stands_still()
        assert taken.bytes < HELD
        let.set()
        assert (await asking).body == b"ok"
        assert taken.bytes == ROUNDS * len(PIECE)
