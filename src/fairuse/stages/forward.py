"""Forward: pass the request on, to the upstream or to the mounted app, streaming both ways.

This is the only stage in which the gateway and the middleware differ.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import urlsplit

from fairuse.base.errors import (
    GatewayStopping,
    UpstreamBroken,
    UpstreamBusy,
    UpstreamUnreachable,
)
from fairuse.base.upstream import Reply, Timeouts, Upstream
from fairuse.rules.exchange import CLIENT_GONE
from fairuse.rules.forwarding import has_body, request_headers, response_headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Send

    from fairuse.base.wire import Headers
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange


class Forward(Protocol):
    """Answers a request that was let through.

    Notes the answer's status in the exchange. Raises UpstreamError where there is no answer.
    """

    dates_answers: ClassVar[bool]
    """Whether our own answers need a Date, because no server in front adds one."""

    async def __call__(
        self, exchange: Exchange, config: Config, receive: Receive, send: Send
    ) -> None:
        """Answer one request."""
        ...


UNSEEN = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
"""Ways of answering whose bytes pass us by; an app that is not offered them sends the bytes."""


class ToApp:
    """Hands the request to the app that the middleware wraps."""

    dates_answers: ClassVar[bool] = False

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(
        self,
        exchange: Exchange,
        config: Config,  # noqa: ARG002
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer one request; `send` notes the status."""
        scope = exchange.scope
        if exchange.reads_answer:
            scope = {**scope, "headers": _asking_plainly(exchange)}
        if offered := scope.get("extensions"):
            kept = {name: how for name, how in offered.items() if name not in UNSEEN}
            scope = {**scope, "extensions": kept}
        await self._app(scope, receive, send)


class ClientGone(Exception):
    """The client hung up before its request was complete."""


class ToUpstream:
    """Sends the request to the upstream.

    A client that hangs up ends the exchange, with one exception: where units are reserved and the
    request is complete, the upstream may have accepted it, so its status is awaited and settled,
    and its whole answer where that says what it cost. Otherwise hanging up early would be a way to
    use the API without being counted.
    """

    dates_answers: ClassVar[bool] = True

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def __call__(
        self, exchange: Exchange, config: Config, receive: Receive, send: Send
    ) -> None:
        """Answer one request."""
        body = _RequestBody(receive, announced=has_body(exchange.headers))
        head = asyncio.Event()
        relay = asyncio.create_task(self._relay(exchange, config, body, head, send))
        gone = asyncio.create_task(body.until_gone())
        try:
            await asyncio.wait((relay, gone), return_when=asyncio.FIRST_COMPLETED)
            if not relay.done():
                exchange.fault = CLIENT_GONE
                if exchange.moves and body.complete.is_set():
                    told = [] if exchange.reads_answer else [asyncio.create_task(head.wait())]
                    await _first(relay, *told)
        except asyncio.CancelledError:
            # Only the server cancels a request, when its time to drain is over.
            exchange.fault = None
            raise GatewayStopping("the time to drain is over") from None
        finally:
            relay.cancel()
            gone.cancel()
            await asyncio.gather(relay, gone, return_exceptions=True)
        if not relay.cancelled() and (error := relay.exception()):
            if isinstance(error, ClientGone):
                exchange.fault = CLIENT_GONE
                return
            if isinstance(error, UpstreamUnreachable | UpstreamBusy):
                exchange.fault = None  # it never got there, whoever left first
            raise error

    async def _relay(
        self,
        exchange: Exchange,
        config: Config,
        body: _RequestBody,
        head: asyncio.Event,
        send: Send,
    ) -> None:
        settings = config.settings.upstream
        if settings is None:
            raise UpstreamBroken("gateway.toml names no upstream")
        reply = await self._upstream.send(
            exchange.method,
            settings.url,
            _target(exchange.scope),
            _request_headers(exchange, config, settings.url),
            body.chunks() if body.announced else None,
            Timeouts(settings.connect_timeout, settings.response_timeout),
        )
        try:
            if not 200 <= reply.status <= 599:
                raise UpstreamBroken(f"status {reply.status}")
            exchange.status = reply.status
            head.set()
            await _pass_back(reply, send, exchange)
        finally:
            await reply.close()


class _RequestBody:
    """The client's body, read as the upstream takes it."""

    def __init__(self, receive: Receive, *, announced: bool) -> None:
        self._receive = receive
        self.announced = announced
        self.complete = asyncio.Event()
        if not announced:
            self.complete.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body's bytes. Raises ClientGone where the client hangs up before the end."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            more = message.get("more_body", False)
            if not more:
                self.complete.set()
            if message.get("body"):
                yield message["body"]

    async def until_gone(self) -> None:
        """Wait until the client hangs up."""
        await self.complete.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _first(*tasks: asyncio.Task[Any]) -> None:
    """Wait for one of the tasks; the others but the first are cancelled."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks[1:]:
            task.cancel()


async def _pass_back(reply: Reply, send: Send, exchange: Exchange) -> None:
    headers = response_headers(reply.headers, reply.status)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    async for chunk in reply.chunks():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if exchange.fault == CLIENT_GONE and _cost_is_read(exchange):
            return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _cost_is_read(exchange: Exchange) -> bool:
    return all(move.reader is None or move.reader.over for move in exchange.moves)


def _target(scope: Any) -> bytes:
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _request_headers(exchange: Exchange, config: Config, origin: str) -> Headers:
    theirs = _asking_plainly(exchange) if exchange.reads_answer else exchange.headers
    headers = request_headers(theirs, _our_headers(exchange, config))
    if exchange.header(b"host") is None:  # HTTP/1.0 has none, HTTP/1.1 needs one
        headers.insert(0, (b"host", urlsplit(origin).netloc.encode()))
    return headers


def _asking_plainly(exchange: Exchange) -> Headers:
    """Give the client's headers, asking for no compression: that can't be read as it passes."""
    theirs = [pair for pair in exchange.headers if pair[0] != b"accept-encoding"]
    return [*theirs, (b"accept-encoding", b"identity")]


def _our_headers(exchange: Exchange, config: Config) -> Headers:
    """Give the headers that tell the upstream who is asking, and over which hops."""
    proto, host = exchange.scope["scheme"].encode(), exchange.header(b"host")
    if config.resolver.trusts(exchange.peer):
        proto = exchange.header(b"x-forwarded-proto") or proto
        host = exchange.header(b"x-forwarded-host") or host
    account = exchange.subject.account.encode() if exchange.subject else b""
    ours = [
        (b"x-forwarded-for", b", ".join(_hops(exchange, config))),
        (b"x-forwarded-proto", proto),
        (b"x-request-id", exchange.request_id.encode()),
        (b"x-fairuse-account", account),
    ]
    return [*ours, (b"x-forwarded-host", host)] if host else ours


def _hops(exchange: Exchange, config: Config) -> list[bytes]:
    """Give the hops so far; a header that no trusted proxy vouches for is not passed on."""
    peer = (exchange.peer or "unix").encode()
    if not config.resolver.trusts(exchange.peer):
        return [peer]
    if config.resolver.header == b"x-forwarded-for":
        return [*exchange.header_lines(b"x-forwarded-for"), peer]
    client = exchange.address.text.encode() if exchange.address else peer
    return [client, peer] if client != peer else [peer]
