"""A transport that sends what is written in one turn of the loop with one call.

uvicorn writes the head of a response and its body apart; sent apart they are two system calls and
often two packets.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

FULL_BYTES = 64 * 1024
"""From here on nothing is gained by waiting, and back-pressure has to be felt."""

MAX_DISCARDED_BYTES = 1024 * 1024
LINGER_SECONDS = 2.0
"""How much, and how long, a client may go on sending after the last it is told.

Closing at once would reset the connection under the answer (RFC 9112 section 9.6).
"""

_GONE = getattr(select, "POLLRDHUP", 0)  # what only Linux tells; everybody tells of a reset


class CorkedTransport(asyncio.Transport):
    """Gathers writes until the next turn of the loop; everything else is the transport's."""

    __slots__ = (
        "_discarded",
        "_lingers",
        "_loop",
        "_parts",
        "_size",
        "_transport",
        "unread",
        "written",
    )

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes | bytearray | memoryview] = []
        self._size = 0
        self._lingers = False
        self._discarded = 0
        self.written = 0
        self.unread = False
        """Whether the client is still sending what is left of a request."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send the data with all else that is written in this turn."""
        if not data or self._lingers:
            return
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._size += len(data)
        self.written += len(data)
        if self._size >= FULL_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if not self._parts:
            return
        parts, self._parts, self._size = self._parts, [], 0
        if self._transport.is_closing():
            return  # the client hung up in this turn
        if len(parts) == 1:
            self._transport.write(parts[0])
        else:
            self._transport.writelines(parts)

    def close(self) -> None:
        """Close when all is sent, and when the client had its chance to read it."""
        if self._lingers or self._transport.is_closing():
            return
        if self.unread:
            self.linger()
        else:
            self.flush()
            self._transport.close()

    def linger(self) -> None:
        """Say that nothing more comes, and close a little later; what comes in is discarded."""
        self.flush()
        self._lingers = True
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if not self._transport.is_reading():
            self._transport.resume_reading()
        self._loop.call_later(LINGER_SECONDS, self._transport.close)

    def discard(self, size: int) -> None:
        """Take note of bytes that nobody reads any more; too many end the connection."""
        self._discarded += size
        if self._discarded <= MAX_DISCARDED_BYTES:
            return
        if self._lingers:
            self._transport.close()
        elif self._transport.is_reading():
            self._transport.pause_reading()

    def abort(self) -> None:
        """Close at once; what waits is lost."""
        self._parts, self._size = [], 0
        self._transport.abort()

    @property
    def hung_up(self) -> bool:
        """Say whether the client has closed the connection, where nothing is read to tell."""
        wire = select.poll()
        wire.register(self._transport.get_extra_info("socket").fileno(), _GONE)
        return bool(wire.poll(0))

    def is_closing(self) -> bool:
        """Say whether nothing can be sent any more."""
        return self._lingers or self._transport.is_closing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces."""
        for data in list_of_data:
            self.write(data)

    def write_eof(self) -> None:
        """Close the direction to the client when all is sent."""
        self.flush()
        self._transport.write_eof()

    def can_write_eof(self) -> bool:
        """Say whether one direction can be closed alone; with TLS it can't."""
        return self._transport.can_write_eof()

    def get_write_buffer_size(self) -> int:
        """Give how many bytes wait to be sent."""
        return self._size + self._transport.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Give the low and the high water mark."""
        return self._transport.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the water marks."""
        self._transport.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        """Read nothing more for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def is_reading(self) -> bool:
        """Say whether what comes in is read."""
        return self._transport.is_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Give what is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol."""
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Give the protocol."""
        return self._transport.get_protocol()
