"""Relay a WebSocket: one to the upstream for each of a client's, and the messages between them.

The upstream is connected first: the client is accepted as the upstream accepted, with the
subprotocol it chose, or refused as it refused. Pings are answered on each side by itself.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, ClassVar

from fairuse.base.errors import GatewayStopping, UpstreamBroken, UpstreamBusy
from fairuse.base.log import logger
from fairuse.base.websocket.client import ClientWebSocket
from fairuse.base.websocket.side import ABNORMAL, GOING_AWAY, INTERNAL_ERROR, Close, Closed
from fairuse.base.websocket.upstream import Handshake, HandshakeRejected, UpstreamWebSocket
from fairuse.rules.exchange import CLIENT_GONE
from fairuse.rules.forwarding import (
    accept_headers,
    forwarded_headers,
    handshake_headers,
    rejection_headers,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Send

    from fairuse.base.websocket.side import Side
    from fairuse.base.wire import Headers
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange
    from fairuse.rules.hops import Via

IDLE_SECONDS = 300.0
"""How long a WebSocket may go without a message in either direction (F-13)."""

_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")

log = logger(__name__)


class RelayWebSocket:
    """Answers handshakes that were let through; a `Forward` of the pipeline.

    `open` is how many WebSockets there are, `idle_seconds` how long one may go without a message.
    """

    dates_answers: ClassVar[bool] = True

    def __init__(self, via: Via, idle_seconds: float = IDLE_SECONDS) -> None:
        self.via = via
        self._idle_seconds = idle_seconds
        self._turns = count()
        self.open = 0

    async def __call__(
        self, exchange: Exchange, config: Config, receive: Receive, send: Send
    ) -> None:
        """Relay one WebSocket until it is closed. Raises UpstreamError where there is none."""
        settings = config.settings.upstream
        if settings is not None and self.open >= settings.max_connections:
            raise UpstreamBusy("as many WebSockets are open as may be")
        self.open += 1
        upstream = UpstreamWebSocket()
        client = ClientWebSocket(exchange.scope, receive, send)
        try:
            await client.greet()
            await self._opened(exchange, config, client, upstream)
            headers = _with_request_id(accept_headers(upstream.headers), exchange)
            await client.accept(headers, upstream.subprotocol)
            await _Relay(exchange, client, upstream, self._idle_seconds).run()
        except HandshakeRejected as rejection:
            status, body = rejection.status, rejection.body
            headers = rejection_headers(rejection.headers, status, body)
            await client.reject(status, _with_request_id(headers, exchange), body)
        except Closed:
            exchange.fault = CLIENT_GONE
        except asyncio.CancelledError:
            # Only the server cancels, when its time to drain is over.
            raise GatewayStopping("the time to drain is over") from None
        finally:
            client.leave()
            upstream.abort()
            self.open -= 1

    async def _opened(
        self,
        exchange: Exchange,
        config: Config,
        client: ClientWebSocket,
        upstream: UpstreamWebSocket,
    ) -> None:
        """Wait for the upstream. Raises Closed where the client hangs up meanwhile.

        Where units are reserved the upstream's answer is awaited all the same: it may have
        accepted, and to hang up early is no way to use the API without being counted.
        """
        opening = asyncio.create_task(self._shake_hands(exchange, config, upstream))
        try:
            gone = await client.gone_before(opening)
            if gone is None or exchange.moves:
                await opening
            if gone is not None:
                raise Closed(gone)
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)

    async def _shake_hands(
        self, exchange: Exchange, config: Config, upstream: UpstreamWebSocket
    ) -> None:
        """Open the upstream's side, and note what it answered."""
        target = config.upstream
        if target is None:
            raise UpstreamBroken("gateway.toml names no upstream")
        first = next(self._turns) % len(target.origins)
        origins = (*target.origins[first:], *target.origins[:first])
        try:
            await upstream.open(target, origins, _handshake(exchange, config, self.via))
        except HandshakeRejected as rejection:
            if not 200 <= rejection.status <= 599:
                raise UpstreamBroken(f"status {rejection.status}") from None
            exchange.status = rejection.status
            raise
        exchange.status = HTTPStatus.SWITCHING_PROTOCOLS


def _with_request_id(headers: Headers, exchange: Exchange) -> Headers:
    theirs = [pair for pair in headers if pair[0] != b"x-request-id"]
    return [*theirs, (b"x-request-id", exchange.request_id.encode())]


def _handshake(exchange: Exchange, config: Config, via: Via) -> Handshake:
    headers = handshake_headers(exchange.headers, forwarded_headers(exchange, config, via))
    offered = [name for name in exchange.scope.get("subprotocols", ()) if _TOKEN.fullmatch(name)]
    return Handshake(exchange.request_target, headers, offered)


class _Relay:
    """Passes messages on both ways, one at a time, until one side closes or nobody says any."""

    def __init__(
        self,
        exchange: Exchange,
        client: ClientWebSocket,
        upstream: UpstreamWebSocket,
        idle_seconds: float,
    ) -> None:
        self._exchange = exchange
        self._client = client
        self._upstream = upstream
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._latest = self._loop.time()

    async def run(self) -> None:
        """Relay, and close the other side as the one was closed."""
        up = asyncio.create_task(self._pass_on(self._client, self._upstream))
        down = asyncio.create_task(self._pass_on(self._upstream, self._client))
        try:
            await self._until_over(up, down)
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        if not up.cancelled():
            await self._client_closed(up.result())
        elif not down.cancelled():
            await self._upstream_closed(down.result())
        else:
            idle = Close(GOING_AWAY, "idle")
            await self._client.close(idle)
            await self._upstream.close(idle)

    async def _until_over(self, *passing: asyncio.Task[Close]) -> None:
        done: set[asyncio.Task[Close]] = set()
        while not done and (left := self._latest + self._idle_seconds - self._loop.time()) > 0:
            done, _ = await asyncio.wait(passing, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def _pass_on(self, source: Side, sink: Side) -> Close:
        """Pass on what one side says; gives how it closed."""
        while True:
            try:
                message = await source.receive()
            except Closed as closed:
                return closed.close
            self._latest = self._loop.time()
            with suppress(Closed):  # how, the other direction finds out
                await sink.send(message)

    async def _client_closed(self, close: Close) -> None:
        if close.code == ABNORMAL:
            self._exchange.fault = CLIENT_GONE
        await self._upstream.close(close)

    async def _upstream_closed(self, close: Close) -> None:
        if close.code == ABNORMAL:
            self._exchange.fault = UpstreamBroken.kind
            log.warning("upstream.failed", request_id=self._exchange.request_id, reason="hung up")
            close = Close(INTERNAL_ERROR)
        await self._client.close(close)
