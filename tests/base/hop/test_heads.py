"""Heads: what is no head of an answer is refused, and no request is sent with a broken one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import (
    BOTH,
    CHUNKED,
    OK,
    Asking,
    Line,
    Make,
    always,
    ask,
    before,
    begin,
    once,
)

from fairuse.base.errors import UpstreamBroken
from fairuse.base.hop.client import request_head

if TYPE_CHECKING:
    from tests.base.hop.support import Script

pytestmark = pytest.mark.anyio

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
START = b"HTTP/1.1 200 OK\r\n"
BROKEN = {
    "a length and chunks": START + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    "chunks and a length": START + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
    "two lengths": START + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "one length twice": START + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "a list of lengths": START + b"Content-Length: 2, 2\r\n\r\nok",
    "a length with a sign": START + b"Content-Length: +2\r\n\r\nok",
    "another coding": START + b"Transfer-Encoding: gzip\r\n\r\nok",
    "two codings": START + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked twice": START + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n2\r\nok\r\n0\r\n\r\n",
    "a coding like chunked": START + b"Transfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "a bare line feed": START + b"A: b\nC: d\r\nContent-Length: 2\r\n\r\nok",
    "a bare carriage return": START + b"A: b\rC: d\r\nContent-Length: 2\r\n\r\nok",
    "a folded line": START + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "a NUL": START + b"A: b\0c\r\nContent-Length: 2\r\n\r\nok",
    "a space before the colon": START + b"Content-Length : 2\r\n\r\nok",
    "a status above 599": b"HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nok",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "too many fields": START + b"A: b\r\n" * 257 + b"Content-Length: 2\r\n\r\nok",
    "too large fields": START + b"A: " + b"b" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    "a flood of fields": START + (b"A: " + b"b" * 600 + b"\r\n") * 200 + b"\r\n",
    "a flood of hints": HINTS * 17 + OK,
    "an endless hint": b"HTTP/1.1 103 Early Hints\r\nLink: " + b"a" * 100_000,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\n"
    b"Connection: upgrade\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "another language": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTTP/2": b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff",
    "the end of nothing": b"\r\n\r\n",
    "half a head": START + b"Content-Le",
}


def piecemeal(answer: bytes) -> Script:
    """Answer byte by byte, so that each is read alone."""

    async def script(line: Line) -> None:
        await line.head()
        for at in range(min(len(answer), 300)):
            await line.say(answer[at : at + 1])
        await line.say(answer[300:])

    return script


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    """F-10, F-15, HTTP-13: UpstreamBroken, and the connection is closed."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(answer)
        if answer not in (BROKEN["half a head"], BROKEN["the end of nothing"]):
            await line.gone()

    async with before(script) as (upstream, origin):
        with pytest.raises(UpstreamBroken):
            await ask(upstream, origin.url)
        await origin.left()


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
async def test_it_is_refused_in_pieces_too(answer: bytes) -> None:
    """F-10, F-15: how the bytes come makes no difference."""
    async with before(piecemeal(answer)) as (upstream, origin):
        with pytest.raises(UpstreamBroken):
            await ask(upstream, origin.url)


@BOTH
@pytest.mark.parametrize("hints", [1, 5, 16])
async def test_interim_answers_are_not_the_answer(make: Make, hints: int) -> None:
    """HTTP-29: what comes after 103 counts, and nothing of the hints is left in it."""
    async with before(always(HINTS * hints + OK), make) as (upstream, origin):
        for _ in range(2):
            assert await ask(upstream, origin.url) == (200, [(b"content-length", b"2")], b"ok")
        assert origin.lines == 1


async def test_an_answer_in_pieces_is_the_same_answer() -> None:
    """HTTP-29, HTTP-12: hints, fields and chunks are read byte by byte as well."""
    answer = HINTS + CHUNKED.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n")
    async with before(piecemeal(answer + b"1\r\no\r\n1;a=b\r\nk\r\n0\r\n\r\n")) as (
        upstream,
        origin,
    ):
        status, headers, body = await ask(upstream, origin.url)
        assert (status, body) == (200, b"ok")
        assert headers[1:] == [(b"set-cookie", b"a"), (b"set-cookie", b"b")]


async def test_large_answers_with_small_heads_are_no_large_heads() -> None:
    """F-15: what comes in one read with the head is not counted as its bytes."""
    body = b"x" * 1_000_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + body
    async with before(once(answer)) as (upstream, origin):
        assert (await ask(upstream, origin.url)).body == body


async def test_many_small_chunks_are_no_large_head() -> None:
    """F-15: nor are the sizes of chunks, however many there are."""
    answer = CHUNKED + b"1;a=b\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
    async with before(once(answer)) as (upstream, origin):
        assert (await ask(upstream, origin.url)).body == b"x" * 50_000


BREAKING = [
    (b"a", b"b\r\nC: d"),
    (b"a", b"b\nC: d"),
    (b"a", b"b\rC: d"),
    (b"a", b"b\0"),
    (b"a\r\n", b"b"),
    (b"a\n", b"b"),
    (b"a\0", b"b"),
    (b"a", b"b\r\n\r\nGET / HTTP/1.1"),
]


@pytest.mark.parametrize("field", BREAKING)
async def test_no_field_breaks_the_head_of_a_request(field: tuple[bytes, bytes]) -> None:
    """HTTP-37: a CR, LF or NUL in a field is refused before anything is sent."""
    with pytest.raises(ValueError, match="break"):
        request_head("GET", b"/", [(b"host", b"a"), field])
    async with before(always(OK)) as (upstream, origin):
        with pytest.raises(ValueError, match="break"):
            await begin(upstream, origin.url, Asking(headers=[field]))
        assert origin.lines == 0


@pytest.mark.parametrize("path", [b"/\r\nA: b", b"/\n", b"/\0", b"/ HTTP/1.1\r\nA: b\r\n\r\n"])
def test_no_target_breaks_the_head_of_a_request(path: bytes) -> None:
    """HTTP-37: nor does the target of a request."""
    with pytest.raises(ValueError, match="break"):
        request_head("GET", path, [])


def test_other_bytes_pass_as_they_are() -> None:
    """HTTP-37, HTTP-4: latin-1, equal names, their order and the target's spelling stay."""
    head = request_head("GET", b"/a%2Fb//?%zz", [(b"a", b"caf\xe9"), (b"b", b""), (b"a", b"2")])
    assert head == b"GET /a%2Fb//?%zz HTTP/1.1\r\na: caf\xe9\r\nb: \r\na: 2\r\n\r\n"
