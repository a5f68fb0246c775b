"""Whoever stops waiting, whenever, leaves no task, no socket and no place in the pool behind."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import (
    BOTH,
    CHUNKED,
    GET,
    OK,
    Line,
    Make,
    ask,
    before,
    begin,
    pieces,
    post,
)

from fairuse.base.hop.client import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from typing import Any

    from tests.base.hop.support import Origin

    from fairuse.base.hop.upstream import Upstream

pytestmark = pytest.mark.anyio

ROUNDS = 1_000
MOST = 5


async def some_turns(most: int) -> None:
    """Let the loop turn a few times."""
    for _ in range(random.randrange(most)):  # noqa: S311
        await asyncio.sleep(0)


async def moody(line: Line) -> None:
    """Read requests with and without a body, and answer them in pieces, in its own time."""
    while True:
        head = await line.head()
        await some_turns(6)
        if b"chunked" in head:
            await line.reader.readuntil(b"0\r\n\r\n")
        if b"GET" in head:
            await line.say(CHUNKED)
            for _ in range(3):
                await some_turns(3)
                await line.say(b"2\r\nok\r\n")
            await line.say(b"0\r\n\r\n")
        else:
            await line.say(OK)


async def slow_body() -> AsyncIterator[bytes]:
    """Give a body with pauses."""
    for _ in range(3):
        await some_turns(3)
        yield b"x" * 100


async def read_half(upstream: Upstream, url: str) -> None:
    """Take a piece of the answer, and close it."""
    reply = await begin(upstream, url)
    try:
        async for _ in reply.chunks():
            await some_turns(3)
            break
    finally:
        await reply.close()


def asked(upstream: Upstream, url: str) -> Coroutine[Any, Any, object]:
    """Give one of the ways to ask."""
    way = random.randrange(4)  # noqa: S311
    if way == 0:
        return read_half(upstream, url)
    bodies = [GET, post(slow_body()), post(pieces(b"x" * 1_000))]
    return ask(upstream, url, bodies[way - 1])


async def settled(upstream: Upstream, origin: Origin, tasks: set[asyncio.Task[Any]]) -> None:
    """Check that after all of it every place is free, and no more is open than may be."""
    answers = await asyncio.gather(*(ask(upstream, origin.url) for _ in range(5 * MOST)))
    assert {answer.body for answer in answers} == {b"okokok"}
    assert origin.open <= MOST
    if isinstance(upstream, Client):
        [pool] = upstream._pools.values()
        await origin_knows(pool, origin)
        assert repr(pool).endswith(f"0 busy, {origin.open} idle, 0 connecting, 0 waiting>")
        assert len(asyncio.all_tasks() - tasks) == origin.open


async def origin_knows(pool: object, origin: Origin) -> None:
    """Wait until the origin has heard of every connection that was closed."""
    while f" {origin.open} idle" not in repr(pool):  # noqa: ASYNC110
        await asyncio.sleep(0)


@BOTH
async def test_cancelling_at_every_await_leaves_nothing_behind(make: Make) -> None:
    """F-46: after 1,000 exchanges cancelled at random moments, pool, tasks and sockets are idle."""
    async with before(moody, make, MOST) as (upstream, origin):
        tasks = asyncio.all_tasks()
        for _ in range(ROUNDS // 20):
            asking = [asyncio.create_task(asked(upstream, origin.url)) for _ in range(20)]
            for task in asking:
                await some_turns(6)
                task.cancel()
            await asyncio.wait(asking)
        await settled(upstream, origin, tasks)


async def test_cancelling_twice_leaves_nothing_behind() -> None:
    """F-46 (double cancel): nor does cancelling what is cleaning up already."""
    async with before(moody, most=MOST) as (upstream, origin):
        tasks = asyncio.all_tasks()
        for _ in range(ROUNDS // 20):
            asking = [asyncio.create_task(asked(upstream, origin.url)) for _ in range(20)]
            for task in asking:
                await some_turns(6)
                task.cancel()
                await some_turns(2)
                task.cancel()
            await asyncio.wait(asking)
        await settled(upstream, origin, tasks)


async def test_an_exchange_alone_is_cancelled_at_each_of_its_moments() -> None:
    """F-46: one exchange at a time, cancelled after one turn of the loop more each time."""
    async with before(moody, most=1) as (upstream, origin):
        tasks = asyncio.all_tasks()
        for turns in range(60):
            for _ in range(4):
                task = asyncio.create_task(asked(upstream, origin.url))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait((task,))
        await settled(upstream, origin, tasks)


async def test_cancelling_is_never_swallowed() -> None:
    """F-46: who is cancelled while an exchange is left is cancelled."""
    leaving = asyncio.Event()

    async def stubborn() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
        finally:
            leaving.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        yield b""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(CHUNKED)
        await line.gone()

    async with before(script) as (upstream, origin):
        reply = await begin(upstream, origin.url, post(stubborn()))
        closing = asyncio.create_task(reply.close())
        await leaving.wait()
        closing.cancel()
        await asyncio.wait((closing,))
        assert closing.cancelled()
        await origin.left()
