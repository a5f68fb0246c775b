"""The pool: never more connections than there may be, and who waited longest goes first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import BOTH, OK, Asking, Line, Make, always, ask, before, begin, once

from fairuse.base.errors import GatewayStopping, UpstreamBusy, UpstreamError, UpstreamUnreachable
from fairuse.base.hop import client, pool, through_httpx
from fairuse.base.hop.client import Client

if TYPE_CHECKING:
    from tests.base.hop.support import Answer

    from fairuse.base.hop.connection import Connection
    from fairuse.base.hop.pool import Pool
    from fairuse.base.hop.upstream import Upstream

pytestmark = pytest.mark.anyio

NOWHERE = "http://127.0.0.1:9"


class Counter:
    """An origin that answers when it is let, and notes who asked in which order."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.let = asyncio.Semaphore(0)
        self.first = asyncio.Event()

    async def __call__(self, line: Line) -> None:
        """Answer until the other side hangs up."""
        while True:
            head = await line.head()
            self.asked.append(head.split(b"number: ")[1].split(b"\r\n")[0])
            self.first.set()
            await self.let.acquire()
            await line.say(OK)


def numbered(upstream: Upstream, url: str, number: int) -> asyncio.Task[Answer]:
    """Ask, saying who."""
    asking = Asking(headers=[(b"host", b"a"), (b"number", b"%d" % number)])
    return asyncio.create_task(ask(upstream, url, asking))


def pool_of(upstream: Upstream) -> Pool:
    """Give the one pool of our client."""
    assert isinstance(upstream, Client)
    [only] = upstream._pools.values()
    return only


