"""The server in front: how long a client may take to send what it owes, and to take its answer."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.entry.wire import (
    GET,
    LAST,
    LOOPS,
    Bounded,
    Echo,
    ask,
    connected,
    rest,
    statuses,
    until,
)

from fairuse.entry import deadlines

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from fairuse.entry.protocol import HttpProtocol

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
SOON = 0.2
LATE = 60
"""Long enough for a test to fail rather than to pass by it."""


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin to look at a body's rate soon."""
    monkeypatch.setattr(deadlines, "GRACE_SECONDS", SOON)


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    """Name each of the loops."""
    name: str = request.param
    return name


def patient(**bounds: Any) -> dict[str, Any]:
    """Give bounds that last, but for some."""
    lasting = {"head_timeout": LATE, "keepalive_timeout": LATE, "write_timeout": LATE}
    return {**lasting, **bounds}


class Gate:
    """An app that waits to be let before it reads and answers."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.asked = threading.Event()
        self.echo = Echo()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self.asked.set()
        await self.let.wait()
        await self.echo(scope, receive, send)


def opened(server: Bounded, gate: Gate) -> None:
    """Let the app answer."""
    assert server.loop is not None
    server.loop.call_soon_threadsafe(gate.let.set)


@pytest.mark.parametrize("begin", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"\r\n"])
def test_a_head_is_due(loop: str, begin: bytes) -> None:
    """F-13 (slow head): a head that is not whole in time gets 408, and the connection is closed."""
    with Bounded(Echo(), loop, **patient(head_timeout=SOON)) as server:
        assert statuses(ask(server, begin)) == [408]


def test_a_head_that_drips_is_due_all_the_same(loop: str) -> None:
    """F-13 (dripping head): each byte in time does not make the head come in time."""
    with Bounded(Echo(), loop, **patient(head_timeout=SOON)) as server, connected(server) as client:
        client.settimeout(SOON / 10)
        client.sendall(b"GET /")
        received = b""
        while not received:
            client.sendall(b"x")
            try:
                received = client.recv(65_536)
            except TimeoutError:
                continue
        client.settimeout(20)
        assert statuses(received + rest(client)) == [408]


def test_who_never_asks_is_hung_up_on(loop: str) -> None:
    """F-13 (silence): a new connection without a request is closed like one with half a head."""
    with Bounded(Echo(), loop, **patient(head_timeout=SOON)) as server:
        assert ask(server, b"") == b""


def test_an_idle_connection_is_closed(loop: str) -> None:
    """F-13 (idle): after an answer a connection may be idle for a while, and is then closed."""
    with Bounded(Echo(), loop, **patient(keepalive_timeout=SOON)) as server:
        assert statuses(ask(server, GET)) == [200]


@pytest.mark.parametrize("behind", [b"", GET])
def test_the_next_head_is_due_too(loop: str, behind: bytes) -> None:
    """F-13 (second head): half a head after an answer gets 408, though idling is let last."""
    with Bounded(Echo(), loop, **patient(head_timeout=SOON)) as server, connected(server) as client:
        client.sendall(GET)
        until(client, b"/ ")
        client.sendall(behind + b"GET /")
        assert statuses(rest(client)) == [200, 408][not behind :]


def test_an_answer_may_take_longer_than_a_head(loop: str) -> None:
    """F-13 (slow app): whoever waits for an answer owes nothing; nor does it when it is idle."""
    gate = Gate()
    bounds = patient(head_timeout=SOON)
    with Bounded(gate, loop, **bounds) as server, connected(server) as client:
        client.sendall(GET)
        assert gate.asked.wait(20)
        # Two connections end by their deadline while this one waits.
        assert [statuses(ask(server, b"G")) for _ in range(2)] == [[408], [408]]
        opened(server, gate)
        until(client, b"/ ")
        assert statuses(ask(server, b"G")) == [408]
        client.sendall(LAST)
        assert statuses(rest(client)) == [200]


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 9\r\n\r\nx", b"Transfer-Encoding: chunked\r\n\r\n1\r\nx"]
)
def test_a_body_has_a_least_rate(loop: str, framing: bytes) -> None:
    """F-13 (slow body): a body that stops coming gets 408, and who reads it is cut off."""
    echo = Echo()
    with Bounded(echo, loop, **patient()) as server:
        assert statuses(ask(server, POST + framing)) == [408]
        server.run(echo.cut.wait())


def test_a_fast_beginning_buys_no_long_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-13 (slow body): a body that came fast may not pause for as long as it is ahead."""
    monkeypatch.setattr(deadlines, "MAX_SILENCE_SECONDS", SOON)
    with Bounded(Echo(), **patient()) as server, connected(server) as client:
        client.sendall(POST + b"Content-Length: 1000001\r\n\r\n")
        client.sendall(b"x" * 1_000_000)
        assert statuses(rest(client)) == [408]


