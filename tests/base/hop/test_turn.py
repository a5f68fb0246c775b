"""Requests of one turn of the loop are written together, and none over a connection gone bad."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.base.hop.support import OK, Line, ask, before, pieces, post

from fairuse.base.errors import UpstreamBroken
from fairuse.base.hop.turn import Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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


async def test_a_short_body_goes_with_its_head() -> None:
    """F-15: an origin that answers as soon as it has a head has the body, and stays connected."""
    heard: list[bytes] = []

    async def script(line: Line) -> None:
        while data := await line.reader.read(65_536):
            heard.append(data)
            await line.say(OK)

    async with before(script) as (upstream, origin):
        for _ in range(5):
            asking = post(pieces(b"two ", b"pieces"), length=10)
            assert (await ask(upstream, origin.url, asking)).body == b"ok"
        assert origin.lines == 1
    assert [data.partition(b"\r\n\r\n")[2] for data in heard] == [b"two pieces"] * 5


class Poisoned:
    """An origin whose first connection is poisoned; `bodies` came over the others."""

    def __init__(self) -> None:
        self.first: Line | None = None
        self.bodies: list[bytes] = []

    async def __call__(self, line: Line) -> None:
        """Answer once, then let others poison the connection; take bodies on any other one."""
        await line.head()
        if self.first is None:
            self.first = line
            await line.say(OK)
            await line.gone()
            return
        self.bodies.append(await line.reader.readexactly(10))
        await line.say(OK)

    def poison(self) -> None:
        """Say something unasked."""
        assert self.first is not None
        self.first.writer.write(POISON)


async def test_a_request_read_whole_goes_over_another_connection() -> None:
    """HTTP-35: poison that comes while a short body is read costs nothing: it is sent elsewhere."""
    script = Poisoned()

    async def body() -> AsyncIterator[bytes]:
        script.poison()
        yield b"ten bytes."

    async with before(script) as (upstream, origin):
        await ask(upstream, origin.url)
        assert (await ask(upstream, origin.url, post(body(), length=10))).body == b"ok"
        assert origin.lines == 2
    assert script.bodies == [b"ten bytes."]


async def test_a_request_read_in_part_is_given_up() -> None:
    """HTTP-35: poison that comes while a body is still under way is an error, never an answer."""
    script, never = Poisoned(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        script.poison()
        yield b"ten "
        await never.wait()

    async with before(script) as (upstream, origin):
        await ask(upstream, origin.url)
        with pytest.raises(UpstreamBroken, match="before the request was sent"):
            await ask(upstream, origin.url, post(body(), length=10))
    assert not script.bodies
