"""The WebSocket protocol of the server in front: uvicorn's, less what it should not do."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.server import ServerProtocol

from fairuse.base.websocket.side import ABNORMAL, GOING_AWAY, MAX_MESSAGE_BYTES, QUIET

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
    from websockets.frames import Frame

MAX_FRAGMENTS = 16_384
"""Of one message; empty ones would never add up to a message that is too big."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One client's WebSocket.

    It negotiates no compression, tells a lost connection from a closed one, says that it goes away
    when the server stops, and keeps no connection of a client that reads nothing (F-13).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = QUIET
        self.conn = ServerProtocol(max_size=MAX_MESSAGE_BYTES, logger=QUIET)
        self.on_lost: Callable[[], None] | None = None
        """Called once the connection is gone; the protocol that took it hears no more of it."""
        self._pong = b""
        self._cut: asyncio.TimerHandle | None = None

    # The handshake.

    def data_received(self, data: bytes) -> None:
        """Take what came; a handshake comes whole, and one that can't be read is refused."""
        super().data_received(data)
        unread = not self.handshake_initiated and self.conn.handshake_exc is not None
        if unread and not self.close_sent:
            self._refuse(HTTPStatus.BAD_REQUEST, b"".join(self.conn.data_to_send()))

    def _refuse(self, status: HTTPStatus, answer: bytes = b"") -> None:
        """End the handshake, with an answer that is there already or one of ours."""
        self.handshake_complete = self.close_sent = True
        # Written directly: to whom it can't read, the library says nothing but the end.
        self.transport.write(answer or self.conn.reject(status, f"{status.phrase}\n").serialize())
        self.transport.close()

    # Messages.

    def handle_cont(self, event: Frame) -> None:
        """Take a part of a message."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()

    def handle_ping(self) -> None:
        """Answer a ping; a client that reads nothing is owed the latest answer only."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)
        else:
            self._pong = pong

    def resume_writing(self) -> None:
        """Go on once the client reads again."""
        super().resume_writing()
        pong, self._pong = self._pong, b""
        if pong and not self.close_sent and not self.transport.is_closing():
            self.transport.write(pong)

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the app says. Raises ClientDisconnected once it is too late for that."""
        over = self.close_sent or (self.transport.is_closing() and not self.handshake_complete)
        if over and self.initial_response is None:
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True  # uvicorn would report that it never was

    # The end.

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the client is gone; one that has said so before was heard before."""
        if self._cut is not None:
            self._cut.cancel()
        gone: ASGIReceiveEvent = {"type": "websocket.disconnect", "code": ABNORMAL}
        self.queue.put_nowait(gone)
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def shutdown(self) -> None:
        """Say goodbye: the server stops, and who wants to go on connects to another."""
        if self.transport.is_closing():
            return
        if self.close_sent or self.initial_response is not None:
            super().shutdown()
        elif self.handshake_complete:
            self._go_away()
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def _go_away(self) -> None:
        self.stop_keepalive()
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": GOING_AWAY})
        self.conn.send_close(GOING_AWAY)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.read_paused = False
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)
        self._cut_later()

    def keepalive_timeout(self) -> None:
        """Give up a client that answers no ping."""
        super().keepalive_timeout()
        self._cut_later()

    async def run_asgi(self) -> None:
        """Have the app answer; the connection is over when the app is through with it."""
        await super().run_asgi()
        self._cut_later()

    def _cut_later(self) -> None:
        """Cut the connection when it should be closed: one that takes no bytes never is by itself.

        What was written and not taken would keep it open for ever.
        """
        if self._cut is None and not self.disconnected:
            self._cut = self.loop.call_later(self.close_timeout, self.transport.abort)
