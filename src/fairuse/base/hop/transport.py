"""The gateway's client as a transport for httpx, for applications that want its pool.

    client = httpx.AsyncClient(transport=HopTransport())

It keeps nothing but connections, and retries what httpx would not: a request that can be repeated,
on a connection that was closed before a byte of an answer came.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import httpx

from fairuse.base.errors import (
    UpstreamBusy,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from fairuse.base.hop.client import Client, ConnectTimeout
from fairuse.base.hop.trust import tls_context
from fairuse.base.hop.upstream import Request, Target, Timeouts
from fairuse.base.wire import PORTS, announces_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from fairuse.base.hop.reply import Reply
    from fairuse.base.wire import Headers

_NAMES: dict[type[UpstreamError], type[httpx.TransportError]] = {
    UpstreamBusy: httpx.PoolTimeout,
    ConnectTimeout: httpx.ConnectTimeout,
    UpstreamTimeout: httpx.ReadTimeout,
    UpstreamUnreachable: httpx.ConnectError,
}


class HopTransport(httpx.AsyncBaseTransport):
    """Sends httpx's requests over connections of our own."""

    def __init__(self, max_connections: int = 1_000, tls: SSLContext | None = None) -> None:
        self._client = Client(max_connections)
        self._tls = tls

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises httpx.TransportError."""
        url = request.url
        if url.scheme not in PORTS:
            raise httpx.UnsupportedProtocol(f"{url.scheme!r} is no protocol of this transport")
        if url.scheme == "https" and self._tls is None:
            self._tls = tls_context(None, None, None)
        origin = f"{url.scheme}://{url.netloc.decode()}"
        target = Target((origin,), _timeouts(request.extensions), self._tls)
        path: bytes = request.extensions.get("target", url.raw_path)
        headers: Headers = [(name.lower(), value) for name, value in request.headers.raw]
        try:
            reply = await self._client.send(
                target, Request(request.method, path, headers, _body(request, headers))
            )
        except UpstreamError as error:
            raise _named(error, request) from error
        except ValueError as error:
            raise httpx.LocalProtocolError(str(error), request=request) from error
        return httpx.Response(
            reply.status,
            headers=reply.headers,
            stream=_Stream(reply, request),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()


class _Stream(httpx.AsyncByteStream):
    def __init__(self, reply: Reply, request: httpx.Request) -> None:
        self._reply = reply
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._reply.chunks():
                yield chunk
        except UpstreamError as error:
            raise _named(error, self._request) from error

    async def aclose(self) -> None:
        await self._reply.close()


def _body(request: httpx.Request, headers: Headers) -> AsyncIterator[bytes] | None:
    """Give the body, where the request announces one."""
    if not announces_body(headers):
        return None
    if not isinstance(request.stream, httpx.AsyncByteStream):
        raise httpx.UnsupportedProtocol("the body must be read asynchronously")
    return aiter(request.stream)


def _timeouts(extensions: Any) -> Timeouts:
    """Take httpx's timeouts; None is no limit."""
    known = extensions.get("timeout", {})
    connect, read = known.get("connect"), known.get("read")
    return Timeouts(
        math.inf if connect is None else connect, math.inf if read is None else read, math.inf
    )


def _named(error: UpstreamError, request: httpx.Request) -> httpx.TransportError:
    for kind, name in _NAMES.items():
        if isinstance(error, kind):
            return name(str(error), request=request)
    return httpx.RemoteProtocolError(str(error), request=request)
