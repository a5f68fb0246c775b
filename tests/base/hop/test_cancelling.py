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
    TIMEOUTS,
    Line,
    Make,
    ask,
    before,
    begin,
    pieces,
    post,
)

from fairuse.base.hop.client import Client
from fairuse.base.hop.connection import Connection
from fairuse.base.hop.upstream import Request, Target

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


async def test_a_connection_that_is_anothers_already_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F-46: who stops waiting as the answer comes leaves its connection to whoever has it next."""
    doomed: list[asyncio.Task[Any]] = []
    received = Connection.data_received

    def received_by_the_doomed(connection: Connection, data: bytes) -> None:
        received(connection, data)
        if doomed:
            doomed.pop().cancel()

    monkeypatch.setattr(Connection, "data_received", received_by_the_doomed)
    half = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"ab"
        await half.wait()
        yield b"cd"

    async def script(line: Line) -> None:
        await line.head()
        await line.say(OK)
        await line.head()
        assert await line.reader.readexactly(2) == b"ab"
        half.set()
        assert await line.reader.readexactly(2) == b"cd"
        await line.say(OK)

    async with before(script, most=1) as (upstream, origin):
        first = asyncio.create_task(begin(upstream, origin.url))
        second = asyncio.create_task(ask(upstream, origin.url, post(body(), length=4)))
        doomed.append(first)
        await asyncio.wait((first, second))
        assert first.cancelled()
        assert second.result().body == b"ok"
        assert origin.lines == 1


@BOTH
async def test_what_the_origin_got_is_known_whoever_left(make: Make) -> None:
    """F-46, F-47: nothing reaches the origin of a request that is said not to be sent."""
    got = set()

    async def script(line: Line) -> None:
        while True:
            got.add((await line.head()).split()[1])
            await line.say(OK)

    said: dict[bytes, bool] = {}

    async def send(upstream: Upstream, url: str, path: bytes) -> None:
        request = Request("GET", path, [(b"host", b"a")])
        try:
            reply = await upstream.send(Target((url,), TIMEOUTS), request)
        finally:
            said[path] = request.sent
        await reply.close()

    async with before(script, make, most=2) as (upstream, origin):
        for turns in range(60):
            sending = [
                asyncio.create_task(send(upstream, origin.url, b"/%d-%d" % (turns, number)))
                for number in range(3)
            ]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in sending:
                task.cancel()
            await asyncio.wait(sending)
    assert got <= {path for path, sent in said.items() if sent}
    assert {*said.values()} == {True, False}
