"""Connections are kept for the next request, and not for longer than they are any good."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import (
    BOTH,
    HEAD,
    OK,
    Asking,
    Line,
    Make,
    always,
    ask,
    before,
    begin,
    once,
    pieces,
    post,
)

from fairuse.base.errors import UpstreamBroken
from fairuse.base.hop import pool, through_httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.base.hop.support import Script

pytestmark = pytest.mark.anyio


@BOTH
async def test_the_next_request_goes_over_the_same_connection(make: Make) -> None:
    """HTTP-34 (keep-alive): one after the other, a hundred requests need one connection."""
    async with before(always(OK), make) as (upstream, origin):
        for _ in range(100):
            assert (await ask(upstream, origin.url)).body == b"ok"
        assert origin.lines == 1


async def test_the_connection_used_last_is_used_next() -> None:
    """HTTP-34 (keep-alive): last in, first out, so what is not needed any more gets idle."""
    served: list[int] = []
    both = asyncio.Event()

    async def script(line: Line) -> None:
        while True:
            await line.head()
            served.append(line.number)
            if len(served) == 2:
                both.set()
            await both.wait()
            await line.say(OK)

    async with before(script) as (upstream, origin):
        first = await asyncio.gather(*(begin(upstream, origin.url) for _ in range(2)))
        for reply in first:
            assert reply.whole == b"ok"
            await reply.close()
        for _ in range(3):
            await ask(upstream, origin.url)
        assert len(set(served[2:])) == 1
        assert origin.lines == 2


@BOTH
async def test_an_idle_connection_is_closed_in_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP-34: a connection idle for longer than origins wait is not used again."""
    for module in (pool, through_httpx):
        monkeypatch.setattr(module, "KEEPALIVE_SECONDS", 0)
    async with before(always(OK), make) as (upstream, origin):
        for number in (1, 2, 3):
            assert (await ask(upstream, origin.url)).body == b"ok"
            if make is not through_httpx.HttpxClient:  # that one looks only when it is asked
                await origin.left()
            assert origin.lines == number


async def test_an_unused_idle_connection_is_closed_without_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTP-34: idle connections go by themselves, not only when the next request looks."""
    monkeypatch.setattr(pool, "KEEPALIVE_SECONDS", 0.01)
    async with before(always(OK)) as (upstream, origin):
        await asyncio.gather(*(ask(upstream, origin.url) for _ in range(5)))
        await origin.left()
        assert origin.open == 0


def stale(over: Callable[[Line], None]) -> Script:
    """Answer a request on the first connection, and end that as the second one comes."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(OK)
        await line.head()
        over(line)

    async def first_or_later(line: Line) -> None:
        await (script if line.number == 1 else always(OK))(line)

    return first_or_later


ENDS = pytest.mark.parametrize(
    "over", [Line.reset, lambda line: line.writer.close()], ids=["reset", "closed"]
)


@ENDS
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_a_repeatable_request_is_sent_once_more(
    over: Callable[[Line], None], method: str
) -> None:
    """HTTP-34: closed as the request was under way: it is sent once more, on a new connection."""
    async with before(stale(over)) as (upstream, origin):
        await ask(upstream, origin.url)
        assert (await ask(upstream, origin.url, Asking(method))).status == 200
        assert origin.lines == 2


@ENDS
async def test_a_repeatable_request_whose_body_is_here_is_sent_once_more(
    over: Callable[[Line], None],
) -> None:
    """HTTP-34: a PUT that was read whole is repeated whole (RFC 9110 section 9.2.2)."""
    put = post(b"one", 3)._replace(method="PUT")
    async with before(stale(over)) as (upstream, origin):
        await ask(upstream, origin.url)
        assert (await ask(upstream, origin.url, put)).status == 200
        assert origin.lines == 2


@ENDS
@pytest.mark.parametrize(
    "make_asking",
    [
        lambda: Asking("POST"),
        lambda: Asking("PATCH"),
        lambda: post(pieces(b"one")),
        lambda: post(b"one", 3),
        lambda: post(pieces(b"one"), 3)._replace(method="PUT"),
    ],
    ids=["a POST", "a PATCH", "a POST with a body", "a POST all here", "a PUT with a body"],
)
async def test_another_request_is_never_sent_twice(
    over: Callable[[Line], None], make_asking: Callable[[], Asking]
) -> None:
    """HTTP-34, F-47: what may not arrive twice, or whose body is begun, is not sent again."""
    async with before(stale(over)) as (upstream, origin):
        await ask(upstream, origin.url)
        with pytest.raises(UpstreamBroken):
            await ask(upstream, origin.url, make_asking())
        assert origin.lines == 1


async def test_it_is_sent_once_more_and_no_more_often() -> None:
    """HTTP-34: when the new connection is closed too, that is the answer."""

    async def script(line: Line) -> None:
        await line.head()
        if line.number == 1:
            await line.say(OK)
            await line.head()

    async with before(script) as (upstream, origin):
        await ask(upstream, origin.url)
        with pytest.raises(UpstreamBroken):
            await ask(upstream, origin.url)
        assert origin.lines == 2


async def test_a_new_connection_that_is_closed_is_no_reason_to_ask_again() -> None:
    """HTTP-34: only a connection that was idle may be stale."""

    async def script(line: Line) -> None:
        await line.head()

    async with before(script) as (upstream, origin):
        with pytest.raises(UpstreamBroken):
            await ask(upstream, origin.url)
        assert origin.lines == 1


async def test_after_the_first_byte_nothing_is_sent_again() -> None:
    """HTTP-34, F-47: an answer that was begun is not asked for again."""

    async def script(line: Line) -> None:
        await line.head()
        await line.say(OK)
        await line.head()
        await line.say(b"H")

    async with before(script) as (upstream, origin):
        await ask(upstream, origin.url)
        with pytest.raises(UpstreamBroken):
            await ask(upstream, origin.url)
        assert origin.lines == 1


@BOTH
async def test_a_post_never_goes_over_a_connection_known_to_be_closed(make: Make) -> None:
    """HTTP-34: what the origin closed while it was idle is found out before anything is sent."""
    async with before(one_answer_a_line, make) as (upstream, origin):
        for number in range(1, 6):
            answer = await ask(upstream, origin.url, Asking("POST"))
            assert answer.body == b"ok"
            await origin.left()
            assert origin.lines == number


async def one_answer_a_line(line: Line) -> None:
    """Answer once, and close without a word about it."""
    await line.head()
    await line.say(OK)


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["Connection: close", "HTTP/1.0"],
)
async def test_an_origin_that_wants_no_more_gets_no_more(make: Make, answer: bytes) -> None:
    """HTTP-34: after `Connection: close`, or HTTP/1.0, the next request has its own connection."""
    async with before(once(answer), make) as (upstream, origin):
        for number in (1, 2):
            assert (await ask(upstream, origin.url)).body == b"ok"
            assert origin.lines == number


async def test_a_connection_on_which_head_was_asked_is_not_used_again() -> None:
    """HTTP-7, HTTP-35: a HEAD keeps the length, has no body, and ends its connection."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    async with before(always(answer)) as (upstream, origin):
        for number in (1, 2):
            reply = await begin(upstream, origin.url, HEAD)
            assert reply.headers == [(b"content-length", b"5")]
            assert reply.whole == b""
            await reply.close()
            assert origin.lines == number
