"""Hosting: traffic is what really went in and out, whatever the answer and whoever broke it off."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support import key_of, running, shipped, used_before
from tests.scenarios.support_hosting import (
    MB,
    OTHERS,
    SHOP,
    Client,
    Files,
    fetch,
    move,
    sharing,
)
from tests.support import Served, call, told

from fairuse import FairUse, Gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

GIB = 2**30
PIECE = bytes(65_536)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the shipped hosting policy with ten accounts."""
    return shipped(tmp_path, sharing())


async def traffic(app: FairUse | Gateway) -> int:
    """Give the bytes that are counted for the shop."""
    usage = await (await told(app.service)).usage(SHOP)
    return sum(units for key, units in usage.items() if key.meter == "traffic")


async def test_a_gigabyte_is_a_gigabyte(config: Path, clock: ManualClock) -> None:
    """C01: 1 GiB that is streamed is 1 GiB on the meter, and on what the customer sees."""
    await used_before(config, "traffic", {name: {"2026-10-15T12:00": MB} for name in OTHERS})
    async with running(config, Files(1_024, bytes(2**20)), clock) as fair:
        assert (await fetch(fair)).received == GIB
        assert await traffic(fair) == GIB
        page = (await call(fair, "GET", "/fairuse/usage", key=key_of(SHOP))).json()
        assert [entry["used"] for entry in page["limits"]] == [GIB]
        assert await traffic(fair) == GIB, "the page itself is no traffic"


@pytest.mark.parametrize("status", [200, 206, 404, 500])
async def test_both_ways_count_whatever_the_answer(
    config: Path, clock: ManualClock, status: int
) -> None:
    """C01: bytes in and bytes out, also of what failed."""
    async with running(config, Files(2, bytes(250), status=status), clock) as fair:
        client = await fetch(fair, "POST", client=Client(body=[bytes(600), bytes(400)]))
        assert (client.status, client.received) == (status, 500)
        assert await traffic(fair) == 1_500


async def test_what_others_measured_counts_as_well(config: Path, clock: ManualClock) -> None:
    """C01: traffic past the gateway is told by events, and is on the same meter."""
    async with running(config, Files(1, bytes(250)), clock) as fair:
        await fetch(fair)
        await move(fair, {SHOP: 1_000}, "2026-11-02T13:00")
        assert await traffic(fair) == 1_250


@dataclass(slots=True)
class Broken:
    """An app that fails in the middle of its answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin to answer."""
        if scope["type"] != "http":
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        raise RuntimeError("the disk is gone")


async def test_an_answer_that_breaks_off_counts_as_far_as_it_came(
    config: Path, clock: ManualClock
) -> None:
    """C01: of an answer that fails in the middle, the bytes that were sent count."""
    async with running(config, Broken(), clock) as fair:
        with pytest.raises(RuntimeError, match="the disk is gone"):
            await fetch(fair)
        assert await traffic(fair) == len(PIECE)


@dataclass(slots=True)
class Endless:
    """An upstream that sends a part of a file, and then nothing until the client is gone."""

    pieces: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, without ever coming to an end."""
        if scope["type"] != "http":
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(self.pieces):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass


@asynccontextmanager
async def in_front_of(config: Path, upstream: str, clock: ManualClock) -> AsyncIterator[Gateway]:
    """Run a gateway in front of an upstream on a real socket."""
    settings = config / "gateway.toml"
    settings.write_text(settings.read_text().replace("http://127.0.0.1:9", upstream))
    gateway = Gateway(config, clock=clock, access_stream=None)
    await gateway.service.start()
    try:
        yield gateway
    finally:
        await gateway.service.stop()
        await gateway._forward.close()


async def test_a_download_that_is_broken_off_counts_as_far_as_it_was_sent(
    config: Path, clock: ManualClock
) -> None:
    """C01: a client that hangs up in the middle has used what it was sent until then."""
    sent = 16 * len(PIECE)
    with Served(Endless(16), lifespan="off") as upstream:
        async with in_front_of(config, upstream.url, clock) as gateway:
            client = await fetch(gateway, client=Client(wants=sent))
            assert client.received == sent
            assert await traffic(gateway) == sent


@pytest.mark.parametrize(
    "headers",
    [(), ((b"content-length", b"250000"), (b"content-range", b"bytes 0-249999/1000000000"))],
    ids=["chunked", "ranged"],
)
async def test_an_answer_is_as_large_as_it_went_over_the_wire(
    config: Path, clock: ManualClock, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    """C01: a chunked answer, and a part of a file, are the bytes that came."""
    app = Files(10, bytes(25_000), status=206, headers=headers)
    with Served(app, lifespan="off") as upstream:
        async with in_front_of(config, upstream.url, clock) as gateway:
            client = await fetch(gateway)
            assert (client.status, client.received) == (206, 250_000)
            assert await traffic(gateway) == 250_000
