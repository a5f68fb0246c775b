"""Bytes that nobody asked for end their connection, and never reach another request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import (
    CHUNKED,
    GET,
    HEAD,
    OK,
    Asking,
    Line,
    always,
    ask,
    before,
    begin,
    once,
)

from fairuse.base.errors import UpstreamBroken

if TYPE_CHECKING:
    from tests.base.hop.support import Script

pytestmark = pytest.mark.anyio

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"
BIG = 262_144
CASES = {
    "an answer too many": (GET, OK + POISON, b"ok"),
    "a body longer than announced": (GET, OK + b"more", b"ok"),
    "more after the last chunk": (GET, CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + POISON, b"ok"),
    "a single byte": (GET, OK + b"x", b"ok"),
    "half an answer": (GET, OK + POISON[:20], b"ok"),
    "an interim answer": (GET, OK + b"HTTP/1.1 103 Early Hints\r\n\r\n", b"ok"),
    "a body after HEAD": (HEAD, OK, b""),
    "an answer after HEAD": (HEAD, OK[:-2] + POISON, b""),
    "chunks after HEAD": (HEAD, CHUNKED + b"2\r\nok\r\n0\r\n\r\n", b""),
    "a body after 204": (GET, b"HTTP/1.1 204 No Content\r\n\r\n" + POISON, b""),
    "a body after 304": (GET, b"HTTP/1.1 304 Not Modified\r\n\r\n" + POISON, b""),
    "a 304 with its body": (
        GET,
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n" % len(POISON) + POISON,
        b"",
    ),
    "a 204 with chunks": (
        GET,
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + POISON,
        b"",
    ),
    "a large surplus": (GET, OK + POISON * 10_000, b"ok"),
}
POISONED = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def first(answer: bytes) -> Script:
    """Give the poisoned answer on the first connection, and good ones on the others."""

    async def script(line: Line) -> None:
        await (once(answer) if line.number == 1 else always(OK))(line)

    return script


@POISONED
async def test_a_connection_with_surplus_bytes_is_never_used_again(
    case: tuple[Asking, bytes, bytes],
) -> None:
    """HTTP-35: who asked gets the right answer, and the next one another connection."""
    asking, answer, body = case
    async with before(first(answer)) as (upstream, origin):
        assert (await ask(upstream, origin.url, asking)).body == body
        assert (await ask(upstream, origin.url)).body == b"ok"
        assert origin.lines == 2


@POISONED
async def test_who_waits_for_the_connection_gets_no_byte_of_it(
    case: tuple[Asking, bytes, bytes],
) -> None:
    """HTTP-35: nor does it go to a request that has waited for it, with room for one alone."""
    asking, answer, body = case
    async with before(first(answer), most=1) as (upstream, origin):
        answers = await asyncio.gather(
            ask(upstream, origin.url, asking), *(ask(upstream, origin.url) for _ in range(3))
        )
        assert [each.body for each in answers] == [body, b"ok", b"ok", b"ok"]
        assert origin.lines == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_poison_while_the_connection_is_idle_ends_it(method: str) -> None:
    """HTTP-35: bytes that come while nothing was asked are nobody's answer."""
    let = asyncio.Event()

    async def script(line: Line) -> None:
        await line.head()
        await line.say(OK)
        if line.number == 1:
            await let.wait()
            await line.say(POISON)
        await line.gone()

    async with before(script) as (upstream, origin):
        await ask(upstream, origin.url)
        let.set()
        await origin.left()
        assert (await ask(upstream, origin.url, Asking(method))).body == b"ok"
        assert origin.lines == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_poison_that_the_loop_has_not_read_yet_is_found(method: str) -> None:
    """HTTP-35: bytes that came while nobody looked are found before the next request is sent."""
    lines: list[Line] = []

    async def script(line: Line) -> None:
        lines.append(line)
        await once(OK)(line)

    async with before(script) as (upstream, origin):
        await ask(upstream, origin.url)
        lines[0].writer.write(POISON)  # to the other side at once, which has not looked since
        assert (await ask(upstream, origin.url, Asking(method))).body == b"ok"
        assert origin.lines == 2


