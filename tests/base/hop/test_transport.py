"""The client as httpx's transport: what httpx does over its own, it does over ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.base.hop.support import CHUNKED, OK, Line, always, once, serving

from fairuse.base.hop import pool
from fairuse.base.hop.transport import HopTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

NOWHERE = "http://127.0.0.1:9"


async def echo(line: Line) -> None:
    """Answer with the request: its first line, and its body."""
    while True:
        head = await line.head()
        body = b""
        if b"content-length: " in head:
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await line.reader.readexactly(length)
        elif b"chunked" in head:
            while size := int(await line.reader.readline(), 16):
                body += (await line.reader.readexactly(size + 2))[:-2]
            await line.reader.readexactly(2)
        said = head.split(b"\r\n")[0] + b"|" + body
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said))
        await line.say(b"" if head.startswith(b"HEAD") else said)


async def parts() -> AsyncIterator[bytes]:
    """Give a body piece by piece, one of them empty."""
    for part in (b"one", b"", b"two"):
        yield part


async def test_it_carries_httpx_requests() -> None:
    """HTTP-43, HTTP-44: GET, bodies of known and unknown length, and HEAD, on one connection."""
    async with (
        serving(echo) as origin,
        httpx.AsyncClient(transport=HopTransport(), base_url=origin.url) as client,
    ):
        got = await client.get("/a%2Fb", params={"c": "d"})
        assert got.text == "GET /a%2Fb?c=d HTTP/1.1|"
        assert got.http_version == "HTTP/1.1"
        assert (await client.post("/", content=b"body")).text == "POST / HTTP/1.1|body"
        assert (await client.post("/", json={"a": 1})).text == 'POST / HTTP/1.1|{"a":1}'
        assert (await client.post("/", content=parts())).text == "POST / HTTP/1.1|onetwo"
        assert (await client.post("/")).text == "POST / HTTP/1.1|"
        assert (await client.put("/", data={"a": "b"})).text == "PUT / HTTP/1.1|a=b"
        assert origin.lines == 1
        head = await client.head("/")
        assert (head.text, head.headers["content-length"]) == ("", "16")


async def test_answers_can_be_streamed() -> None:
    """HTTP-33: the answer is there with its head, and its body as it comes."""
    let = asyncio.Event()

    async def script(line: Line) -> None:
        while True:
            await line.head()
            await line.say(CHUNKED + b"3\r\none\r\n")
            await let.wait()
            await line.say(b"3\r\ntwo\r\n0\r\n\r\n")

    async with serving(script) as origin, httpx.AsyncClient(transport=HopTransport()) as client:
        async with client.stream("GET", origin.url) as answer:
            assert answer.status_code == 200
            chunks = answer.aiter_raw()
            assert await anext(chunks) == b"one"
            let.set()
            assert await anext(chunks) == b"two"
        let.clear()
        async with client.stream("GET", origin.url) as answer:
            assert answer.status_code == 200
        let.set()
        await origin.left()  # it was left before its end, so its connection is closed


async def test_httpx_itself_keeps_what_it_adds() -> None:
    """HTTP-36: cookies, redirects and decoding are httpx's own, and work as ever."""
    answers = iter(
        [
            b"HTTP/1.1 302 Found\r\nLocation: /next\r\nSet-Cookie: a=b\r\n"
            b"Content-Length: 0\r\n\r\n",
            OK,
        ]
    )
    heads: list[bytes] = []

    async def script(line: Line) -> None:
        for answer in answers:
            heads.append(await line.head())
            await line.say(answer)
        await line.gone()

    async with (
        serving(script) as origin,
        httpx.AsyncClient(transport=HopTransport(), follow_redirects=True) as client,
    ):
        assert (await client.get(origin.url)).text == "ok"
        assert heads[1].startswith(b"GET /next HTTP/1.1\r\n")
        assert b"cookie: a=b\r\n" in heads[1].lower()


BROKEN_OFF = CHUNKED + b"3\r\none\r\nzz"
ERRORS = {
    "no answer": (b"", httpx.ReadTimeout),
    "no HTTP": (b"hello\r\n\r\n", httpx.RemoteProtocolError),
    "a broken body": (BROKEN_OFF, httpx.RemoteProtocolError),
    "half a body": (OK[:-1], httpx.ReadTimeout),
}


@pytest.mark.parametrize("case", ERRORS.values(), ids=ERRORS.keys())
async def test_errors_are_httpx_errors(case: tuple[bytes, type[httpx.TransportError]]) -> None:
    """F-47: what goes wrong has httpx's name, and the request it went wrong with."""
    answer, kind = case
    timeout = httpx.Timeout(None, read=0.02)
    async with (
        serving(once(answer)) as origin,
        httpx.AsyncClient(transport=HopTransport(), timeout=timeout) as client,
    ):
        with pytest.raises(kind) as raised:
            await client.get(origin.url)
        assert raised.value.request.url == origin.url
        await origin.left()


async def test_an_origin_that_is_not_there_is_a_connect_error() -> None:
    """HTTP-48: nothing listens."""
    async with httpx.AsyncClient(transport=HopTransport(), timeout=None) as client:  # noqa: S113
        with pytest.raises(httpx.ConnectError):
            await client.get(NOWHERE)


async def test_connecting_that_takes_too_long_is_a_connect_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTP-48: it is told from an answer that does not come."""

    async def hanging(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(type(asyncio.get_running_loop()), "create_connection", hanging)
    timeout = httpx.Timeout(None, connect=0.02)
    async with httpx.AsyncClient(transport=HopTransport(), timeout=timeout) as client:
        with pytest.raises(httpx.ConnectTimeout):
            await client.get(NOWHERE)


async def test_a_full_pool_is_a_pool_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP-48: no connection came free, also where connecting may take for ever."""
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.02)
    transport = HopTransport(max_connections=1)
    async with (
        serving(once(OK[:-1])) as origin,
        httpx.AsyncClient(transport=transport, timeout=None) as client,  # noqa: S113
        client.stream("GET", origin.url),
    ):
        with pytest.raises(httpx.PoolTimeout):
            await client.get(origin.url)


async def test_what_would_break_a_request_is_not_sent() -> None:
    """HTTP-37, HTTP-43: neither a broken field, nor a body that is not as long as announced."""
    async with serving(always(OK)) as origin, httpx.AsyncClient(transport=HopTransport()) as client:
        with pytest.raises(httpx.LocalProtocolError):
            await client.get(origin.url, headers={"a": "b\r\nc: d"})
        assert origin.lines == 0
        with pytest.raises(httpx.LocalProtocolError):
            await client.post(origin.url, content=parts(), headers={"content-length": "7"})


async def test_other_protocols_are_not_its_business() -> None:
    """HTTP-48: a scheme it does not speak is named as such, and so is a body it can't read."""
    async with httpx.AsyncClient(transport=HopTransport()) as client:
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.get("ftp://127.0.0.1/")
    transport = HopTransport()
    with pytest.raises(httpx.UnsupportedProtocol):
        await transport.handle_async_request(httpx.Request("POST", NOWHERE, content=iter([b"a"])))
    await transport.aclose()


async def test_without_timeouts_it_waits() -> None:
    """F-47: httpx's None is no limit, also where no timeouts are told at all."""
    async with serving(always(OK)) as origin:
        transport = HopTransport()
        answer = await transport.handle_async_request(httpx.Request("GET", origin.url))
        assert await answer.aread() == b"ok"
        await answer.aclose()
        await transport.aclose()
        await origin.left()
