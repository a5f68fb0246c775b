"""An origin's answer: its head at once, its body as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import httptools

from fairuse.base.errors import UpstreamBroken, UpstreamError
from fairuse.base.hop.ending import delimited
from fairuse.base.wire import BODILESS, announces_body

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from fairuse.base.wire import Headers

MOST_HEAD_BYTES = 65_536
"""More is no head; nor is it an extension of a chunk, or a trailer."""
MOST_FIELDS = 256
VERSIONS = frozenset({"1.0", "1.1"})
MOST_INFORMATIONAL = 16
"""Answers like 103 that may come before the real one; they are not passed on (HTTP-29)."""
MOST_UNREAD_BYTES = 262_144
"""Bytes that wait here for a slow client before the origin has to wait (HTTP-32)."""


class Source(Protocol):
    """What the bytes of an answer come from."""

    def pause(self) -> None:
        """Read no more for now."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    async def leave(self) -> None:
        """End an exchange whose answer nobody wants any more."""
        ...


class Reply:
    """The answer to one request; whoever has it must `close` it.

    `ended` says that all of it has come, `surplus` that more came than there should be, and
    `reusable` that another exchange may follow on its connection.
    """

    __slots__ = (
        "_current",
        "_error",
        "_fruitless_bytes",
        "_head",
        "_head_only",
        "_informational",
        "_loop",
        "_parser",
        "_source",
        "_taken",
        "_unread",
        "_unread_bytes",
        "_waiting",
        "begun",
        "delimited",
        "ended",
        "headers",
        "reusable",
        "status",
        "surplus",
    )

    def __init__(self, source: Source, loop: asyncio.AbstractEventLoop, *, head_only: bool) -> None:
        self.status = 0
        self.headers: Headers = []
        self.begun = False
        """Whether any byte of it has come."""
        self.delimited = False
        """Whether only the end of the connection ends the body (RFC 9112 section 6.3)."""
        self.ended = False
        self.surplus = False
        self.reusable = False
        self._source = source
        self._loop = loop
        self._head_only = head_only
        # Let go of at the end: each has the other, so that only the garbage collector would find
        # them, and with them the body.
        self._parser: Any = httptools.HttpResponseParser(self)
        self._head: asyncio.Future[None] = loop.create_future()
        self._waiting: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._fruitless_bytes = 0
        self._informational = 0
        self._current = False  # HTTP/1.1
        self._taken = False
        self._unread: list[bytes] = []
        self._unread_bytes = 0

    # Who asked.

    def head(self) -> asyncio.Future[None]:
        """Give what to wait for until status and headers are there. Raises UpstreamError."""
        return self._head

    @property
    def whole(self) -> bytes | None:
        """Give the body where all of it is here already and none was taken; otherwise None."""
        if self._taken or not self.ended or self._error is not None:
            return None
        return b"".join(self._unread)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body's bytes, undecoded. Raises UpstreamError where it breaks off."""
        self._taken = True
        while True:
            if self._unread:
                unread, self._unread, self._unread_bytes = self._unread, [], 0
                if not self.ended:  # afterwards the connection may be another's
                    self._source.resume()
                for chunk in unread:
                    yield chunk
            elif self._error is not None:
                raise self._error
            elif self.ended:
                return
            else:
                self._waiting = self._loop.create_future()
                await self._waiting

    async def close(self) -> None:
        """Let go of the connection; after the end it may be another's already."""
        if not self.ended:
            await self._source.leave()

    # Whoever has the bytes.

    def feed(self, data: bytes) -> None:
        """Take bytes as they come. Raises UpstreamBroken where they are no answer."""
        self.begun = True
        self._fruitless_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.ended:
                cause = error.__context__
                if isinstance(cause, UpstreamError):
                    raise cause from None
                raise UpstreamBroken(f"no HTTP: {error}") from None
            self.surplus = True
        except httptools.HttpParserUpgrade:
            raise UpstreamBroken("it changed the protocol, unasked") from None
        if self.ended:
            self._parser = None
        elif self._fruitless_bytes > MOST_HEAD_BYTES:
            raise UpstreamBroken("the head, a trailer or an extension of a chunk is too large")

    def tell(self) -> None:
        """Tell who waits what has come since the last time."""
        if self.status and not self._head.done():
            self._head.set_result(None)
        if self._unread_bytes > MOST_UNREAD_BYTES and not self.ended:
            self._source.pause()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def end(self) -> None:
        """End a body that the end of the connection ends."""
        self.ended = True
        self._parser = None
        self.tell()

    def fail(self, error: BaseException) -> None:
        """End it with an error, for whoever waits or takes more of it."""
        if self.ended:
            return
        self.ended = True
        self._parser = None
        self._error = error
        if not self.status and not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # it may be that nobody waits any more
        self.tell()

    # What the parser finds.

    def on_message_begin(self) -> None:
        """Begin with an answer; one after the real one is nobody's."""
        self.surplus = self.ended
        if not self.ended:
            self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; trailers are dropped (HTTP-18)."""
        if self.status or self.ended:
            return
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the head, unless the real one is still to come."""
        if self.ended:
            return
        status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        if not 100 <= status <= 599 or version not in VERSIONS:
            raise UpstreamBroken(f"status {status} of HTTP/{version}")
        if len(self.headers) > MOST_FIELDS or self._is_too_large():
            raise UpstreamBroken("the answer has too many fields, or too large ones")
        if status < 200:
            self._informational += 1
            if self._informational > MOST_INFORMATIONAL or status == 101:
                raise UpstreamBroken(f"status {status}, once more or unasked")
            return
        self._current = version == "1.1"
        self.delimited = delimited(self.headers)
        self.status = status
        self._fruitless_bytes = 0
        self.ended = self._head_only

    def _is_too_large(self) -> bool:
        """Measure the head itself, where what was read with it is more than a head may be."""
        if self._fruitless_bytes <= MOST_HEAD_BYTES:
            return False
        return sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body; where there should be none, it is poison (HTTP-35)."""
        if self.ended:
            self.surplus = True
            return
        self._fruitless_bytes = 0
        self._unread.append(data)
        self._unread_bytes += len(data)

    def on_message_complete(self) -> None:
        """Note that all of it has come.

        The connection stays only where nobody can doubt that: after a HEAD, or where a body was
        announced that must not be there, one may follow all the same.
        """
        if not self.status or self.ended:
            return
        self.ended = True
        doubtful = self.status in BODILESS and announces_body(self.headers)
        self.reusable = self._current and self._parser.should_keep_alive() and not doubtful
