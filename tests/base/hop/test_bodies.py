"""Answers' bodies arrive as they were sent, and never end cleanly where they were cut off."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import (
    BOTH,
    CHUNKED,
    OK,
    Line,
    Make,
    always,
    ask,
    before,
    begin,
    once,
)

from fairuse.base.errors import UpstreamBroken
from fairuse.base.hop.through_httpx import HttpxClient

if TYPE_CHECKING:
    from fairuse.base.hop.upstream import Answered

pytestmark = pytest.mark.anyio

WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
DELIMITED = b"HTTP/1.1 200 OK\r\n\r\n"
GZIPPED = b"\x1f\x8b\x08\x00no gzip at all\x00\xff"


@BOTH
@pytest.mark.parametrize(
    "head", [DELIMITED, b"HTTP/1.0 200 OK\r\n\r\n"], ids=["HTTP/1.1", "HTTP/1.0"]
)
async def test_a_body_may_end_with_its_connection(make: Make, head: bytes) -> None:
    """HTTP-12: without a length the end of the connection is the end, and it is used no more."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(head)
        for _ in range(100):
            await line.say(b"x" * 10_000)

    async with before(script, make) as (upstream, origin):
        for number in (1, 2):
            assert (await ask(upstream, origin.url)).body == b"x" * 1_000_000
            assert origin.lines == number


async def take(reply: Answered, came: list[bytes]) -> None:
    """Read on until the end, noting what came."""
    async for chunk in reply.chunks():
        came.append(chunk)  # noqa: PERF401  what came before an error counts


@BOTH
@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (WITH_LENGTH + b"half", b"half"),
        (WITH_LENGTH, b""),
        (CHUNKED + b"4\r\nhalf\r\n", b"half"),
        (CHUNKED + b"9\r\nhalf", b"half"),
        (CHUNKED + b"4\r\nhalf\r\n0\r\n", b"half"),
        (CHUNKED + b"4\r\nhalf\r\nzz\r\n", b"half"),
        (CHUNKED + b"4\r\nhalfmore\r\n0\r\n\r\n", b"half"),
    ],
    ids=[
        "a length cut short",
        "a length and nothing",
        "chunks without an end",
        "half a chunk",
        "half an end",
        "a chunk that is none",
        "a chunk too long",
    ],
)
async def test_a_body_cut_short_is_an_error_after_its_bytes(
    make: Make, answer: bytes, got: bytes
) -> None:
    """HTTP-13: the head is given and what came of the body, and then it is UpstreamBroken."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(answer)

    async with before(script, make) as (upstream, origin):
        reply = await begin(upstream, origin.url)
        assert reply.status == 200
        assert reply.whole is None
        came: list[bytes] = []
        with pytest.raises(UpstreamBroken):
            await take(reply, came)
        await reply.close()
        # The other client drops what came in one read with the fault.
        assert b"".join(came) == got or make is HttpxClient


@BOTH
@pytest.mark.parametrize("head", [WITH_LENGTH, CHUNKED, DELIMITED], ids=["length", "chunks", "end"])
async def test_a_reset_in_the_middle_is_an_error(make: Make, head: bytes) -> None:
    """HTTP-13: a reset is never the end, also where the end of the connection would be."""
    let = asyncio.Event()

    async def script(line: Line) -> None:
        await line.head()
        await line.say(head)
        await let.wait()
        line.reset()

    async with before(script, make) as (upstream, origin):
        reply = await begin(upstream, origin.url)
        assert reply.status == 200
        let.set()
        with pytest.raises(UpstreamBroken):
            assert [chunk async for chunk in reply.chunks()] == []
        await reply.close()


@pytest.mark.parametrize("head", [WITH_LENGTH, CHUNKED, DELIMITED], ids=["length", "chunks", "end"])
async def test_closing_the_client_is_no_end_either(head: bytes) -> None:
    """HTTP-13: a gateway that stops never makes an answer under way look whole."""
    async with before(once(head)) as (upstream, origin):
        reply = await begin(upstream, origin.url)
        await upstream.close()
        with pytest.raises(UpstreamBroken):
            assert [chunk async for chunk in reply.chunks()] == []
        assert reply.whole is None
        await reply.close()


@BOTH
async def test_bytes_pass_undecoded(make: Make) -> None:
    """HTTP-6: nothing is decoded, and the fields are as they came."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    async with before(always(answer % len(GZIPPED) + GZIPPED), make) as (upstream, origin):
        got = await ask(upstream, origin.url)
        assert got.body == GZIPPED
        assert got.headers[0] == (b"content-encoding", b"gzip")


@BOTH
async def test_each_piece_is_given_as_it_comes(make: Make) -> None:
    """HTTP-33: what the origin has sent is there before it sends more."""
    taken = asyncio.Queue[None]()

    async def script(line: Line) -> None:
        await line.head()
        await line.say(CHUNKED)
        for number in range(10):
            await line.say(b"1\r\n%d\r\n" % number)
            await taken.get()
        await line.say(b"0\r\n\r\n")
        await line.gone()

    async with before(script, make) as (upstream, origin):
        reply = await begin(upstream, origin.url)
        got = []
        async for chunk in reply.chunks():
            got.append(chunk)
            taken.put_nowait(None)
        await reply.close()
        assert got == [b"%d" % number for number in range(10)]


async def test_an_answer_that_is_there_is_given_whole() -> None:
    """HTTP-33: `whole` is the body where all of it is here, and none was taken."""
    async with before(always(OK)) as (upstream, origin):
        reply = await begin(upstream, origin.url)
        assert reply.whole == b"ok"
        assert [chunk async for chunk in reply.chunks()] == [b"ok"]
        assert reply.whole is None
        await reply.close()


@BOTH
async def test_trailers_are_dropped(make: Make) -> None:
    """HTTP-18: fields behind the body never become fields of the answer."""
    trailers = b"X-Account: other\r\nSet-Cookie: a=b\r\n"
    answer = CHUNKED + b"2\r\nok\r\n0\r\n" + trailers + b"\r\n"
    async with before(always(answer), make) as (upstream, origin):
        for _ in range(2):
            assert await ask(upstream, origin.url) == (
                200,
                [(b"transfer-encoding", b"chunked")],
                b"ok",
            )
        assert origin.lines == 1


@pytest.mark.parametrize(
    "endless",
    [b"0\r\nX: ", b"2;", b"2\r\nok\r\n0\r\nX: "],
    ids=["a trailer", "an extension of a chunk", "a trailer after a body"],
)
async def test_what_is_no_body_has_an_end(endless: bytes) -> None:
    """HTTP-18, F-15: a trailer or an extension without an end is not kept until memory is full."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(CHUNKED + endless)
        while True:
            await line.say(b"x" * 60_000)

    async with before(script) as (upstream, origin):
        with pytest.raises(UpstreamBroken, match="too large"):
            await ask(upstream, origin.url)
