"""The server in front: how connections end, and who is told; and one write for one answer."""

from __future__ import annotations

import asyncio
import socket
import struct
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

from fairuse.base.hangup import EXTENSION, HangUp
from fairuse.entry import protocol
from fairuse.entry.corked import FULL_BYTES, CorkedTransport

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from fairuse.entry.protocol import HttpProtocol

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
BAD_CHUNK = POST + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n"


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    """Name each of the loops."""
    name: str = request.param
    return name


async def early(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer before the body is read, and close."""
    headers = [(b"content-length", b"2"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b"no"})


class Waiting:
    """An app that answers none of its requests until it is let."""

    def __init__(self) -> None:
        self.hangups: list[HangUp] = []
        self.asked = threading.Event()
        self.told = threading.Event()
        self.let = asyncio.Event()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        hangup = scope["extensions"][EXTENSION]
        hangup.watch(self.told.set)
        self.hangups.append(hangup)
        self.asked.set()
        await self.let.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    def answer(self, server: Bounded) -> None:
        """Let it answer."""
        assert server.loop is not None
        server.loop.call_soon_threadsafe(self.let.set)


@pytest.mark.parametrize("bad", [b"\x00\r\n\r\n", b"GET / HTTP/1.1\r\nA B: 1\r\n\r\n", BAD_CHUNK])
def test_who_writes_no_http_can_read_so(loop: str, bad: bytes) -> None:
    """F-5, F-4 (the answer): 400 and the end; no reset, though the client goes on sending."""
    with Bounded(Echo(), loop) as server, connected(server) as client:
        client.sendall(bad + b"x" * 200_000)
        received = until(client, b"\r\n\r\n")
        assert b"connection: close" in received
        client.sendall(b"x" * 200_000)
        assert statuses(received + rest(client)) == [400]


def test_a_bad_request_waits_for_its_turn(loop: str) -> None:
    """HTTP-52 (order): 400 comes after the answers to the requests before, and never into one."""
    app = Waiting()
    with Bounded(app, loop) as server, connected(server) as client:
        client.sendall(GET + GET + b"\x00")
        assert app.asked.wait(20)
        client.sendall(b"more")
        app.answer(server)
        assert statuses(rest(client)) == [200, 200, 400]


def test_a_queued_body_that_is_bad_is_refused_in_turn(loop: str) -> None:
    """HTTP-52 (order), F-4: a queued request that turns out bad is not begun; it gets its 400."""
    app = Waiting()
    with Bounded(app, loop) as server, connected(server) as client:
        client.sendall(GET + BAD_CHUNK)
        assert app.asked.wait(20)
        app.answer(server)
        assert statuses(rest(client)) == [200, 400]
    assert len(app.hangups) == 1


def test_a_bad_body_of_an_answer_under_way_ends_it(loop: str) -> None:
    """F-4 (answer begun): nothing is said into an answer; it is cut, and its app is told."""
    app = Waiting()

    async def begins(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await app(scope, receive, send)

    with Bounded(begins, loop) as server, connected(server) as client:
        client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        received = until(client, b"\r\n\r\n")
        client.sendall(b"no size\r\n")
        assert (statuses(received), rest(client)) == ([200], b"")
        assert app.told.wait(20)
        app.answer(server)


def test_the_second_begins_when_the_first_is_over(loop: str) -> None:
    """HTTP-52: of requests sent together one at a time is begun, and all are answered in order."""
    app = Waiting()
    with Bounded(app, loop) as server, connected(server) as client:
        client.sendall(GET * 3 + LAST)
        assert app.asked.wait(20)
        begun = len(app.hangups)
        app.answer(server)
        received = rest(client)
    assert (begun, statuses(received)) == (1, [200] * 4)
    assert received.count(b"/last") == 1


def test_so_many_requests_wait_on_a_connection(loop: str) -> None:
    """HTTP-52 (bounded): of requests sent together a number is kept; the rest gets 503."""
    app = Waiting()
    with Bounded(app, loop) as server, connected(server) as client:
        client.sendall(GET * 100)
        assert app.asked.wait(20)
        app.answer(server)
        assert statuses(rest(client)) == [200] * protocol.MAX_PIPELINED + [503]


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"])
def test_an_unread_body_is_no_request(loop: str, close: bytes) -> None:
    """F-11: the body of a request refused before it was read is never taken for the next one."""
    begun = []

    async def counts(scope: Scope, receive: Receive, send: Send) -> None:
        begun.append(scope["path"])
        await early(scope, receive, send)

    with Bounded(counts, loop) as server:
        assert statuses(ask(server, POST + close + b"Content-Length: 900\r\n\r\n" + GET * 10)) == [
            401
        ]
    assert begun == ["/"]


def test_who_uploads_reads_why_it_was_refused(loop: str) -> None:
    """F-11, HTTP-28: closing waits for a client that sends, and discards what it sends."""
    with Bounded(early, loop) as server, connected(server) as client:
        client.sendall(POST + b"Content-Length: 800000\r\n\r\n")
        until(client, b"\r\n\r\nno")
        client.sendall(b"x" * 800_000)
        assert rest(client) == b""


def test_who_never_stops_is_cut_off(loop: str) -> None:
    """F-11 (bounded): a client that sends on and on is not listened to for ever."""
    with Bounded(early, loop) as server, connected(server) as client:
        client.sendall(POST + b"Content-Length: 100000000\r\n\r\n")
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            client.sendall(b"x" * 100_000_000)


def test_requests_are_told_that_the_client_is_gone(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP-30, HTTP-52: a hang-up is told to the request in hand, and to those that wait."""
    made: list[HangUp] = []

    def make() -> HangUp:
        made.append(HangUp())
        return made[-1]

    monkeypatch.setattr(protocol, "HangUp", make)
    app = Waiting()
    with Bounded(app, loop) as server:
        with connected(server) as client:
            client.sendall(GET * 3)
            assert app.asked.wait(20)
        assert app.told.wait(20)
        server.run(asyncio.sleep(0))
        app.answer(server)
    assert [hangup.happened for hangup in made] == [True] * 3


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    "sent",
    [POST + b"Content-Length: 200000\r\n\r\n" + b"x" * 100_000, GET * 20],
    ids=["a body that is not read", "requests that wait"],
)
def test_a_hang_up_is_noticed_where_nothing_is_read(loop: str, sent: bytes, *, reset: bool) -> None:
    """HTTP-30, HTTP-32: back-pressure hides no hang-up for longer than heads and writes take."""
    app = Waiting()
    with Bounded(app, loop, head_timeout=1, write_timeout=0.2) as server:
        with connected(server) as client:
            client.sendall(sent)
            assert app.asked.wait(20)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert app.told.wait(20)
        app.answer(server)


