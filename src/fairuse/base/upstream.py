"""The HTTP client that speaks to the upstream; the only file that knows which client it is.

It is httpx's transport, without httpx's client: no cookie jar, no redirects, no proxies from the
environment, no decoding, and the request target as it came in (HTTP-36, HTTP-21).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx

from fairuse.base.errors import (
    UpstreamBroken,
    UpstreamBusy,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

Headers = list[tuple[bytes, bytes]]

POOL_TIMEOUT_SECONDS = 5
KEEPALIVE_SECONDS = 4
"""Shorter than the 5 s after which common servers (uvicorn, Node) close an idle connection."""

_ERRORS: dict[type[httpx.TransportError], type[UpstreamError]] = {
    httpx.PoolTimeout: UpstreamBusy,
    httpx.TimeoutException: UpstreamTimeout,
    httpx.ConnectError: UpstreamUnreachable,
    httpx.TransportError: UpstreamBroken,
}


class Timeouts(NamedTuple):
    """Seconds that connecting may take, and that may pass between two bytes."""

    connect: float
    response: float


class _Body(httpx.AsyncByteStream):
    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks


class Reply:
    """The upstream's answer: status and headers at once, the body as it comes."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Headers = [(name.lower(), value) for name, value in response.headers.raw]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body's bytes, undecoded. Raises UpstreamError where it breaks off."""
        with _named_errors():
            async for chunk in self._response.stream:  # type: ignore[union-attr]
                yield chunk

    async def close(self) -> None:
        """Let go of the connection."""
        await self._response.aclose()


class Upstream:
    """A pool of connections to the upstream."""

    def __init__(self, max_connections: int) -> None:
        self._transport = httpx.AsyncHTTPTransport(
            trust_env=False,
            limits=httpx.Limits(
                max_connections=max_connections,
                max_keepalive_connections=max_connections,
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
        )

    async def send(
        self,
        method: str,
        origin: str,
        target: bytes,
        headers: Headers,
        body: AsyncIterator[bytes] | None,
        timeouts: Timeouts,
    ) -> Reply:
        """Send a request and give the reply once its head is there. Raises UpstreamError."""
        request = httpx.Request(
            method,
            origin,
            headers=headers,
            stream=httpx.ByteStream(b"") if body is None else _Body(body),
            extensions={"target": target, "timeout": _timeout_extension(timeouts)},
        )
        with _named_errors():
            response = await self._transport.handle_async_request(request)
        return Reply(response)

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


def _timeout_extension(timeouts: Timeouts) -> dict[str, float]:
    return {
        "connect": timeouts.connect,
        "read": timeouts.response,
        "write": timeouts.response,
        "pool": POOL_TIMEOUT_SECONDS,
    }


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        for kind, name in _ERRORS.items():
            if isinstance(error, kind):
                raise name(type(error).__name__) from error
        raise