async def test_poison_that_comes_behind_a_whole_read_is_found() -> None:
    """HTTP-35: nor is it safe where one read ends exactly with the body."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    length = BIG - len(head % BIG)
    async with before(first(head % length + b"x" * length + POISON)) as (upstream, origin):
        assert len((await ask(upstream, origin.url)).body) == length
        assert (await ask(upstream, origin.url, Asking("POST"))).body == b"ok"


async def test_a_good_304_and_204_keep_their_connection() -> None:
    """HTTP-35: an empty answer that is no riddle costs no connection."""
    answers = iter(
        [
            b"HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            OK,
        ]
    )

    async def script(line: Line) -> None:
        for answer in answers:
            await line.head()
            await line.say(answer)
        await line.gone()

    async with before(script) as (upstream, origin):
        statuses = [(await ask(upstream, origin.url)).status for _ in range(4)]
        assert statuses == [304, 204, 204, 200]
        assert origin.lines == 1


@pytest.mark.parametrize(
    "field", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"], ids=["length", "chunks"]
)
async def test_an_empty_answer_that_announces_a_body_ends_its_connection(field: bytes) -> None:
    """HTTP-35: the body may come yet, as the beginning of the next answer."""
    answer = b"HTTP/1.1 304 Not Modified\r\n" + field + b"\r\n"
    async with before(always(answer)) as (upstream, origin):
        for number in (1, 2):
            assert (await ask(upstream, origin.url)).body == b""
            assert origin.lines == number


async def test_an_http_1_0_answer_in_chunks_ends_its_connection() -> None:
    """HTTP-35: what an old server says of chunks and keep-alive is not to be relied on."""
    answer = (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n"
    )
    async with before(once(answer)) as (upstream, origin):
        for number in (1, 2):
            assert (await ask(upstream, origin.url)).body == b"ok"
            assert origin.lines == number


async def test_poison_before_the_answer_is_taken_never_mixes_with_it() -> None:
    """HTTP-35: an answer not yet read stays as it was, whatever comes after it."""
    async with before(first(OK + POISON)) as (upstream, origin):
        reply = await begin(upstream, origin.url)
        await origin.left()
        assert b"".join([chunk async for chunk in reply.chunks()]) == b"ok"
        await reply.close()


async def test_two_tenants_share_nothing_but_the_connection() -> None:
    """HTTP-36, F-48: of one exchange nothing goes into the next, in either direction."""
    asked: list[bytes] = []
    answers = iter(
        [
            b"HTTP/1.1 200 OK\r\nSet-Cookie: session=one; Domain=a\r\nX-Secret: one\r\n"
            b"WWW-Authenticate: Basic\r\nContent-Length: 3\r\n\r\none",
            b"HTTP/1.1 302 Found\r\nLocation: http://inner.invalid/\r\nContent-Length: 0\r\n\r\n",
            OK,
        ]
    )

    async def script(line: Line) -> None:
        for answer in answers:
            asked.append(await line.head())
            await line.say(answer)
        await line.gone()

    async with before(script) as (upstream, origin):
        one = Asking(headers=[(b"host", b"a"), (b"cookie", b"key=one"), (b"authorization", b"one")])
        assert (await ask(upstream, origin.url, one)).body == b"one"
        redirect = await ask(upstream, origin.url)
        assert (redirect.status, redirect.body) == (302, b"")
        assert (await ask(upstream, origin.url)).headers == [(b"content-length", b"2")]
        assert asked[1:] == [b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"] * 2
        assert origin.lines == 1


async def test_an_answer_cut_off_by_poison_is_no_answer() -> None:
    """HTTP-35: where the poison comes first, the innocent request is told, and gets no byte."""
    async with before(once(b"POISON" + OK)) as (upstream, origin):
        with pytest.raises(UpstreamBroken):
            await ask(upstream, origin.url)
