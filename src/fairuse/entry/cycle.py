"""One request of a connection and its answer: uvicorn's cycle, with less to do for each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from fairuse.base.head import head_bytes
from fairuse.base.wire import BODILESS

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    from fairuse.base.wire import Headers

_FIRST_LINES = {status: line.removesuffix(b"\r\n") for status, line in STATUS_LINE.items()}


class Cycle(RequestResponseCycle):
    """Answers one request of an app that names its headers in lower case, as the gateway does."""

    def __init__(self, protocol: HttpToolsProtocol, *, keep_alive: bool) -> None:
        # Said here because handing uvicorn's own eleven arguments costs more than all of them.
        self.scope = protocol.scope
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.logger = protocol.logger
        self.access_log = False
        self.default_headers = protocol.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = protocol.on_response_complete
        self.disconnected = False
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = protocol.expect_100_continue
        self.body = bytearray()
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding: bool | None = None
        self.expected_content_length = 0

    async def send(self, message: ASGISendEvent) -> None:
        """Send one ASGI message."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start" and not self.response_started:
            self._start(message["status"], [*self.default_headers, *message.get("headers", ())])
        elif self._is_whole(message):
            self.transport.write(message["body"])  # type: ignore[typeddict-item]
            self._end()
        else:
            await super().send(message)

    def _start(self, status: int, headers: Headers) -> None:
        """Send the head."""
        self.response_started = True
        self.waiting_for_100_continue = False
        self._note_framing(status, headers)
        self.transport.write(head_bytes(_FIRST_LINES[status], headers))

    def _is_whole(self, message: ASGISendEvent) -> bool:
        """Say whether a message is all of a body whose length was announced."""
        return (
            message["type"] == "http.response.body"
            and self.response_started
            and not self.response_complete
            and self.chunked_encoding is False
            and not message.get("more_body", False)
            and len(message.get("body", b"")) == self.expected_content_length > 0
            and self.scope["method"] != "HEAD"
        )

    def _end(self) -> None:
        """Note that the answer is complete."""
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _note_framing(self, status: int, headers: Headers) -> None:
        """Note how the body ends, and say it where the app does not."""
        closes = False
        for name, value in headers:
            if name == b"content-length" and self.chunked_encoding is None:
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected_content_length = 0
                self.chunked_encoding = True
            elif name == b"connection":
                options = [option.strip().lower() for option in value.split(b",")]
                closes = closes or b"close" in options
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        bodiless = self.scope["method"] == "HEAD" or status in BODILESS
        if self.chunked_encoding is None and not bodiless:
            self.chunked_encoding = True
            headers.append((b"transfer-encoding", b"chunked"))
