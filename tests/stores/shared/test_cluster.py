"""F-43: counters shared over a cluster, where the accounts are on different nodes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import REDIS_MARKS, redis_cluster
from tests.stores.shared.support import Node, drained, node, reserved
from tests.stores.shared_store import new_namespace, patience
from tests.stores.support import claim, limit

from fairuse.stores.protocol import Exceeded, Outcome, Receipt
from fairuse.stores.shared.names import index_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.redis_servers import RedisCluster, RedisServer

pytestmark = [*REDIS_MARKS, pytest.mark.anyio]

THREE = limit("three", 3, "1 hour")
DAILY = limit("daily", 100, "calendar day")
WIDE = limit("wide", 1_280, "1 hour")
AT_ONCE = limit("at-once", 9, "always", measure="in flight")
SEATS = limit("seats", 9, "calendar day", over="deny user", measure="users")
ACCOUNTS = [f"account-{number}" for number in range(12)]
STRICT = pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """Run a cluster of three."""
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@asynccontextmanager
async def two(cluster: RedisCluster, *, strict: bool = False) -> AsyncIterator[tuple[Node, Node]]:
    """Run two nodes that count together over the cluster."""
    namespace = new_namespace()
    with patience():
        async with (
            node(cluster.nodes[0].url, namespace, strict=strict) as one,
            node(cluster.nodes[1].url, namespace, strict=strict) as other,
        ):
            yield one, other


def slot_of(cluster: RedisCluster, counting: Node, account: str) -> int:
    """Give the slot in which the cluster has an account."""
    name = index_name(counting.counters._namespace, account)
    return int(cluster.nodes[0].ask("CLUSTER", "KEYSLOT", name))


def elsewhere(cluster: RedisCluster, slot: int) -> RedisServer:
    """Give a node that a slot is not on."""
    owner = cluster.owner(slot)
    return next(each for each in cluster.nodes if each is not owner)


@STRICT
async def test_accounts_are_counted_on_all_nodes(cluster: RedisCluster, *, strict: bool) -> None:
    """F-43: what two processes count of many accounts is on three nodes, and exact for each."""
    async with two(cluster, strict=strict) as (one, other):
        owners = {cluster.owner(slot_of(cluster, one, account)).port for account in ACCOUNTS}
        assert len(owners) == 3
        for account in ACCOUNTS:
            await one.count(THREE, 2, account=account)
            await other.count(THREE, account=account)
        for account in ACCOUNTS:
            assert isinstance(await one.reserve(THREE, account=account), Exceeded)
            assert await other.used(account) == {"three": 3}
        assert not one.counters.away


@STRICT
async def test_all_or_none_of_an_account(cluster: RedisCluster, *, strict: bool) -> None:
    """F-25, F-43: all limits of an account are on one node, and are decided in one step."""
    async with two(cluster, strict=strict) as (one, other):
        for account in ACCOUNTS[:4]:
            at = one.clock.now()
            for cost, decided in ((2, Receipt), (2, Exceeded), (1, Receipt)):
                claims = [
                    claim(DAILY, at.wall, cost),
                    claim(THREE, at.wall, cost),
                    claim(AT_ONCE, at.wall),
                    claim(SEATS, at.wall, member=f"user-{cost}"),
                ]
                decision = await reserved(one.counters, at, *claims, account=account)
                assert isinstance(decision, decided)
                if isinstance(decision, Receipt):
                    one.settle(decision)
            await one.counters.flush()
            assert await other.used(account) == {
                "daily": 3,
                "three": 3,
                "at-once": 0,
                "seats": 2,
            }


async def test_leases_over_a_cluster(cluster: RedisCluster) -> None:
    """F-23, F-43: leases of several processes come to no more than was agreed."""
    async with two(cluster) as (one, other):
        first, second = await drained(one, WIDE), await drained(other, WIDE)
        await one.counters.close()
        assert first + second + await drained(other, WIDE) == 1_280


@STRICT
async def test_a_slot_moves_while_it_is_counted(cluster: RedisCluster, *, strict: bool) -> None:
    """F-43: a slot that moves to another node takes its counts along, and no request fails."""
    async with two(cluster, strict=strict) as (one, other):
        slot = slot_of(cluster, one, "anna")
        await one.count(DAILY, 10)
        opened = await one.take(DAILY, 5)
        cluster.move_slot(slot, elsewhere(cluster, slot))
        await one.count(DAILY, 10)
        await other.count(DAILY, 10)
        one.settle(opened)
        await one.counters.flush()
        assert await other.used() == {"daily": 35}
        assert one.counters.teller.outages == other.counters.teller.outages == 0


@STRICT
async def test_a_slot_is_on_its_way(cluster: RedisCluster, *, strict: bool) -> None:
    """F-43: while the keys of a slot are on two nodes, counting goes on where they are."""
    async with two(cluster, strict=strict) as (one, other):
        slot = slot_of(cluster, one, "anna")
        await one.count(DAILY, 10)
        with cluster.moving_slot(slot, elsewhere(cluster, slot)):
            await one.count(DAILY, 10)
            await other.count(DAILY, 10)
            assert await other.used() == {"daily": 30}
            fresh = await one.take(limit("fresh", 9, "1 hour"))
            one.settle(fresh, Outcome.ACCEPTED)
            await one.counters.flush()
        assert await other.used() == {"daily": 30, "fresh": 1}
        assert one.counters.teller.outages == other.counters.teller.outages == 0


async def test_scripts_are_forgotten_by_one_node(cluster: RedisCluster) -> None:
    """F-43: a node that knows no script is told it, whichever others do."""
    async with two(cluster) as (one, other):
        for account in ACCOUNTS[:6]:
            await one.count(THREE, account=account)
        cluster.nodes[1].ask("SCRIPT", "FLUSH")
        for account in ACCOUNTS[:6]:
            await one.count(THREE, account=account)
            assert await other.used(account) == {"three": 2}
        assert isinstance(await one.reserve(THREE, account=ACCOUNTS[0]), Receipt)
