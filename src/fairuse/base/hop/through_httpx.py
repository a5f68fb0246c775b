"""Requests over httpx's transport, for those who trust it more than ours: many times slower.

It is used without httpx's client: no cookie jar, no redirects, no proxies from the environment, no
decoding, and the request target as it came in (HTTP-36, HTTP-21).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import httpx

from fairuse.base.errors import (
    UpstreamBroken,
    UpstreamBusy,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from fairuse.base.hop.upstream import KEEPALIVE_SECONDS, WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from ssl import SSLContext

    from fairuse.base.hop.upstream import Request, Target, Timeouts
    from fairuse.base.wire import Headers

BEGUN = "http11.send_request_headers.started"
"""httpcore's name for the moment from which a request can be cancelled without a loss."""

_ERRORS: dict[type[httpx.TransportError], type[UpstreamError]] = {
    httpx.TimeoutException: UpstreamTimeout,
    httpx.ConnectError: UpstreamUnreachable,
    httpx.TransportError: UpstreamBroken,
}


class _Body(httpx.AsyncByteStream):
    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks


class HttpxReply:
    """The upstream's answer: status and headers at once, the body as it comes."""

    whole = None
    """It is never known whether all of the body is there."""

    def __init__(self, response: httpx.Response, done: Callable[[], None]) -> None:
        self._response = response
        self._done = done
        self.status = response.status_code
        self.headers: Headers = [(name.lower(), value) for name, value in response.headers.raw]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body's bytes, undecoded. Raises UpstreamError where it breaks off."""
        with _named_errors():
            async for chunk in self._response.stream:  # type: ignore[union-attr]
                yield chunk

    async def close(self) -> None:
        """Let go of the connection."""
        try:
            await self._response.aclose()
        finally:
            self._done()


class HttpxClient:
    """A pool of connections to the upstream.

    httpcore loses a place in its pool (encode/httpcore#1093) or a socket for ever when a request is
    cancelled before it is sent, and a gateway cancels whenever a client hangs up. So requests wait
    for their turn here, where cancelling is harmless, and one that had its turn is cancelled only
    once it is being sent.
    """

    def __init__(self, max_connections: int) -> None:
        self._most = max_connections
        self._places = asyncio.Semaphore(max_connections)
        self._abandoned: set[asyncio.Task[None]] = set()
        self._transports: dict[SSLContext | None, httpx.AsyncHTTPTransport] = {}
        self._turns = count()

    async def send(self, target: Target, request: Request) -> HttpxReply:
        """Send a request and give the reply once its head is there. Raises UpstreamError."""
        asked = httpx.Request(
            request.method,
            target.origins[next(self._turns) % len(target.origins)],
            headers=request.headers,
            stream=_stream(request.body),
            extensions={"target": request.path, "timeout": _timeout_extension(target.timeouts)},
        )
        await self._wait_for_turn()
        begun, left = asyncio.Event(), False

        async def trace(event: str, _info: object) -> None:
            if event == BEGUN:
                if left:
                    raise UpstreamBroken("nobody waits for it any more")
                request.sent = True
                begun.set()

        asked.extensions["trace"] = trace
        transport = self._transports.get(target.tls) or self._transport(target.tls)
        sending = asyncio.create_task(transport.handle_async_request(asked))
        try:
            with _named_errors():
                return HttpxReply(await asyncio.shield(sending), self._places.release)
        except asyncio.CancelledError:
            left = True
            abandoned = asyncio.create_task(self._abandon(sending, begun))
            self._abandoned.add(abandoned)
            abandoned.add_done_callback(self._abandoned.discard)
            raise
        except BaseException:
            self._places.release()
            raise

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*self._abandoned, return_exceptions=True)
        await asyncio.gather(*(transport.aclose() for transport in self._transports.values()))

    def _transport(self, tls: SSLContext | None) -> httpx.AsyncHTTPTransport:
        transport = self._transports[tls] = httpx.AsyncHTTPTransport(
            trust_env=False,
            verify=True if tls is None else tls,
            limits=httpx.Limits(
                max_connections=None,
                max_keepalive_connections=self._most,
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
        )
        return transport

    async def _wait_for_turn(self) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise UpstreamBusy("no connection came free") from None

    async def _abandon(self, sending: asyncio.Task[httpx.Response], begun: asyncio.Event) -> None:
        """Wait until a request that nobody waits for has ended, or cancel it once it has begun."""
        try:
            beginning = asyncio.create_task(begun.wait())
            await asyncio.wait((sending, beginning), return_when=asyncio.FIRST_COMPLETED)
            beginning.cancel()
            sending.cancel()
            await asyncio.wait((sending,))
            if not sending.cancelled() and sending.exception() is None:
                await sending.result().aclose()
        finally:
            self._places.release()


def _timeout_extension(timeouts: Timeouts) -> dict[str, float]:
    return {"connect": timeouts.connect, "read": timeouts.response, "write": timeouts.response}


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        for kind, name in _ERRORS.items():
            if isinstance(error, kind):
                raise name(type(error).__name__) from error
        raise


def _stream(body: AsyncIterator[bytes] | bytes | None) -> httpx.AsyncByteStream:
    if body is None or isinstance(body, bytes):
        return httpx.ByteStream(body or b"")
    return _Body(body)
