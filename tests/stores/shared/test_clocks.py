"""F-32: nodes whose clocks disagree count in the same windows: the store's time is the only one."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.support import TURN, node
from tests.stores.shared_store import MANUAL_TIME, NOW, new_namespace, patience
from tests.stores.support import claim, fits, limit
from tests.support import NOON

from fairuse.base.clock import ManualClock, SystemClock
from fairuse.base.instant import Instant
from fairuse.rules.claims import Claims
from fairuse.stores.protocol import Exceeded, Outcome
from fairuse.stores.shared.channel import SERVER_TIME
from fairuse.stores.shared.clock import StoreClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from typing import Any

    from tests.redis_servers import RedisServer
    from tests.stores.shared.support import Node

    from fairuse.base.clock import Clock
    from fairuse.stores.shared.channel import Script

pytestmark = [*REDIS_MARKS, pytest.mark.anyio]

SKEW = 30.0
DAILY = limit("daily", 3, "calendar day")
MINUTE = limit("minute", 3)
AT_ONCE = limit("at-once", 9, "always", measure="in flight")
SEATS = limit("seats", 9, "calendar day", over="deny user", measure="users")
MIDNIGHT = NOON + TURN


class SkewedClock:
    """A clock that is set wrong; it ticks as it should."""

    def __init__(self, clock: Clock, ahead: float) -> None:
        self._clock, self._ahead = clock, ahead

    def now(self) -> Instant:
        """Read the moment on both clocks."""
        wall, monotonic = self._clock.now()
        return Instant(wall + self._ahead, monotonic)


class World(NamedTuple):
    """Two nodes, one behind and one ahead of the true time, which is the store's."""

    behind: Node
    ahead: Node
    clock: ManualClock
    redis: Redis

    def advance(self, seconds: float) -> None:
        """Let time pass, for the nodes and for the store."""
        self.clock.advance(seconds)
        self.redis.set(NOW, int(self.clock.wall * 1_000))


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """Wait long for every answer."""
    with patience():
        yield


@asynccontextmanager
async def skewed(server: RedisServer, *, now: float, strict: bool) -> AsyncIterator[World]:
    """Run two nodes whose clocks are a minute apart, at a time that the test decides."""
    clock, namespace = ManualClock(now), new_namespace()
    with Redis.from_url(server.url) as redis:
        redis.set(NOW, int(now * 1_000))
        opened = [
            node(server.url, namespace, strict=strict, clock=each, time=MANUAL_TIME)
            for each in (SkewedClock(clock, -SKEW), SkewedClock(clock, SKEW))
        ]
        async with opened[0] as behind, opened[1] as ahead:
            yield World(behind, ahead, clock, redis)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])
async def test_one_window_for_clocks_that_disagree(server: RedisServer, *, strict: bool) -> None:
    """F-32: around midnight two nodes, of which one is in the next day, count in the same day."""
    async with skewed(server, now=MIDNIGHT - 5, strict=strict) as world:
        await world.ahead.count(DAILY, 2)
        await world.behind.count(DAILY)
        for each in (world.ahead, world.behind):
            assert isinstance(await each.reserve(DAILY), Exceeded)
            [reading] = await each.counters.read("anna", each.clock.now())
            assert (reading.used, reading.ends_at) == (3, MIDNIGHT)
        world.advance(10)
        await world.behind.count(DAILY, 2)
        await world.ahead.count(DAILY)
        for each in (world.ahead, world.behind):
            assert isinstance(await each.reserve(DAILY), Exceeded)
            [reading] = await each.counters.read("anna", each.clock.now())
            assert (reading.used, reading.starts_at) == (3, MIDNIGHT)


async def test_one_rolling_window_for_clocks_that_disagree(server: RedisServer) -> None:
    """F-32: a unit leaves a rolling window a minute after it was used, by the store's clock."""
    async with skewed(server, now=NOON, strict=False) as world:
        await world.ahead.count(MINUTE, 2)
        world.advance(20)
        await world.behind.count(MINUTE)
        for seconds, used in ((39, 3), (1, 1), (19, 1), (1, 0)):
            world.advance(seconds)
            for each in (world.ahead, world.behind):
                assert sum((await each.used()).values()) == used


async def test_clocks_that_disagree_by_the_servers_own_time(server: RedisServer) -> None:
    """F-32: one limit holds for both nodes where the store's clock is a real one."""
    namespace, real = new_namespace(), SystemClock()
    async with (
        node(server.url, namespace, clock=SkewedClock(real, -SKEW)) as behind,
        node(server.url, namespace, clock=SkewedClock(real, SKEW), time=SERVER_TIME) as ahead,
    ):
        seconds, microseconds = map(int, server.ask("TIME"))
        for each in (behind, ahead):
            assert abs(each.clock.now().wall - (seconds + microseconds / 1e6)) < SKEW / 2
        await ahead.count(MINUTE, 2)
        await behind.count(MINUTE)
        for each in (behind, ahead):
            assert isinstance(await each.reserve(MINUTE), Exceeded)
            assert await each.used() == {"minute": 3}


async def test_no_nodes_time_is_sent(server: RedisServer) -> None:
    """F-32: what a node tells has the bounds of windows and how long ago, and no moment of its own.

    A level that somebody told has its own moment.
    """
    async with skewed(server, now=NOON, strict=False) as world:
        sent: list[float] = []
        call = world.ahead.channel.call

        async def spied(script: Script, keys: Sequence[str], args: Sequence[int | str]) -> Any:
            sent.extend(float(each) for each in re.findall(r"\d+", str(args)))
            return await call(script, keys, args)

        world.ahead.channel.call = spied  # type: ignore[method-assign]
        for _ in range(3):
            at = world.ahead.clock.now()
            claims = [claim(terms, at.wall) for terms in (DAILY, MINUTE, AT_ONCE)]
            claims.append(claim(SEATS, at.wall, member="bert"))
            decision = await world.ahead.counters.reserve("anna", Claims(claims), at)
            world.advance(1)
            world.ahead.counters.settle(
                fits(decision), Outcome.ACCEPTED, {"m": 1}, world.ahead.clock.now()
            )
            await world.ahead.counters.flush()
        near = (NOON - 3_600, NOON + 3_600)
        assert sent
        for number in sent:
            assert not near[0] <= number <= near[1]
            assert not near[0] <= number / 1_000 <= near[1]


LATENCY = st.floats(0, 5)


@given(
    ahead=st.floats(-1e6, 1e6),
    answers=st.lists(st.tuples(LATENCY, LATENCY), min_size=1, max_size=9),
)
def test_a_clock_comes_closer_with_every_answer(
    ahead: float, answers: list[tuple[float, float]]
) -> None:
    """F-32: after an answer a clock is off by no more than the answer took, and never by more."""
    true = ManualClock(NOON)
    clock = StoreClock(SkewedClock(true, ahead))
    off = abs(ahead)
    for there, back in answers:
        sent = clock.monotonic()
        true.advance(there)
        store_time = true.wall
        true.advance(back)
        clock.correct(store_time, sent, clock.monotonic())
        before, off = off, abs(clock.now().wall - true.wall)
        assert off <= min(before, there + back) + 1e-6
        true.advance(100)
