"""Answers to clients of HTTP/1.0, which know no chunks (HTTP-11)."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from fairuse.entry.cycle import Cycle

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from fairuse.entry.corked import CorkedTransport

_AT_ONCE = struct.pack("ii", 1, 0)


class OldClientCycle(Cycle):
    """Ends a body whose length nobody knows with the connection."""

    _unmeasured = False

    async def send(self, message: ASGISendEvent) -> None:
        """Send one ASGI message, without the chunks that uvicorn would make of it."""
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            self._unmeasured = b"content-length" not in names
            if self._unmeasured:
                self.chunked_encoding = False
                self.transport = _CutByReset(self)  # type: ignore[assignment]
        elif message["type"] == "http.response.body" and self._unmeasured:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class _CutByReset:
    """The transport of an answer that the close ends: one that is cut is reset (HTTP-13)."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._transport: CorkedTransport = cycle.transport  # type: ignore[assignment]

    def close(self) -> None:
        """Close in an orderly way where the answer is whole."""
        if self._cycle.response_complete:
            self._transport.close()
            return
        self._transport.flush()
        wire = self._transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