def test_a_body_may_come_as_slowly_as_is_said(loop: str) -> None:
    """F-13 (no rate): where no least rate is set, a body may take its time."""
    with (
        Bounded(Echo(), loop, **patient(min_body_rate=0, head_timeout=SOON)) as server,
        connected(server) as client,
    ):
        client.sendall(POST + b"Connection: close\r\nContent-Length: 2\r\n\r\nx")
        assert [statuses(ask(server, b"G")) for _ in range(2)] == [[408], [408]]
        client.sendall(b"x")
        assert statuses(rest(client)) == [200]


@pytest.mark.parametrize("expects", [False, True], ids=["paused", "not asked for"])
def test_a_body_that_is_not_read_is_not_late(loop: str, *, expects: bool) -> None:
    """F-13 (back-pressure), HTTP-27: what we do not take, or did not ask for, is not owed."""
    gate = Gate()
    bounds = patient(head_timeout=SOON)
    with Bounded(gate, loop, **bounds) as server, connected(server) as client:
        expect = b"Expect: 100-continue\r\n" if expects else b""
        head = POST + b"Connection: close\r\nContent-Length: 100000\r\n" + expect + b"\r\n"
        client.sendall(head if expects else head + b"x" * 99_999)
        assert gate.asked.wait(20)
        assert [statuses(ask(server, b"G")) for _ in range(3)] == [[408]] * 3
        opened(server, gate)
        if expects:
            until(client, b"100 Continue\r\n\r\n")
        client.sendall(b"x" * (100_000 if expects else 1))
        assert statuses(rest(client)) == [200]


def test_a_body_left_out_is_not_owed() -> None:
    """HTTP-27, F-13: who is answered instead of told to continue is not cut off for its body."""
    bounds = patient(head_timeout=SOON)
    let = asyncio.Event()

    async def answers(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await let.wait()
        await send({"type": "http.response.body", "body": b"no"})

    with Bounded(answers, **bounds) as server, connected(server) as client:
        client.sendall(POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        until(client, b"\r\n\r\n")
        assert [statuses(ask(server, b"G")) for _ in range(3)] == [[408]] * 3
        assert server.loop is not None
        server.loop.call_soon_threadsafe(let.set)
        assert rest(client).endswith(b"2\r\nno\r\n0\r\n\r\n")


def test_a_late_body_of_an_answered_request_is_cut(loop: str) -> None:
    """F-13 (late body): after the answer there is no 408 any more, only the end."""

    async def answers(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    with Bounded(answers, loop, **patient()) as server:
        assert statuses(ask(server, POST + b"Content-Length: 9\r\n\r\nx")) == [401]


@pytest.mark.parametrize("closes", [False, True], ids=["streaming", "closing"])
def test_a_client_that_reads_nothing_is_cut(
    loop: str, monkeypatch: pytest.MonkeyPatch, *, closes: bool
) -> None:
    """F-13 (slow reader): a client that takes nothing for too long is cut off; its app is told."""
    over = threading.Event()

    async def streams(_scope: Scope, _receive: Receive, send: Send) -> None:
        body = b"x" * 20_000_000
        headers = [(b"content-length", b"%d" % len(body))] if closes else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while not over.is_set():
            await send({"type": "http.response.body", "body": body, "more_body": not closes})
            if closes:
                return

    with Bounded(streams, loop, **patient(write_timeout=SOON)) as server:
        lost = server.protocol.connection_lost

        def noted(protocol: HttpProtocol, error: Exception | None) -> None:
            lost(protocol, error)
            over.set()

        monkeypatch.setattr(server.protocol, "connection_lost", noted)
        with connected(server) as client:
            client.sendall(LAST if closes else GET)
            assert over.wait(20)
