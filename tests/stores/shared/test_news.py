"""A29, A32: a block that one process decides on holds on every node, as long as it says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.fault_proxy import FaultProxy
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.support import happens
from tests.stores.shared_store import new_namespace
from tests.support import NOON

from fairuse.base.errors import StoreError
from fairuse.rules.blocks import EVERY_ACCOUNT, Block
from fairuse.stores.blocks import Blocks
from fairuse.stores.journal import Journal
from fairuse.stores.shared import news
from fairuse.stores.shared.channel import Channel
from fairuse.stores.shared.news import News

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.redis_servers import RedisServer

pytestmark = [*REDIS_MARKS, pytest.mark.anyio]

BLOCK = Block("203.0.113.5", "salon", "burst", NOON, NOON + 300, 0)
LONGER = replace(BLOCK, ends_at=NOON + 900, repetition=1)
EVERYBODY = replace(BLOCK, account=EVERY_ACCOUNT)


class Teller:
    """The blocks of one process, and what it tells and hears of them."""

    def __init__(self, channel: Channel, namespace: str) -> None:
        self.channel = channel
        self.blocks = Blocks(Journal())
        self.news = News(channel, namespace, self.blocks)

    def running(self, moment: float = NOON + 1) -> Block | None:
        """Give the block that holds for the account at its address."""
        return self.blocks.running(BLOCK.address, BLOCK.account, moment)


@asynccontextmanager
async def telling(url: str, namespace: str) -> AsyncIterator[Teller]:
    """Run a process that tells its blocks."""
    channel = Channel(url)
    await channel.connect()
    try:
        yield Teller(channel, namespace)
    finally:
        await channel.close()


@asynccontextmanager
async def two(url: str, other_url: str = "") -> AsyncIterator[tuple[Teller, Teller]]:
    """Run two processes that tell each other."""
    namespace = new_namespace()
    async with telling(url, namespace) as one, telling(other_url or url, namespace) as other:
        yield one, other


async def test_a_block_holds_on_every_node(server: RedisServer) -> None:
    """A29: what one node blocks is blocked on the other as soon as they have exchanged news."""
    async with two(server.url) as (one, other):
        one.blocks.add(BLOCK)
        one.blocks.add(EVERYBODY)
        await one.news.exchange()
        assert other.running() is None
        await other.news.exchange()
        assert other.running() == one.running() == BLOCK
        assert other.blocks.running_for_everybody(BLOCK.address, NOON + 1) == EVERYBODY
        assert other.running(NOON + 300) is None


async def test_who_comes_later_hears_it_too(server: RedisServer) -> None:
    """A32: a process that starts after a block was told finds it at the beginning of the stream."""
    async with two(server.url) as (one, other):
        one.blocks.add(BLOCK)
        await one.news.exchange()
        one.blocks.add(LONGER)
        await one.news.exchange()
        await other.news.exchange()
        assert other.running() == LONGER


@pytest.mark.parametrize("known", [BLOCK, LONGER], ids=["shorter", "longer"])
async def test_the_longer_one_holds(server: RedisServer, known: Block) -> None:
    """A29: of two blocks that two nodes decided on, both keep the longer one."""
    async with two(server.url) as (one, other):
        one.blocks.add(known)
        other.blocks.add(LONGER if known is BLOCK else BLOCK)
        for each in (one, other, one):
            await each.news.exchange()
        assert one.running() == other.running() == LONGER


async def test_what_is_heard_is_told_to_nobody(server: RedisServer) -> None:
    """A29: news is passed on by who made it alone, however many processes hear it."""
    async with two(server.url) as (one, other):
        one.blocks.add(BLOCK)
        for each in (one, other, one, other):
            await each.news.exchange()
        assert server.ask("XLEN", one.news._stream) == 1


async def test_a_block_of_an_outage_is_told_after_it(server: RedisServer) -> None:
    """F-37, A29: what a node blocks while the store is away holds there, and later everywhere."""
    with FaultProxy(server.port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        async with two(url, server.url) as (one, other):
            proxy.mode = "refuse"
            for block in (BLOCK, LONGER):
                one.blocks.add(block)
                with pytest.raises(StoreError):
                    await one.news.exchange()
            assert one.running() == LONGER
            await other.news.exchange()
            assert other.running() is None
            proxy.mode = "pass"
            await one.news.exchange()
            await other.news.exchange()
            assert other.running() == LONGER
            assert server.ask("XLEN", one.news._stream) == 2


async def test_news_goes_on(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-37: neither an outage nor news that nobody understands ends it."""
    monkeypatch.setattr(news, "HEAR_SECONDS", 0.01)
    with FaultProxy(server.port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        async with two(url, server.url) as (one, other):
            running = [asyncio.create_task(each.news.run()) for each in (one, other)]
            proxy.mode = "refuse"
            one.blocks.add(BLOCK)
            for text in ("", "{}", "[]", "null", '{"of": "a newer version"}'):
                server.ask("XADD", one.news._stream, "*", "text", text)
            server.ask("XADD", one.news._stream, "*", "another", "field")
            proxy.mode = "pass"
            await happens(lambda: other.running() == BLOCK)
            other.blocks.add(LONGER)
            await happens(lambda: one.running() == LONGER)
            for task in running:
                task.cancel()
            await asyncio.wait(running)


async def test_a_store_that_comes_back_empty_is_heard(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-43: numbers of news that begin anew, and lower, are heard after an outage."""
    monkeypatch.setattr(news, "HEAR_SECONDS", 0.01)
    with FaultProxy(server.port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        async with two(url, server.url) as (one, other):
            other.blocks.add(BLOCK)
            await other.news.exchange()
            running = asyncio.create_task(one.news.run())
            await happens(lambda: one.running() == BLOCK)
            proxy.mode = "refuse"
            server.ask("DEL", one.news._stream)
            server.ask("XADD", one.news._stream, "1-1", "text", news._text(LONGER))
            await happens(lambda: proxy.open_connections == 0)
            one.blocks.add(EVERYBODY)
            await happens(lambda: one.news._heard == "-")
            proxy.mode = "pass"
            await happens(lambda: one.running() == LONGER)
            running.cancel()
            await asyncio.wait([running])
