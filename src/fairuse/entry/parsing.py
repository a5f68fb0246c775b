"""How requests are read off a connection: uvicorn's way, with bounds, less what is dangerous."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fairuse.base.wire import FRAMING, announces_body
from fairuse.entry.cycle import Cycle
from fairuse.rules.settings import Server

MAX_DIGITS = 18
"""Of a length: whoever reads it after us may count in 63 bits."""


class Refused(Exception):
    """A request that goes no further: it gets the status, and its connection is closed."""

    def __init__(self, status: int) -> None:
        self.status = status


class BoundedParsing(HttpToolsProtocol):
    """Reads requests that have a head and a body of limited size.

    Trailers, which httptools hands over like headers, are dropped. Merged into the headers they
    would name accounts and addresses that no proxy in front has ever seen (HTTP-18; RFC 9110
    section 6.5.1 forbids it).
    """

    bounds: ClassVar[Server] = Server()

    in_head = False
    """Whether a part of a head has come."""

    in_body = False
    """Whether the head of a request is complete, and its body is not."""

    came = 0
    """Bytes of the body so far."""

    upgrades = False
    """Whether the connection becomes a WebSocket with this request."""

    _fed = 0  # bytes of which nothing has come out yet
    _shares_read = False  # a head of which the first bytes came with the end of another request
    _head_complete = False
    _restating = False
    _body_follows = False
    _may_stay = False

    def parse(self, data: bytes) -> None:
        """Read on. Raises Refused."""
        self._fed += len(data)
        try:
            while rest := self._parse_to_upgrade(data):
                data = rest
        except httptools.HttpParserError as error:
            fault = error.__context__
            raise fault if isinstance(fault, Refused) else Refused(400) from None
        self.in_head = self.in_head or (self._fed > 0 and not self.in_body)
        # Nothing that has no end yet (a field, a chunk's extension, a trailer) may grow for ever.
        if self._fed > self.bounds.max_head:
            raise Refused(431)

    def _parse_to_upgrade(self, data: bytes) -> bytes:
        """Parse; gives what comes after a request that wanted another protocol, and gets HTTP."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.upgrades:
                self.handle_websocket_upgrade()
                return b""
            if self._body_follows:
                self._restate()
            return data[upgrade.args[0] :]
        return b""

    def _restate(self) -> None:
        """Have the body read as one.

        The parser takes it for another protocol, and would read requests in it: one that a proxy
        in front has taken for a body, and let pass.
        """
        framing = [pair for pair in self.headers if pair[0] in FRAMING]
        lines = b"".join(b"%b: %b\r\n" % pair for pair in framing)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._restating = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + lines + b"\r\n")
        self._restating = self._body_follows = False

    def _should_upgrade(self) -> bool:
        return self.upgrades

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        if not self._restating:
            self._head_complete = self.upgrades = False
            self.in_head = True
            self._shares_read = self._fed == 0
            self.came = 0
            super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, and no trailer."""
        if self._head_complete:
            return
        if len(self.headers) >= self.bounds.max_fields:
            raise Refused(431)
        name = name.lower()
        if name == b"expect":
            if value.lower() != b"100-continue":
                raise Refused(417)
            self.expect_100_continue = True
        elif name == b"content-length" and len(value) > MAX_DIGITS:
            raise Refused(400)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin to answer a request, where its head is not too large."""
        if self._restating:
            return
        if self._shares_read or self._fed > self.bounds.max_head:
            self._check_head()
        if not self.url.startswith(b"/") or b"#" in self.url:
            self._check_target()
        self._fed = 0
        self._head_complete, self.in_head = True, False
        if self.bounds.max_body is not None:
            self._check_length(self.bounds.max_body)
        if self.parser.get_http_version() == "1.0":
            self.expect_100_continue = False
        if self.parser.should_upgrade() and self._becomes_websocket():
            super().on_headers_complete()
            return
        self.begin_answer()
        self.in_body = True
        if self.expect_100_continue:
            # Who gets an answer instead of "100 Continue" may leave its body out, or not.
            self._may_stay, self.cycle.keep_alive = self.cycle.keep_alive, False

    def begin_answer(self) -> None:
        """Begin to answer the request whose head is complete; or have it wait for its turn."""
        self._complete_scope()
        first = getattr(self.cycle, "response_complete", True)  # there may be none before it
        keep_alive = self.scope["http_version"] != "1.0" and self.parser.should_keep_alive()
        self.cycle = Cycle(self, keep_alive=keep_alive)
        if first:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _complete_scope(self) -> None:
        """Say in the scope what is asked."""
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = self.parser.get_http_version()
        if self.url.startswith(b"/"):
            path, _, query = self.url.partition(b"?")
        else:
            target = httptools.parse_url(self.url)
            path, query = target.path, target.query or b""
        text = path.decode("ascii")
        scope["path"] = unquote(text) if "%" in text else text
        scope["raw_path"] = path
        scope["query_string"] = query

    def _becomes_websocket(self) -> bool:
        """Say whether another protocol begins with this request; HTTP is as good an answer."""
        self._body_follows = announces_body(self.headers)
        alone = getattr(self.cycle, "response_complete", True)  # there may be none before it
        self.upgrades = alone and not self._body_follows and super()._should_upgrade()
        return self.upgrades

    def _check_head(self) -> None:
        """Measure the head itself: what was read with it may be the next requests."""
        fields = sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)
        line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        if fields + line > self.bounds.max_head:
            raise Refused(431)

    def _check_target(self) -> None:
        """Refuse what the app is not shown of a target: a fragment, and a host but that of Host."""
        host = dict(self.headers).get(b"host", b"")
        told = self.url.lower().startswith((b"http://" + host.lower(), b"https://" + host.lower()))
        after = self.url.partition(b"://")[2][len(host) :][:1]
        if b"#" in self.url or (b"://" in self.url and not (told and after in b"/?")):
            raise Refused(400)

    def _check_length(self, most: int) -> None:
        for name, value in self.headers:
            if name == b"content-length" and int(value) > most:
                raise Refused(413)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._fed = 0
        self.came += len(body)
        if self.bounds.max_body is not None and self.came > self.bounds.max_body:
            raise Refused(413)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is complete."""
        if self._body_follows or self.upgrades:
            return
        self._fed = 0
        self.in_body = False
        if self.expect_100_continue and not self.cycle.response_started:
            self.cycle.keep_alive = self._may_stay
        super().on_message_complete()

    def shutdown(self) -> None:
        """Close after the request in hand."""
        self._may_stay = False
        super().shutdown()