@BOTH
async def test_a_full_pool_is_busy_after_a_while(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP-48: who waits too long is told so, and takes no place from those who still wait."""
    for module in (pool, through_httpx):
        monkeypatch.setattr(module, "WAIT_SECONDS", 0.02)
    counter = Counter()
    async with before(counter, make, 1) as (upstream, origin):
        first = numbered(upstream, origin.url, 0)
        await counter.first.wait()
        late = await asyncio.gather(
            *(numbered(upstream, origin.url, number) for number in range(1, 6)),
            return_exceptions=True,
        )
        assert [type(error) for error in late] == [UpstreamBusy] * 5
        for _ in range(3):
            counter.let.release()
        await first
        await numbered(upstream, origin.url, 6)
        await numbered(upstream, origin.url, 7)
        assert counter.asked == [b"0", b"6", b"7"]
        assert origin.lines == 1


@BOTH
async def test_who_waits_longest_goes_first(make: Make) -> None:
    """F-46 (the pool): a free connection goes to who has waited longest."""
    counter = Counter()
    async with before(counter, make, 1) as (upstream, origin):
        asking = [numbered(upstream, origin.url, number) for number in range(10)]
        await counter.first.wait()
        for _ in range(10):
            counter.let.release()
        await asyncio.gather(*asking)
        assert counter.asked == [b"%d" % number for number in range(10)]


@BOTH
async def test_a_waiter_that_goes_away_costs_nothing(make: Make) -> None:
    """F-46 (the pool): who stops waiting is passed over, and leaves nothing in the queue."""
    counter = Counter()
    async with before(counter, make, 1) as (upstream, origin):
        asking = [numbered(upstream, origin.url, number) for number in range(10)]
        await counter.first.wait()
        for task in asking[1::2]:
            task.cancel()
        await asyncio.wait(asking[1::2])
        if make is Client:
            assert len(pool_of(upstream)._waiting) == 4
        for _ in range(5):
            counter.let.release()
        await asyncio.gather(*asking[::2])
        assert counter.asked == [b"0", b"2", b"4", b"6", b"8"]
        assert origin.lines == 1


async def test_a_connection_given_to_one_that_leaves_goes_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F-46 (the pool): also where it was given already as its waiter was cancelled."""
    counter = Counter()
    async with before(counter, most=1) as (upstream, origin):
        asking = [numbered(upstream, origin.url, number) for number in range(3)]
        await counter.first.wait()
        release = pool.Pool.release

        def release_and_cancel(self: Pool, connection: Connection) -> None:
            release(self, connection)
            asking[1].cancel()

        monkeypatch.setattr(pool.Pool, "release", release_and_cancel)
        for _ in range(2):
            counter.let.release()
        await asyncio.gather(asking[0], asking[2])
        assert asking[1].cancelled()
        assert counter.asked == [b"0", b"2"]
        assert origin.lines == 1


async def test_a_connection_that_breaks_makes_room_for_another() -> None:
    """F-46 (the pool): who waits gets a new one where the one there was is closed."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        await line.gone()

    async with before(script, most=1) as (upstream, origin):
        answers = await asyncio.gather(*(ask(upstream, origin.url) for _ in range(10)))
        assert [answer.body for answer in answers] == [b"ok"] * 10
        assert origin.lines == 10


@BOTH
async def test_never_more_connections_than_there_may_be(make: Make) -> None:
    """F-46 (the pool): a hundred requests at once share what there is."""
    most_open = 0

    async def script(line: Line) -> None:
        nonlocal most_open
        while True:
            await line.head()
            most_open = max(most_open, origin.open)
            await asyncio.sleep(0)
            await line.say(OK)

    async with before(script, make, 7) as (upstream, origin):
        await asyncio.gather(*(ask(upstream, origin.url) for _ in range(100)))
        assert most_open == 7


@BOTH
async def test_an_origin_that_refuses_is_unreachable(make: Make) -> None:
    """HTTP-48: everybody is told at once, also those for whom there was no place to try."""
    async with before(always(OK), make, 3) as (upstream, _):
        told = await asyncio.gather(
            *(ask(upstream, NOWHERE) for _ in range(20)), return_exceptions=True
        )
        assert [type(error) for error in told] == [UpstreamUnreachable] * 20


@pytest.mark.parametrize("url", ["http://" + "a" * 70 + ".invalid", "http://127.0.0.1:99999"])
async def test_an_address_that_is_none_is_unreachable(url: str) -> None:
    """HTTP-48: nor does an odd name leave anybody waiting."""
    async with before(always(OK)) as (upstream, _):
        with pytest.raises((UpstreamError, ValueError)):
            await ask(upstream, url)


async def test_an_origin_that_hangs_up_at_once_is_an_error_and_no_lost_place() -> None:
    """F-46, F-47: it accepts and closes: an error each time, and the pool is as it was."""

    async def script(line: Line) -> None:
        line.reset()

    async with before(script, most=2) as (upstream, origin):
        told = await asyncio.gather(
            *(ask(upstream, origin.url) for _ in range(50)), return_exceptions=True
        )
        assert all(isinstance(error, UpstreamError) for error in told)
        assert repr(pool_of(upstream)).endswith(": 0 busy, 0 idle, 0 connecting, 0 waiting>")
        assert pool_of(upstream).unused


async def test_a_client_that_is_closed_lets_nobody_wait() -> None:
    """F-49: those who wait are told at once that it stops, and who comes later, too."""
    counter = Counter()
    async with before(counter, most=1) as (upstream, origin):
        asking = [numbered(upstream, origin.url, number) for number in range(3)]
        await counter.first.wait()
        await upstream.close()
        told = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(told[0], UpstreamError)
        assert [type(error) for error in told[1:]] == [GatewayStopping] * 2
        with pytest.raises(GatewayStopping):
            await ask(upstream, origin.url)
        counter.let.release()


async def test_pools_that_nobody_uses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-44 (bounded): origins come and go, and what is left of them does not grow."""
    monkeypatch.setattr(client, "MOST_ORIGINS", 3)
    async with before(always(OK)) as (upstream, origin):
        assert isinstance(upstream, Client)
        await ask(upstream, origin.url)
        for port in range(1, 10):
            with pytest.raises(UpstreamUnreachable):
                await ask(upstream, f"http://127.0.0.1:{port}")
        assert len(upstream._pools) <= 3
        assert (await ask(upstream, origin.url)).body == b"ok"
        assert origin.lines == 1


async def test_an_answer_that_is_not_closed_keeps_its_place() -> None:
    """F-46 (the pool): an exchange counts until its answer is let go."""
    async with before(once(OK[:-1]), most=1) as (upstream, origin):
        reply = await begin(upstream, origin.url)
        assert repr(pool_of(upstream)).endswith(": 1 busy, 0 idle, 0 connecting, 0 waiting>")
        await reply.close()
        await origin.left()
        assert pool_of(upstream).unused
