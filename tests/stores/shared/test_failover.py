"""F-43: a server that forgets its scripts, or all that it knew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ResponseError
from tests.redis_servers import REDIS_MARKS, redis_server
from tests.stores.shared.faults import PROBES, watched
from tests.stores.shared.support import drain, happens, node
from tests.stores.shared_store import new_namespace, patience
from tests.stores.support import claim, limit, take, taken, used

from fairuse.stores.protocol import Exceeded, Outcome, Receipt
from fairuse.stores.shared import teller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.redis_servers import RedisServer
    from tests.stores.shared.support import Opens, Pair

    from fairuse.base.clock import ManualClock

pytestmark = REDIS_MARKS

THREE = limit("three", 3, "1 hour")
WIDE = limit("wide", 1_280, "1 hour")
AT_ONCE = limit("at-once", 3, "always", measure="in flight")
SEATS = limit("seats", 2, "calendar day", over="deny user", measure="users")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a server that may be restarted."""
    with redis_server(tmp_path) as running:
        yield running


def test_a_server_that_forgets_scripts_is_told_again(
    pair: Pair, clock: ManualClock, server: RedisServer
) -> None:
    """F-43: SCRIPT FLUSH between calls is noticed by nobody."""
    one, other = pair
    for store in (one, other, one):
        server.ask("SCRIPT", "FLUSH")
        store.settle(
            taken(store, clock, claim(THREE, clock.wall)), Outcome.ACCEPTED, {}, clock.now()
        )
        assert not store.shared.away
    server.ask("SCRIPT", "FLUSH")
    assert isinstance(take(other, clock, claim(THREE, clock.wall)), Exceeded)
    server.ask("SCRIPT", "FLUSH")
    assert used(one, clock) == {"three": 3}


def test_counts_that_are_lost_are_the_customers(
    pair: Pair, clock: ManualClock, server: RedisServer
) -> None:
    """F-43: where a failover loses what was counted, it is used once more, and no error."""
    one, other = pair
    for _ in range(3):
        receipt = taken(one, clock, claim(THREE, clock.wall))
        one.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    forgotten(server, one.namespace)
    assert used(other, clock) == {}
    assert drain(other, clock, claim(THREE, clock.wall)) == 3
    assert isinstance(take(one, clock, claim(THREE, clock.wall)), Exceeded)


def test_what_is_held_survives_a_failover(
    strict: Pair, clock: ManualClock, server: RedisServer
) -> None:
    """F-43, E11: what is open is told as a whole again, so a server that lost it has it soon."""
    one, other = strict
    receipts = [
        taken(one, clock, claim(THREE, clock.wall, 2)),
        taken(one, clock, claim(AT_ONCE, clock.wall)),
        taken(one, clock, claim(SEATS, clock.wall, member="anna")),
    ]
    forgotten(server, one.namespace)
    clock.advance(4)
    one.sweep(clock.now())
    assert used(other, clock) == {"three": 2, "at-once": 1, "seats": 1}
    assert isinstance(take(other, clock, claim(THREE, clock.wall, 2)), Exceeded)
    for receipt in receipts:
        one.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    assert used(other, clock) == {"three": 2, "at-once": 0, "seats": 1}


def test_a_lease_of_a_server_that_forgot_it(
    opens: Opens, clock: ManualClock, server: RedisServer
) -> None:
    """F-43: what was leased before a failover is spent once at most, and told of."""
    one, other = opens(), opens()
    one.settle(taken(one, clock, claim(WIDE, clock.wall)), Outcome.ACCEPTED, {}, clock.now())
    forgotten(server, one.namespace)
    first = drain(other, clock, claim(WIDE, clock.wall))
    second = drain(one, clock, claim(WIDE, clock.wall))
    assert first == 1_280
    assert second <= 16
    assert used(other, clock) == {"wide": first + second}


@pytest.mark.anyio
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])
async def test_a_server_that_comes_back_empty(
    own: RedisServer, monkeypatch: pytest.MonkeyPatch, *, strict: bool
) -> None:
    """F-43: through a restart every request is decided, and counting goes on from nothing."""
    monkeypatch.setattr(teller, "PROBE_SECONDS", PROBES)
    with patience():
        async with node(own.url, new_namespace(), strict=strict) as one:
            await one.count(THREE, 2)
            await asyncio.to_thread(own.kill)
            for _ in range(5):
                assert isinstance(await one.reserve(THREE), Receipt | Exceeded)
            await happens(lambda: bool(one.counters.away))
            await asyncio.to_thread(own.start)
            await happens(lambda: not one.counters.away)
            await one.count(THREE, 2)
            assert (await one.used())["three"] <= 3


@pytest.mark.anyio
async def test_a_server_that_is_full_is_no_server(
    own: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-37, F-43: where nothing can be written, each limit has its rule until something can."""
    monkeypatch.setattr(teller, "PROBE_SECONDS", PROBES)
    with patience():
        async with node(own.url, new_namespace()) as one:
            await one.count(THREE)
            own.ask("CONFIG", "SET", "maxmemory", 1)
            assert [isinstance(await one.reserve(THREE), Receipt) for _ in range(3)] == [
                *(True, True, False)
            ]
            with watched(one) as watch:
                await happens(lambda: len(watch.tallies) >= 3)
                assert one.counters.away
            own.ask("CONFIG", "SET", "maxmemory", 0)
            await happens(lambda: not one.counters.away)
            await one.count(THREE, 2)
            assert await one.used() == {"three": 3}


@pytest.mark.anyio
async def test_a_server_that_is_busy_is_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-43: BUSY is an answer that nobody waits for, and no error of a request."""
    monkeypatch.setattr(teller, "PROBE_SECONDS", PROBES)
    with patience(), redis_server(tmp_path, options=("--busy-reply-threshold", "1")) as busy:
        async with node(busy.url, new_namespace()) as one:
            await one.count(THREE)
            endless = asyncio.create_task(asyncio.to_thread(_run_endlessly, busy))
            await happens(lambda: _is_busy(busy))
            assert [isinstance(await one.reserve(THREE), Receipt) for _ in range(3)] == [
                *(True, True, False)
            ]
            assert "BUSY" in one.counters.away
            busy.ask("SCRIPT", "KILL")
            await endless
            await happens(lambda: not one.counters.away)
            await one.count(THREE, 2)
            assert await one.used() == {"three": 3}


def _run_endlessly(server: RedisServer) -> None:
    with pytest.raises(ResponseError, match="SCRIPT KILL"):
        server.ask("EVAL", "while true do end", 0)


def _is_busy(server: RedisServer) -> bool:
    try:
        server.ask("GET", "key")
    except ResponseError as error:
        return "BUSY" in str(error)
    return False


def forgotten(server: RedisServer, namespace: str) -> None:
    """Have a server forget what it has of a namespace, as one that lost its last writes."""
    keys = server.ask("KEYS", f"{namespace}:*")
    assert keys
    server.ask("DEL", *keys)
