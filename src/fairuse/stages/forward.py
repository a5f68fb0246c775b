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
)
from fairuse.base.hangup import EXTENSION, HangUp
from fairuse.base.hop.clients import client_named
from fairuse.base.hop.upstream import Request
from fairuse.base.keys import new_gateway_name
from fairuse.base.request_body import ClientGone, RequestBody
from fairuse.base.wire import announces_body
from fairuse.rules.exchange import CLIENT_GONE
from fairuse.rules.forwarding import (
    forwarded_headers,
    request_headers,
    response_headers,
)
from fairuse.rules.hops import Via, one_hop_less

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Send

    from fairuse.base.hop.clients import ClientName
    from fairuse.base.hop.upstream import Answered, Upstream
    from fairuse.base.wire import Headers
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange


class Forward(Protocol):
    """Answers a request that was let through.

    Notes the answer's status in the exchange. Raises UpstreamError where there is no answer.
    """

    dates_answers: ClassVar[bool]
    """Whether our own answers need a Date, because no server in front adds one."""

    @property
    def via(self) -> Via | None:
        """Give as whom requests are passed on; None where they go no hop further."""
        ...

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
    via: ClassVar[None] = None

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


class ToUpstream:
    """Sends the request to the upstream.

    A client that hangs up ends the exchange, with one exception: where units are reserved and a
    complete request is on its way, the upstream may have accepted it, so its status is awaited and
    settled, and its whole answer where that says what it cost. Otherwise hanging up early would be
    a way to use the API without being counted.
    """

    dates_answers: ClassVar[bool] = True

    def __init__(self, make: Callable[[ClientName, int], Upstream] = client_named) -> None:
        self.via = Via(new_gateway_name())
        self._make = make
        self._upstream: Upstream | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(
        self, exchange: Exchange, config: Config, receive: Receive, send: Send
    ) -> None:
        """Answer one request."""
        upstream = self._upstream or self._first(config)
        hangup = exchange.scope.get("extensions", {}).get(EXTENSION)
        # Only our own server's `receive` is known to bear it. It asks for a body that waits to be
        # asked for, which is too early while there is nobody to take it.
        at_once = hangup is not None and exchange.header(b"expect") is None
        body = RequestBody(receive, announced=announces_body(exchange.headers), at_once=at_once)
        # The loop is named because looking for it is a system call.
        relay = _Relay(exchange, body, send, asyncio.current_task(self._loop))
        watching = None
        if hangup is None:
            hangup = HangUp()
            watching = asyncio.create_task(relay.watch(hangup))
        hangup.watch(relay.client_gone)
        try:
            await relay.run(upstream, config, self.via)
        except asyncio.CancelledError:
            if not relay.given_up:
                # Only the server cancels a request, when its time to drain is over.
                exchange.fault = None
                raise GatewayStopping("the time to drain is over") from None
            relay.task.uncancel()
        except ClientGone:
            exchange.fault = CLIENT_GONE
        finally:
            exchange.reached = relay.sent
            hangup.unwatch()
            if watching is not None:
                watching.cancel()
                await asyncio.wait((watching,))

    def _first(self, config: Config) -> Upstream:
        """Make the client with the first request: its settings hold until the gateway stops."""
        settings = config.settings.upstream
        if settings is None:
            raise UpstreamBroken("gateway.toml names no upstream")
        self._loop = asyncio.get_running_loop()
        self._upstream = self._make(settings.client, settings.max_connections)
        return self._upstream

    async def close(self) -> None:
        """Close every connection to the upstream."""
        if self._upstream is not None:
            await self._upstream.close()


class _Relay:
    """One request on its way to the upstream, and its answer on the way back.

    `given_up` says that it was cancelled because its client is gone.
    """

    __slots__ = ("_body", "_exchange", "_head_known", "_request", "_send", "given_up", "task")

    def __init__(
        self,
        exchange: Exchange,
        body: RequestBody,
        send: Send,
        task: asyncio.Task[Any] | None,
    ) -> None:
        if task is None:
            raise RuntimeError("a request is answered by a task")
        self.task = task
        self.given_up = False
        self._exchange = exchange
        self._body = body
        self._send = send
        self._head_known = False
        self._request: Request | None = None

    async def run(self, upstream: Upstream, config: Config, via: Via) -> None:
        """Send the request, and pass the answer back."""
        exchange, target = self._exchange, config.upstream
        if self.given_up:
            await asyncio.sleep(0)  # where it is cancelled: no byte of it may leave any more
        if target is None:
            raise UpstreamBroken("gateway.toml names no upstream")
        headers = _request_headers(exchange, config, via, target.origins[0])
        body = self._body.sent_on()
        self._request = Request(exchange.method, exchange.request_target, headers, body)
        reply = await upstream.send(target, self._request)
        try:
            if not 200 <= reply.status <= 599:
                raise UpstreamBroken(f"status {reply.status}")
            exchange.status = reply.status
            self._head_known = True
            await self._pass_back(reply)
        finally:
            await reply.close()

    async def _pass_back(self, reply: Answered) -> None:
        send, status = self._send, reply.status
        headers = response_headers(reply.headers, status)
        # Also where the client is gone: its headers may say what the request cost.
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if self._may_leave:
            return
        body = reply.whole
        if body is None:
            async for chunk in reply.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if self._may_leave:
                    return
            body = b""
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def watch(self, hangup: HangUp) -> None:
        """Wait until the client hangs up, where the server tells of it through `receive` alone."""
        await self._body.until_gone()
        hangup.happen()

    def client_gone(self) -> None:
        """Give up, unless what the upstream answers has to be known."""
        self._exchange.fault = CLIENT_GONE
        if self._may_leave:
            self.given_up = True
            self.task.cancel()

    @property
    def sent(self) -> bool:
        """Say whether the upstream may have got something of the request."""
        return self._request is not None and self._request.sent

    @property
    def _may_leave(self) -> bool:
        """Say whether the client is gone, and nothing has to be known any more."""
        exchange = self._exchange
        if exchange.fault != CLIENT_GONE:
            return False
        if not exchange.moves or not self._body.complete or not self.sent:
            return True
        return self._head_known and (not exchange.reads_answer or _cost_is_read(exchange))


def _cost_is_read(exchange: Exchange) -> bool:
    return all(move.reader is None or move.reader.over for move in exchange.moves)


def _request_headers(exchange: Exchange, config: Config, via: Via, origin: str) -> Headers:
    theirs = _asking_plainly(exchange) if exchange.reads_answer else exchange.headers
    if exchange.method == "OPTIONS":
        theirs = one_hop_less(exchange, theirs)
    headers = request_headers(theirs, forwarded_headers(exchange, config, via))
    if exchange.header(b"host") is None:  # HTTP/1.0 has none, HTTP/1.1 needs one
        headers.insert(0, (b"host", urlsplit(origin).netloc.encode()))
    return headers


def _asking_plainly(exchange: Exchange) -> Headers:
    """Give the client's headers, asking for no compression: that can't be read as it passes."""
    theirs = [pair for pair in exchange.headers if pair[0] != b"accept-encoding"]
    return [*theirs, (b"accept-encoding", b"identity")]
