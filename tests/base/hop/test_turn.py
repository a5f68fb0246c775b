"""Requests of one turn of the loop are written together, and none over a connection gone bad."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest
from tests.base.hop.support import (
    GET,
    OK,
    Asking,
    Line,
    always,
    ask,
    before,
    pieces,
    post,
    serving,
)

from fairuse.base.hop.client import Client
from fairuse.base.hop.turn import MOST_TOGETHER, Turn

pytestmark = pytest.mark.anyio

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


class Sending:
    """A sender on one end of a pair of sockets, that notes what became of its request."""

    def __init__(self, ours: socket.socket, *, used: bool, closed: bool = False) -> None:
        self._ours = ours
        self.used = used
        self.closed = closed
        self.became = ""

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._ours.fileno()

    def write_request(self) -> None:
        """Note that it was written."""
        self.became = "written"

    def not_sent(self) -> None:
        """Note that it was not."""
        self.became = "not sent"

    def fail(self, error: BaseException) -> None:
        """Note that writing failed."""
        self.became = repr(error)


class Broken(Sending):
    """A sender that can't write."""

    def write_request(self) -> None:
        """Fail."""
        raise OSError("broken")


async def test_who_has_input_before_it_asked_is_not_written_to() -> None:
    """HTTP-35: of the requests of one turn, those over poisoned or closed connections don't go."""
    with ExitStack() as stack:
        turn, senders = Turn(asyncio.get_running_loop()), []
        for used, closed, poisoned in [
            (True, False, False),
            (True, False, True),
            (True, True, False),
            (False, False, True),  # who speaks first, before it was asked anything, may be odd
        ]:
            ours, theirs = map(stack.enter_context, socket.socketpair())
            if poisoned:
                theirs.send(POISON)
            senders.append(Sending(ours, used=used, closed=closed))
            turn.add(senders[-1])
        assert [sender.became for sender in senders] == [""] * 4
        await asyncio.sleep(0)
        became = [sender.became for sender in senders]
    assert became == ["written", "not sent", "not sent", "written"]


async def test_a_body_that_is_here_goes_with_its_head() -> None:
    """F-15: an origin that answers as soon as it has a head has the body, and stays connected."""
    heard: list[bytes] = []

    async def script(line: Line) -> None:
        while data := await line.reader.read(65_536):
            heard.append(data)
            await line.say(OK)

    async with before(script) as (upstream, origin):
        for _ in range(5):
            assert (await ask(upstream, origin.url, post(b"ten bytes.", length=10))).body == b"ok"
        assert origin.lines == 1
    assert [data.partition(b"\r\n\r\n")[2] for data in heard] == [b"ten bytes."] * 5


async def test_a_body_that_is_here_is_as_long_as_its_head_says() -> None:
    """HTTP-37: a body of another length than announced is sent nowhere."""
    async with before(always(OK)) as (upstream, origin):
        with pytest.raises(ValueError, match="longer than announced"):
            await ask(upstream, origin.url, post(b"eleven byte", length=10))
        assert (await ask(upstream, origin.url)).body == b"ok"


@pytest.mark.parametrize("asking", [GET, post(b"ten bytes.", length=10)], ids=["GET", "POST"])
async def test_poison_that_comes_before_the_request_is_written_costs_nothing(
    asking: Asking,
) -> None:
    """HTTP-35: what comes after somebody asked, and before he is heard, is nobody's answer."""
    lines: list[Line] = []
    bodies: list[bytes] = []

    async def script(line: Line) -> None:
        lines.append(line)
        await line.head()
        if asking.body and line.number > 1:
            bodies.append(await line.reader.readexactly(10))
        await line.say(OK)
        await line.gone()

    async with before(script) as (upstream, origin):
        await ask(upstream, origin.url)
        asyncio.get_running_loop().call_soon(lines[0].writer.write, POISON)
        assert (await ask(upstream, origin.url, asking)).body == b"ok"
        assert origin.lines == 2
    assert bodies == ([b"ten bytes."] if asking.body else [])


async def test_many_requests_of_a_turn_do_not_wait_for_the_last() -> None:
    """Who asks with many others is written as soon as enough are together."""
    turn, ends = Turn(asyncio.get_running_loop()), socket.socketpair()
    with ends[0], ends[1]:
        senders = [Sending(ends[0], used=False) for _ in range(MOST_TOGETHER + 1)]
        for sender in senders:
            turn.add(sender)
        assert [sender.became for sender in senders] == ["written"] * MOST_TOGETHER + [""]
        await asyncio.sleep(0)
        assert senders[-1].became == "written"


async def test_who_can_not_write_keeps_no_other_from_it() -> None:
    """Of the requests of a turn one that fails is told so, and those after it are written."""
    turn, ends = Turn(asyncio.get_running_loop()), socket.socketpair()
    with ends[0], ends[1]:
        senders = [Broken(ends[0], used=False), Sending(ends[0], used=False)]
        for sender in senders:
            turn.add(sender)
        await asyncio.sleep(0)
    assert [sender.became for sender in senders] == ["OSError('broken')", "written"]


async def test_a_length_that_is_none_costs_no_connection() -> None:
    """HTTP-34: whatever is wrong with a request is found before it has a connection."""
    wrong = post(pieces(b"ten bytes."))._replace(headers=[(b"content-length", b"ten")])
    async with before(always(OK), most=1) as (upstream, origin):
        for _ in range(3):
            with pytest.raises(ValueError, match="invalid literal"):
                await ask(upstream, origin.url, wrong)
        assert (await ask(upstream, origin.url)).body == b"ok"


def test_a_client_that_outlives_its_loop_serves_the_next() -> None:
    """HTTP-34: connections of a loop that is over are no hindrance to the next one's."""
    upstream = Client(1)

    async def once() -> bytes:
        async with serving(once_closing) as origin:
            return (await ask(upstream, origin.url)).body

    async def once_closing(line: Line) -> None:
        await line.head()
        await line.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")

    assert [asyncio.run(once()) for _ in range(2)] == [b"ok", b"ok"]
