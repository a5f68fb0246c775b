"""Requests' bodies arrive as they were given, and end with the exchange."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import BOTH, CHUNKED, OK, Line, Make, ask, before, begin, pieces, post

from fairuse.base.hop.framing import Framing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.base.hop.support import Script

pytestmark = pytest.mark.anyio

EVERY_BYTE = bytes(range(256))


class Gone(Exception):
    """The client hung up."""


async def unchunked(line: Line) -> bytes:
    """Read a body in chunks."""
    body = b""
    while size := int(await line.reader.readline(), 16):
        body += await line.reader.readexactly(size)
        assert await line.reader.readexactly(2) == b"\r\n"
    assert await line.reader.readexactly(2) == b"\r\n"
    return body


@BOTH
async def test_a_body_with_a_length_arrives_byte_true(make: Make) -> None:
    """HTTP-43: the announced length is kept, and no byte of it is changed or added."""
    got: list[bytes] = []

    async def script(line: Line) -> None:
        for _ in range(3):
            head = await line.head()
            assert b"content-length: 512\r\n" in head
            assert b"transfer-encoding" not in head.lower()
            got.append(await line.reader.readexactly(512))
            await line.say(OK)
        got.append(await line.gone())

    async with before(script, make) as (upstream, origin):
        for _ in range(3):
            asking = post(pieces(EVERY_BYTE, b"", EVERY_BYTE), 512)
            assert (await ask(upstream, origin.url, asking)).body == b"ok"
        assert origin.lines == 1
    assert got == [EVERY_BYTE * 2] * 3 + [b""]


@BOTH
async def test_a_body_in_chunks_arrives_byte_true(make: Make) -> None:
    """HTTP-44: chunks stay chunks, none is dropped, and an empty piece does not end them."""
    got: list[bytes] = []

    async def script(line: Line) -> None:
        for _ in range(3):
            head = await line.head()
            assert b"transfer-encoding: chunked\r\n" in head
            assert b"content-length" not in head.lower()
            got.append(await unchunked(line))
            await line.say(OK)
        got.append(await line.gone())

    async with before(script, make) as (upstream, origin):
        for _ in range(3):
            asking = post(pieces(EVERY_BYTE, b"", b"\r\n0\r\n\r\n", EVERY_BYTE * 1_000))
            assert (await ask(upstream, origin.url, asking)).body == b"ok"
        assert origin.lines == 1
    assert got == [EVERY_BYTE + b"\r\n0\r\n\r\n" + EVERY_BYTE * 1_000] * 3 + [b""]


@BOTH
@pytest.mark.parametrize("length", [None, 0], ids=["chunks", "length"])
async def test_a_body_may_be_empty(make: Make, length: int | None) -> None:
    """HTTP-43, HTTP-44: an empty body is framed as it was announced."""

    async def script(line: Line) -> None:
        await line.head()
        if length is None:
            assert await unchunked(line) == b""
        await line.say(OK)
        assert await line.gone() == b""

    async with before(script, make) as (upstream, origin):
        assert (await ask(upstream, origin.url, post(pieces(), length))).body == b"ok"


@pytest.mark.parametrize(("length", "body"), [(5, [b"four"]), (5, [b"four", b"four"]), (0, [b"x"])])
async def test_a_body_is_as_long_as_announced(length: int, body: list[bytes]) -> None:
    """HTTP-35, HTTP-43: a body that is longer or shorter would be read as another request."""
    heard: list[bytes] = []

    async def script(line: Line) -> None:
        await line.head()
        heard.append(await line.gone())

    async with before(script) as (upstream, origin):
        with pytest.raises(ValueError, match="than announced"):
            await ask(upstream, origin.url, post(pieces(*body), length))
        await origin.left()
        assert len(b"".join(heard)) <= length


def test_the_fields_say_how_a_body_is_framed() -> None:
    """HTTP-43, HTTP-44: chunks in whatever spelling, a length, or nothing at all."""
    assert Framing([(b"transfer-encoding", b"Chunked")]).piece(b"ab") == b"2\r\nab\r\n"
    assert Framing([(b"content-length", b"2")]).piece(b"ab") == b"ab"
    assert Framing([]).end() == b""


async def test_an_answer_may_come_while_the_request_goes_on() -> None:
    """HTTP-32: both ways at once, as far as the origin wants it."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(CHUNKED)
        while size := int(await line.reader.readline(), 16):
            await line.say(b"%x\r\n" % size + await line.reader.readexactly(size + 2))
        await line.reader.readexactly(2)
        await line.say(b"0\r\n\r\n")
        await line.gone()

    echoed = asyncio.Queue[bytes]()

    async def body() -> AsyncIterator[bytes]:
        yield b"0"
        for _ in range(9):
            yield b"%d" % (int(await echoed.get()) + 1)

    async with before(script) as (upstream, origin):
        reply = await begin(upstream, origin.url, post(body()))
        got = []
        async for chunk in reply.chunks():
            got.append(chunk)
            echoed.put_nowait(chunk)
        await reply.close()
        assert got == [b"%d" % number for number in range(10)]


async def gone_after(*data: bytes) -> AsyncIterator[bytes]:
    """Give some of a body, and hang up."""
    for piece in data:
        yield piece
    raise Gone


def waiting(answer: bytes) -> Script:
    """Answer early with the beginning of an answer, and wait for the rest of the request."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(answer)
        await line.gone()

    return script


@BOTH
@pytest.mark.parametrize("data", [[], [b"one"], [b"one", b"two"]])
async def test_a_client_that_hangs_up_ends_the_exchange(make: Make, data: list[bytes]) -> None:
    """HTTP-31, F-46: what the body raises is raised, and the origin is hung up on."""
    async with before(waiting(b""), make) as (upstream, origin):
        with pytest.raises(Gone):
            await ask(upstream, origin.url, post(gone_after(*data)))
        await origin.left()


async def test_a_client_that_hangs_up_later_ends_the_answer() -> None:
    """HTTP-31, F-46: also where the head of the answer is there already."""
    hang_up = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        await hang_up.wait()
        raise Gone
        yield b""

    async with before(waiting(CHUNKED)) as (upstream, origin):
        reply = await begin(upstream, origin.url, post(body()))
        hang_up.set()
        with pytest.raises(Gone):
            assert [chunk async for chunk in reply.chunks()] == []
        await reply.close()
        await origin.left()