def test_who_waits_for_us_to_read_is_not_gone(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP-32: a client that is there is not taken for gone, however long nothing is read."""
    app = Waiting()
    looked = threading.Semaphore(0)
    with Bounded(app, loop, head_timeout=1, write_timeout=0.05) as server:
        look = server.protocol._look

        def noted(connection: HttpProtocol) -> None:
            look(connection)
            looked.release()

        monkeypatch.setattr(server.protocol, "_look", noted)
        with connected(server) as client:
            client.sendall(POST + b"Content-Length: 200000\r\n\r\n" + b"x" * 100_000)
            assert app.asked.wait(20)
            assert all(looked.acquire(timeout=20) for _ in range(3))
            app.answer(server)
            client.sendall(b"x" * 100_000 + LAST)
            assert statuses(rest(client)) == [200, 200]


def test_an_answered_request_is_told_nothing(loop: str) -> None:
    """HTTP-30: a client that leaves after its answer has not hung up on it."""
    app = Waiting()
    app.let.set()
    with Bounded(app, loop) as server:
        ask(server, GET + LAST)
    assert [hangup.happened for hangup in app.hangups] == [False, False]


class Sent(asyncio.Transport):
    """A transport that notes with how many calls what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Note one call."""
        self.calls.append(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        """Note one call."""
        self.calls.append(b"".join(list_of_data))

    def is_closing(self) -> bool:
        """Say whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Close."""
        self.closed = True


@pytest.mark.anyio
async def test_what_is_written_in_a_turn_is_one_write() -> None:
    """HTTP-33: head and body go with one call, and no later than the turn they were written in."""
    sent = Sent()
    corked = CorkedTransport(sent, asyncio.get_running_loop())
    for part in (b"head", b"", b"body"):
        corked.write(part)
    assert sent.calls == []
    await asyncio.sleep(0)
    assert sent.calls == [b"headbody"]
    corked.write(b"event")
    await asyncio.sleep(0)
    assert sent.calls == [b"headbody", b"event"]


@pytest.mark.anyio
async def test_much_is_sent_at_once_and_the_end_before_closing() -> None:
    """HTTP-32: a full buffer does not wait, so that back-pressure is felt; closing sends all."""
    sent = Sent()
    corked = CorkedTransport(sent, asyncio.get_running_loop())
    corked.write(b"head")
    corked.write(b"x" * FULL_BYTES)
    assert [len(call) for call in sent.calls] == [FULL_BYTES + 4]
    corked.writelines([b"last ", b"words"])
    corked.close()
    assert (sent.calls[1:], sent.closed) == ([b"last words"], True)


def test_a_slow_reader_holds_its_answer_up(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP-32: an app waits for a client that does not read, and the answer then comes whole."""
    paused = threading.Event()

    async def streams(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"15000000"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for part in range(150):
            body = (b"%d" % (part % 10)) * 100_000
            await send({"type": "http.response.body", "body": body, "more_body": part < 149})

    with Bounded(streams, loop) as server:
        pause = server.protocol.pause_writing

        def noted(connection: HttpProtocol) -> None:
            pause(connection)
            paused.set()

        monkeypatch.setattr(server.protocol, "pause_writing", noted)
        with connected(server) as client:
            client.sendall(GET)
            assert paused.wait(20)
            body = rest(client).partition(b"\r\n\r\n")[2]
    assert body == b"".join((b"%d" % (part % 10)) * 100_000 for part in range(150))
