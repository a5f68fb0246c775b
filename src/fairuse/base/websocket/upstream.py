"""The upstream's side of a WebSocket; the only file that knows which client speaks it.

It is the connection of `websockets` without its `connect`: no redirects, no proxies from the
environment, and the request target and the Host as they came in (HTTP-36, HTTP-21).

No compression is offered: what one hop compresses another would have to decompress to relay it,
and each compressing connection keeps a window of its own in memory.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.datastructures import Headers as HandshakeHeaders
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.http11 import Request
from websockets.uri import WebSocketURI

from fairuse.base.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from fairuse.base.websocket.side import (
    ABNORMAL,
    CLOSE_SECONDS,
    MAX_MESSAGE_BYTES,
    QUIET,
    Close,
    Closed,
)
from fairuse.base.wire import PORTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.typing import Subprotocol

    from fairuse.base.hop.upstream import Target
    from fairuse.base.wire import Headers

MAX_QUEUED_FRAMES = 4
"""Beyond it nothing more is read from the upstream until the client has taken what there is."""
PING_SECONDS = 20.0
"""How long after its last ping, or pong, the upstream is pinged, and how long it may take."""

_TARGET = re.compile(rb"[!-~]+")


class Handshake(NamedTuple):
    """What to ask the upstream for: the target byte for byte, header fields, subprotocols."""

    target: bytes
    headers: Headers
    subprotocols: list[str]


class HandshakeRejected(Exception):
    """The upstream answered the handshake with an ordinary response."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


class _Protocol(ClientProtocol):
    """Asks for exactly what the client asked for."""

    def __init__(self, uri: WebSocketURI, handshake: Handshake) -> None:
        offered = cast("list[Subprotocol]", handshake.subprotocols)
        super().__init__(
            uri, subprotocols=offered or None, max_size=MAX_MESSAGE_BYTES, logger=QUIET
        )
        self._handshake = handshake

    def connect(self) -> Request:
        """Give the handshake: the client's fields, and those that each hop negotiates itself."""
        target = self._handshake.target
        if not _TARGET.fullmatch(target):
            raise ValueError("the request target would break the head")
        headers = HandshakeHeaders()
        for field, text in self._handshake.headers:
            headers[field.decode("latin-1")] = text.decode("latin-1")
        for name, value in super().connect().headers.raw_items():
            if name not in headers:
                headers[name] = value
        return Request(target.decode("ascii"), headers)


class UpstreamWebSocket:
    """One WebSocket to the upstream. Whoever has it calls `abort` in the end, whatever happened."""

    def __init__(self) -> None:
        self._connection: ClientConnection | None = None

    async def open(self, target: Target, origins: Sequence[str], handshake: Handshake) -> None:
        """Connect to the first origin that can be reached, and shake hands with it.

        Raises UpstreamError or HandshakeRejected.
        """
        failure: UpstreamError = UpstreamUnreachable("there is no origin")
        for origin in origins:
            try:
                connection = await self._connect(origin, target, handshake)
            except UpstreamError as error:
                failure = error
            else:
                break
        else:
            raise failure
        self._connection = connection
        try:
            async with asyncio.timeout(target.timeouts.response):
                await connection.handshake(user_agent_header=None)
        except TimeoutError:
            raise UpstreamTimeout("the handshake took too long") from None
        except InvalidStatus as error:
            response = error.response
            body = bytes(response.body)
            raise HandshakeRejected(response.status_code, _raw(response.headers), body) from None
        except (WebSocketException, OSError, ValueError) as error:
            raise UpstreamBroken(f"the handshake failed: {error}") from error
        connection.start_keepalive()

    async def _connect(self, origin: str, target: Target, handshake: Handshake) -> ClientConnection:
        parts = urlsplit(origin)
        secure, host = parts.scheme == "https", parts.hostname or ""
        port = parts.port or PORTS[parts.scheme]
        protocol = _Protocol(WebSocketURI(secure, host, port, "/", ""), handshake)
        options: dict[str, Any] = {}
        if secure:
            options = {"ssl": target.tls or True, "server_hostname": host}
        try:
            async with asyncio.timeout(target.timeouts.connect):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: ClientConnection(
                        protocol,
                        ping_interval=PING_SECONDS,
                        ping_timeout=PING_SECONDS,
                        close_timeout=CLOSE_SECONDS,
                        max_queue=MAX_QUEUED_FRAMES,
                    ),
                    host,
                    port,
                    **options,
                )
        except TimeoutError:
            raise UpstreamTimeout("connecting took too long") from None
        except OSError as error:
            raise UpstreamUnreachable(str(error) or type(error).__name__) from error
        return connection

    @property
    def _opened(self) -> ClientConnection:
        if self._connection is None:
            raise RuntimeError("a WebSocket is opened before it is used")
        return self._connection

    @property
    def subprotocol(self) -> str | None:
        """Give the subprotocol that the upstream chose."""
        return self._opened.subprotocol

    @property
    def headers(self) -> Headers:
        """Give the header fields of the upstream's answer to the handshake."""
        response = self._opened.response
        return _raw(response.headers) if response is not None else []

    async def receive(self) -> str | bytes:
        """Give the next message. Raises Closed where there will be none."""
        try:
            return await self._opened.recv()
        except ConnectionClosed as error:
            raise Closed(_how(error)) from None

    async def send(self, message: str | bytes) -> None:
        """Send a message, once there is room for it. Raises Closed."""
        try:
            await self._opened.send(message)
        except ConnectionClosed as error:
            raise Closed(_how(error)) from None

    async def close(self, close: Close) -> None:
        """Close it, and wait for the upstream's answer to that; what it still sends is dropped."""
        code, reason = close.sendable()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._opened.close(code, reason))
            group.create_task(self._discard())

    async def _discard(self) -> None:
        """Read on: an answer to a close comes after all that the upstream has sent before."""
        with suppress(ConnectionClosed):
            while True:
                await self._opened.recv()

    def abort(self) -> None:
        """Cut it, if it is open still."""
        if self._connection is not None:
            self._connection.transport.abort()


def _how(error: ConnectionClosed) -> Close:
    """Say how the upstream closed; what it did not say itself is abnormal."""
    received = error.rcvd
    return Close(received.code, received.reason) if received is not None else Close(ABNORMAL)


def _raw(headers: HandshakeHeaders) -> Headers:
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.raw_items()
    ]
