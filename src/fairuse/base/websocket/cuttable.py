"""A client's WebSocket that can be cut while an app has it, whatever the app waits for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from fairuse.base.websocket.side import CLOSE_SECONDS, Close

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

NOW = 0.0
"""Before any moment of a loop."""


class Cut(OSError):
    """The WebSocket was cut: nothing can be sent any more."""


class Cuttable:
    """`receive` and `send` of one WebSocket.

    A cut one tells its client so, and its app that the client has closed it in the same way.
    Nothing watches it meanwhile: who cuts it wakes the app.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._listening: asyncio.Timeout | None = None
        self._close: Close | None = None
        self._telling: asyncio.Task[None] | None = None
        self._answered = False
        self.accepted = False

    def cut(self, close: Close) -> bool:
        """Cut it, also before it is accepted; False where it is over or refused already."""
        if self._close is not None or self._answered:
            return False
        self._close = close
        if self.accepted:
            self._telling = asyncio.ensure_future(self._tell(close))
        if self._listening is not None:
            self._listening.reschedule(NOW)
        return True

    async def receive(self) -> Message:
        """Give what the client says next; that it is over, as soon as it is cut."""
        if self._close is None:
            try:
                async with asyncio.timeout(None) as self._listening:
                    message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    self._answered = True
            except TimeoutError:
                if self._close is None:
                    raise
            else:
                return message
            finally:
                self._listening = None
        close = self._close
        return {"type": "websocket.disconnect", "code": close.code, "reason": close.reason}

    async def send(self, message: Message) -> None:
        """Send what the app says. Raises Cut where it was cut."""
        if self._close is not None:
            raise Cut(self._close)
        if message["type"] == "websocket.accept":
            self.accepted = True
        elif message["type"] != "websocket.send":
            self._answered = True
        await self._send(message)

    async def told(self) -> None:
        """Wait until a client that was cut is told so, for a bounded time."""
        if self._telling is not None:
            await self._telling

    async def _tell(self, close: Close) -> None:
        with suppress(OSError):  # it may be gone, and a timeout is one too
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send(
                    {"type": "websocket.close", "code": close.code, "reason": close.reason}
                )
