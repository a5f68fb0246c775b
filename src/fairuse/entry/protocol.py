"""The HTTP protocol of the server in front: how long a connection may take, and how it ends."""

from __future__ import annotations

from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

from fairuse.base.hangup import EXTENSION, HangUp
from fairuse.base.log import logger
from fairuse.entry.connections import Connections
from fairuse.entry.corked import CorkedTransport
from fairuse.entry.deadlines import Alarm, ReadDeadline, TimedFlow, WriteStall
from fairuse.entry.old_client import OldClientCycle
from fairuse.entry.parsing import BoundedParsing, Refused
from fairuse.entry.websocket import WebSocketProtocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from fairuse.rules.settings import Settings

MAX_PIPELINED = 64
"""Requests of one connection that are not answered yet; one read could hold thousands."""

READ_ON = 16
"""Reading is paused when so many wait."""

STALL_LOOKS = 4
"""How often, within the time it may last, a stall in either direction is looked at."""

log = logger(__name__)


class HttpProtocol(BoundedParsing):
    """One connection: a client that owes something has a deadline, and so has one that takes none.

    Whoever is refused can read why before the connection is closed. The requests of a client that
    hangs up are told so.
    """

    counted: ClassVar[Connections | None] = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or turn it away."""
        now = self.loop.time()
        self._wire = CorkedTransport(transport, self.loop)
        super().connection_made(self._wire)
        self._deadline = ReadDeadline(self.bounds, now)
        self._stall = WriteStall(self.bounds.write_timeout, now)
        self.flow = TimedFlow(self._wire, self._deadline, self.loop)
        self._open: deque[tuple[RequestResponseCycle, HangUp]] = deque()
        self._refused: int | None = None
        self._alarm = Alarm(self.loop, self._look)
        self._alarm.by(self._deadline.due)
        self._entered = self.counted is not None and self.counted.enter(self._peer)
        if self.counted is not None and not self._entered:
            # At once: in a flood, lingering would hold the very sockets that are short.
            self._wire.write(_answer(503))
            self._wire.close()

    def _leave(self) -> None:
        if self.counted is not None and self._entered:
            self.counted.leave(self._peer)

    @property
    def _peer(self) -> str | None:
        return self.client[0] if self.client else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the requests that are not answered that nobody waits for them any more."""
        self._alarm.stop()
        self._leave()
        super().connection_lost(exc)
        while self._open:
            _tell(*self._open.popleft())

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; it still counts as one."""
        self._alarm.stop()
        super().handle_websocket_upgrade()
        protocol = self._wire.get_protocol()
        if isinstance(protocol, WebSocketProtocol):
            protocol.on_lost = self._leave
        else:
            self._leave()

    def data_received(self, data: bytes) -> None:
        """Read on, unless nothing is read any more."""
        if self._refused is not None or self._wire.is_closing():
            self._wire.discard(len(data))
            return
        try:
            self.parse(data)
        except Refused as refused:
            self._refuse(refused.status)
        else:
            if not self.upgrades:
                self._note_owed(len(data))

    def begin_answer(self) -> None:
        """Begin to answer a request; who answers can have it told that the client hung up."""
        if len(self._open) >= MAX_PIPELINED:
            raise Refused(503)
        hangup = HangUp()
        self.scope["extensions"] = {EXTENSION: hangup}  # type: ignore[dict-item]
        super().begin_answer()
        if self.scope["http_version"] == "1.0":
            self.cycle.__class__ = OldClientCycle  # it has not begun
        self._open.append((self.cycle, hangup))
        if 1 < len(self._open) < READ_ON:
            # uvicorn has paused; who doesn't read doesn't hear either that the client hangs up.
            self.flow.resume_reading()

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        super().on_message_complete()
        self._wire.unread = self.in_body
        if not self.in_body:
            self._deadline.nothing()

    def on_response_complete(self) -> None:
        """Go on with the next request; uvicorn's own would set a timer for each."""
        self.server_state.total_requests += 1
        self._open.popleft()
        if self._wire.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refused is not None:
            self._say(self._refused)
            return
        if not self.pipeline:
            self.flow.resume_reading()
        self._note_owed()

    def pause_writing(self) -> None:
        """Let who answers wait, and look whether the client takes anything."""
        super().pause_writing()
        self._alarm.by(self.loop.time() + self.bounds.write_timeout / STALL_LOOKS)

    def _note_owed(self, size: int = 0) -> None:
        """Note what the client has to send next."""
        if self.in_body:
            self._wire.unread = True
            self._deadline.body(self.loop.time(), size)
        elif self.in_head:
            self._deadline.head(self.loop.time())
        elif self._open:
            return
        else:
            self._deadline.request(self.loop.time())
        self._alarm.by(self._deadline.due)

    def _look(self) -> None:
        """See whether the client is late with something, or gone."""
        now = self.loop.time()
        waiting = self._wire.get_write_buffer_size()
        if self._stall.lasts(now, self._wire.written, waiting):
            self._wire.abort()
            return
        if self._wire.is_closing():
            self._deadline.nothing()
        elif self.flow.read_paused and self._wire.hung_up:
            self._wire.abort()
            return
        elif now >= self._deadline.due:
            self._late(now)
        stalls = waiting or self.flow.read_paused
        look = self.bounds.write_timeout / (STALL_LOOKS if stalls else 1)
        self._alarm.by(min(self._deadline.due, now + look))

    def _late(self, now: float) -> None:
        """Do what follows when a deadline has passed."""
        if self.flow.read_paused or self._waits_to_be_asked():
            self._deadline.not_late(now)
        elif self.in_head or self.in_body:
            self._refuse(408)
        else:
            self._deadline.nothing()
            self._wire.close()

    def _waits_to_be_asked(self) -> bool:
        """Say whether a body is not sent because it was not asked for with "100 Continue"."""
        return (
            self.in_body
            and self.expect_100_continue
            and not self.came
            and (self.cycle.waiting_for_100_continue or self.cycle.response_started)
        )

    def _refuse(self, status: int) -> None:
        """Read nothing more, and say why when the requests before are answered."""
        if self._wire.is_closing():
            return
        answerable = not self.in_body or self._give_up()
        self._refused, self.in_head, self.in_body = status, False, False
        self._deadline.nothing()
        if not answerable:
            self._wire.close()
        elif not self._open:
            self._say(status)

    def _give_up(self) -> bool:
        """Give up the request whose body is read; says whether it can still be answered."""
        if not self._open:
            return False
        if len(self._open) > 1:
            self.pipeline.popleft()
        cycle, hangup = self._open.pop()
        _tell(cycle, hangup)
        return not cycle.response_started

    def _say(self, status: int) -> None:
        log.info("request.refused", status=status, address=self._peer)
        self._wire.write(_answer(status))
        self._wire.linger()


def bounded(settings: Settings) -> type[HttpProtocol]:
    """Give the protocol of a server with these settings."""

    class Bounded(HttpProtocol):
        """One connection of this server."""

        bounds = settings.server
        counted = Connections(settings)

    return Bounded


def _tell(cycle: RequestResponseCycle, hangup: HangUp) -> None:
    """Tell a request that its client is gone."""
    cycle.disconnected = True
    cycle.message_event.set()
    hangup.happen()


def _answer(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase
    return (
        f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(phrase)}\r\nconnection: close\r\n\r\n{phrase}"
    ).encode()
