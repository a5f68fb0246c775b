"""The client's side of a WebSocket, as ASGI has it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from fairuse.base.websocket.side import ABNORMAL, CLOSE_SECONDS, Close, Closed

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from fairuse.base.wire import Headers

REJECTING = "websocket.http.response"
"""The extension of servers that can refuse a handshake with a response of ours."""


class ClientWebSocket:
    """One client's WebSocket, from its handshake on."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._can_reject = REJECTING in scope.get("extensions", {})
        self._receive = receive
        self._send = send
        self._next: asyncio.Future[Message] | None = None

    async def greet(self) -> None:
        """Begin to listen."""
        await self._receive()
        self._next = asyncio.ensure_future(self._receive())

    def leave(self) -> None:
        """Listen no more."""
        if self._next is not None:
            self._next.cancel()

    async def gone_before(self, answered: asyncio.Task[None]) -> Close | None:
        """Wait for an answer to its handshake; gives how the client closed where it did before."""
        heard = self._next or answered
        await asyncio.wait((answered, heard), return_when=asyncio.FIRST_COMPLETED)
        return None if self._next is None or answered.done() else _close_in(self._next.result())

    async def accept(self, headers: Headers, subprotocol: str | None) -> None:
        """Accept it. Raises Closed where the client is gone."""
        message: Message = {"type": "websocket.accept", "headers": headers}
        if subprotocol:
            message["subprotocol"] = subprotocol
        await self._say(message)

    async def reject(self, status: int, headers: Headers, body: bytes) -> None:
        """Refuse it with a response, where the server in front can; it sends 403 otherwise."""
        with suppress(Closed):
            if self._can_reject:
                start = {"type": f"{REJECTING}.start", "status": status, "headers": headers}
                await self._say(start)
                await self._say({"type": f"{REJECTING}.body", "body": body})
            else:
                await self._say({"type": "websocket.close"})

    async def receive(self) -> str | bytes:
        """Give the next message. Raises Closed where there will be none."""
        if self._next is not None:
            message, self._next = await self._next, None
        else:
            message = await self._receive()
        if close := _close_in(message):
            raise Closed(close)
        data: bytes | None = message.get("bytes")
        return data if data is not None else message.get("text") or ""

    async def send(self, message: str | bytes) -> None:
        """Send a message, once there is room for it. Raises Closed."""
        kind = "text" if isinstance(message, str) else "bytes"
        await self._say({"type": "websocket.send", kind: message})

    async def close(self, close: Close) -> None:
        """Close it; a client that takes nothing any more is not waited for."""
        code, reason = close.sendable()
        with suppress(Closed, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._say({"type": "websocket.close", "code": code, "reason": reason})

    async def _say(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:
            raise Closed(Close(ABNORMAL)) from None


def _close_in(message: Message) -> Close | None:
    """Read how the client closed, where it did."""
    if message["type"] != "websocket.disconnect":
        return None
    return Close(message.get("code") or ABNORMAL, message.get("reason") or "")
