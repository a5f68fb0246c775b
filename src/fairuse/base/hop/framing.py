"""How the body of a request is written: in chunks, or as it is where its length was announced."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairuse.base.wire import Headers


class Framing:
    """Writes one body, which is never longer or shorter than the head of its request says.

    Otherwise its end would be read as the next request, or the next request as its end.
    """

    __slots__ = ("_chunked", "_left")

    def __init__(self, headers: Headers) -> None:
        fields = dict(headers)
        self._chunked = b"transfer-encoding" in fields
        self._left = 0 if self._chunked else int(fields.get(b"content-length", b"0"))

    def piece(self, data: bytes) -> bytes:
        """Write a piece. Raises ValueError where there are more bytes than announced."""
        if self._chunked:
            # An empty chunk would be the last one.
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("the body of the request is longer than announced")
        return data

    def end(self) -> bytes:
        """Write the end. Raises ValueError where there are fewer bytes than announced."""
        if self._left:
            raise ValueError("the body of the request is shorter than announced")
        return b"0\r\n\r\n" if self._chunked else b""

    def whole(self, data: bytes) -> bytes:
        """Write a body that is all here. Raises ValueError where it is not as long as announced."""
        return self.piece(data) + self.end()
