"""The HTTP protocol of the server in front: uvicorn's, less what it should not do."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HttpProtocol(HttpToolsProtocol):
    """Drops trailers, which httptools hands over like headers.

    Merged into the headers they would name accounts and addresses that no proxy in front has ever
    seen (HTTP-18; RFC 9110 section 6.5.1 forbids it).
    """

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        self._head_complete = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, and no trailer."""
        if not self._head_complete:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that what follows are trailers."""
        self._head_complete = True
        super().on_headers_complete()
