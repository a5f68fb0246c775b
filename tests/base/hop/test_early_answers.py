"""An origin that has heard enough: its answer is given, and the rest of the body is not sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import OK, Line, ask, before, post

from fairuse.base.errors import UpstreamBroken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

EARLY = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge"


async def endless(sent: list[int], *, hasty: bool = False) -> AsyncIterator[bytes]:
    """Give a body without an end, and count its pieces; its end is noted with a zero."""
    try:
        while True:
            sent.append(len(sent) + 1)
            yield b"x" * 20_000
            if not hasty:
                await asyncio.sleep(0)
    finally:
        sent.append(0)


@pytest.mark.parametrize("after", [0, 5_000_000], ids=["at once", "later"])
async def test_an_early_answer_stops_the_upload(after: int) -> None:
    """F-15 (early response): the answer is given, the body goes no further, nor the connection."""
    sent: list[int] = []

    async def script(line: Line) -> None:
        await line.head()
        if after and line.number == 1:
            await line.reader.readexactly(after)
        await line.say(EARLY if line.number == 1 else OK)
        await line.gone()

    async with before(script) as (upstream, origin):
        answer = await ask(upstream, origin.url, post(endless(sent)))
        assert (answer.status, answer.body) == (413, b"large")
        await origin.left()
        assert (await ask(upstream, origin.url)).body == b"ok"
        assert origin.lines == 2
    assert sent[-1] == 0


@pytest.mark.parametrize(
    "over", [Line.reset, lambda line: line.writer.close()], ids=["reset", "end"]
)
@pytest.mark.parametrize("hasty", [False, True], ids=["calm", "hasty"])
async def test_an_early_answer_and_the_end_of_the_connection(
    over: Callable[[Line], None],
    hasty: bool,
) -> None:
    """F-15 (early response): an origin that answers and hangs up unread still has its answer told.

    What it says before it hangs up is more use to a client than that it did.
    """
    sent: list[int] = []

    async def script(line: Line) -> None:
        await line.head()
        await line.reader.readexactly(1_000_000)
        await line.say(EARLY)
        over(line)

    for _ in range(20):
        async with before(script) as (upstream, origin):
            answer = await ask(upstream, origin.url, post(endless(sent, hasty=hasty)))
            assert (answer.status, answer.body) == (413, b"large")


async def test_an_origin_that_hangs_up_ends_the_upload() -> None:
    """F-47: a reset while the body is sent is UpstreamBroken, and the body is asked no more."""
    sent: list[int] = []

    async def script(line: Line) -> None:
        await line.head()
        await line.reader.readexactly(100_000)
        line.reset()

    async with before(script) as (upstream, origin):
        with pytest.raises(UpstreamBroken):
            await ask(upstream, origin.url, post(endless(sent)))
    assert sent[-1] == 0
