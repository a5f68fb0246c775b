"""One HTTP/1.1 connection to an origin, which carries one exchange at a time.

It is never used again where the two sides could disagree about where an answer ended: the next
request may be another tenant's (HTTP-35).
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from fairuse.base.errors import UpstreamBroken, UpstreamTimeout
from fairuse.base.hop.deadline import Deadline
from fairuse.base.hop.reply import Reply
from fairuse.base.hop.turn import with_input

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from fairuse.base.hop.framing import Framing
    from fairuse.base.hop.turn import Turn
    from fairuse.base.hop.upstream import Timeouts

    Body = tuple[AsyncIterator[bytes], Framing]


NOT_SENT = "closed before the request was sent"


class Unanswered(UpstreamBroken):
    """The connection was closed before any byte of an answer came."""


class Unsent(Unanswered):
    """The connection was of no use before any byte of the request was sent."""


class Owner(Protocol):
    """Whom a connection belongs to."""

    def release(self, connection: Connection) -> None:
        """Take back a connection that can carry another exchange."""
        ...

    def lost(self, connection: Connection) -> None:
        """Hear that a connection is closed."""
        ...


class Connection(asyncio.Protocol):
    """Sends requests and reads their replies, one after the other."""

    def __init__(self, owner: Owner, turn: Turn) -> None:
        self.used = False
        """Whether it has carried an exchange or was idle, and may be stale."""
        self._aborted = False
        self._owner = owner
        self._turn = turn
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._socket: socket.socket
        self._reply: Reply | None = None
        self._unsent = b""
        """The request, until it is written."""
        self._sending: asyncio.Task[None] | None = None
        self._deadline = Deadline(self._loop, self._overdue)
        self._patience = 0.0
        self._room: asyncio.Future[None] | None = None
        self._paused = False
        self._body_awaited = False

    @property
    def closed(self) -> bool:
        """Say whether it can carry nothing any more."""
        return self._aborted or self._transport.is_closing()

    def begin(
        self, request: bytes, timeouts: Timeouts, *, head_only: bool, streamed: Body | None = None
    ) -> Reply:
        """Send a request with what else is asked in this turn; it may still turn out as Unsent.

        A streamed body follows its head as it comes, while the reply may come already. It can't be
        had again once it is begun, so its head goes at once, and it is Unsent at once.
        """
        stale = streamed is not None and self.used and with_input([self])
        if self.closed or stale:
            self.abort()
            raise Unsent(NOT_SENT)
        self._reply = reply = Reply(self, self._loop, head_only=head_only)
        self._patience = timeouts.response
        self._deadline.begin(timeouts.response, timeouts.total)
        if streamed is None:
            self._unsent = request
            self._turn.add(self)
        else:
            self._transport.write(request)
            self._sending = self._loop.create_task(self._send(*streamed))
        return reply

    def fileno(self) -> int:
        """Give the descriptor of the socket."""
        return self._socket.fileno()

    def write_request(self) -> None:
        """Write what is asked."""
        unsent, self._unsent = self._unsent, b""
        self._transport.write(unsent)

    def not_sent(self) -> None:
        """Give up what is not sent yet; whoever asks can ask elsewhere."""
        self.fail(Unsent(NOT_SENT))

    async def _send(self, body: AsyncIterator[bytes], framing: Framing) -> None:
        try:
            try:
                await self._send_pieces(body, framing)
            finally:
                if isinstance(body, AsyncGenerator):
                    await body.aclose()
        except Exception as error:  # noqa: BLE001  whoever waits for the reply hears of it
            self.fail(error)

    async def _send_pieces(self, body: AsyncIterator[bytes], framing: Framing) -> None:
        self._await_body(True)
        async for data in body:
            self._await_body(False)
            if self._room is not None:
                await self._room
            if self.closed:
                return
            self._transport.write(framing.piece(data))
            self._await_body(True)
        self._transport.write(framing.end())
        self._await_body(False)

    async def leave(self) -> None:
        """End an exchange whose answer nobody wants any more."""
        self.abort()
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait((self._sending,))

    def keep_for(self, seconds: float) -> None:
        """Close it if nobody has used it for so long."""
        self.used = True
        self._deadline.begin(seconds, math.inf)

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self._aborted = True
        self._transport.abort()

    def fail(self, error: BaseException) -> None:
        """End the exchange with an error, and close the connection."""
        reply, self._reply = self._reply, None
        self.abort()
        if reply is not None:
            reply.fail(error)

    # Reading.

    def pause(self) -> None:
        """Read no more for now; meanwhile nothing is expected of the origin."""
        if not self._paused and not self.closed:
            self._paused = True
            self._transport.pause_reading()
            self._expect()

    def resume(self) -> None:
        """Read on."""
        if self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()
            self._expect()

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        reply = self._reply
        if reply is None:  # nobody has asked for it
            self.abort()
            return
        if self._unsent:  # nobody can have answered what is not sent
            self.not_sent()
            return
        try:
            reply.feed(data)
        except UpstreamBroken as error:
            self.fail(error)
            return
        if reply.ended:
            self._ended(reply)
        else:
            self._expect()
        reply.tell()

    def _ended(self, reply: Reply) -> None:
        """Give the connection back, or close it."""
        self._reply = None
        sent = self._sending is None or self._sending.done()
        self.resume()
        if sent and reply.reusable and not reply.surplus:
            self._sending = None
            self._owner.release(self)
        else:
            if self._sending is not None:
                self._sending.cancel()
            self.abort()

    # The loop's.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]
        self._socket = transport.get_extra_info("socket")

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is closed; a body without a length ends with that (HTTP-12)."""
        by_origin = exc is None and not self._aborted
        if exc is not None and not self._aborted:
            self._hear_last_words()
        self._aborted = True
        self._deadline.stop()
        self.resume_writing()
        reply, self._reply = self._reply, None
        if reply is not None and reply.status and reply.delimited and by_origin:
            reply.end()
        elif reply is not None:
            kind = UpstreamBroken if reply.begun else Unsent if self._unsent else Unanswered
            reply.fail(kind(f"closed before the end of the answer: {exc or 'without a reason'}"))
        if self._sending is not None:
            self._sending.cancel()
        self._owner.lost(self)

    def _hear_last_words(self) -> None:
        """Read what came before a write failed: most likely why it did, as an early answer."""
        if self._transport.get_extra_info("ssl_object") is None:
            with suppress(OSError):
                while self._reply is not None and (data := os.read(self._socket.fileno(), 65_536)):
                    self.data_received(data)

    def pause_writing(self) -> None:
        """Have who sends wait."""
        if self._room is None:
            self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """Have who sends go on."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # Deadlines.

    def _await_body(self, awaited: bool) -> None:
        """Note whether the next byte is the client's to send."""
        self._body_awaited = awaited
        self._expect()

    def _expect(self) -> None:
        """Expect a byte of the origin in time, unless it waits for us."""
        ours = self._paused or self._body_awaited
        self._deadline.expect(math.inf if ours else self._patience)

    def _overdue(self) -> None:
        """Give up what takes too long; idle connections are just closed."""
        self.fail(UpstreamTimeout("it took too long"))
