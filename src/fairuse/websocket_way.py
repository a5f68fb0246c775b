"""The way of a WebSocket: that of a request, settled when it closes.

admit -> identify -> meter -> decide -> relay -> settle

What would keep another one out by then cuts one that is open: a block, a measure, and units of its
own that went over a hard limit.
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from fairuse.base import metrics
from fairuse.base.errors import UpstreamError
from fairuse.base.incoming import Incoming
from fairuse.base.keys import new_request_id
from fairuse.base.log import logger
from fairuse.base.websocket.client import REJECTING
from fairuse.base.websocket.cuttable import Cut, Cuttable
from fairuse.base.websocket.side import POLICY_VIOLATION, Close
from fairuse.rules.exchange import Exchange
from fairuse.rules.hops import stopped
from fairuse.rules.reader import reader_of
from fairuse.rules.refusal import Refusal
from fairuse.stages.admit import admit
from fairuse.stages.answer import Answer
from fairuse.stages.identify import blocked_here, identify
from fairuse.stages.observe import counted, size
from fairuse.stages.restrict import restricted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message, Receive, Scope, Send

    from fairuse.pipeline import Pipeline
    from fairuse.rules.blocks import Block
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Subject
    from fairuse.stages.forward import Forward
    from fairuse.stages.meter import Plan
    from fairuse.stores.protocol import Receipt


log = logger(__name__)


async def handle_websocket(
    pipeline: Pipeline, scope: Scope, receive: Receive, send: Send, relay: Forward | None = None
) -> None:
    """Take a WebSocket along the way, and note how it went.

    `relay` answers it where it is not what answers requests.
    """
    exchange = Exchange(scope, pipeline.clock.now(), new_request_id())
    config = pipeline.configuration.current
    forward = relay or pipeline.forward
    try:
        refusal = await _way(pipeline, exchange, config, receive, send, forward)
        metrics.requests("served" if refusal is None else refusal.kind).inc()
        if refusal is not None:
            await pipeline.kept()
            await _refuse(pipeline, refusal, exchange, config, receive, send)
    except UpstreamError as error:
        exchange.fault = error.kind
        metrics.requests(error.kind).inc()
        log.warning("upstream.failed", request_id=exchange.request_id, reason=str(error))
        if exchange.status != HTTPStatus.SWITCHING_PROTOCOLS:
            refusal = Refusal(error.kind, "upstream")
            await _refuse(pipeline, refusal, exchange, config, receive, send)
    finally:
        pipeline.note(exchange)


async def _refuse(
    pipeline: Pipeline,
    refusal: Refusal,
    exchange: Exchange,
    config: Config,
    receive: Receive,
    send: Send,
) -> None:
    """Refuse as a request is refused, where the server in front can; it sends 403 otherwise."""
    exchange.status, exchange.rule = refusal.status, refusal.rule
    if REJECTING not in exchange.scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return

    async def send_rejection(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    answer = Answer(exchange, send_rejection, dated=pipeline.forward.dates_answers)
    await answer.refuse(refusal, reader_of(exchange, config), Incoming(receive))


async def _way(
    pipeline: Pipeline,
    exchange: Exchange,
    config: Config,
    receive: Receive,
    send: Send,
    forward: Forward,
) -> Refusal | None:
    """Go the way of a WebSocket; gives the refusal where it ends early."""
    if refusal := admit(exchange, config, pipeline.blocks):
        return refusal
    subject = identify(exchange, config, pipeline.unknown_callers)
    if isinstance(subject, Refusal):
        return subject
    if refusal := blocked_here(exchange, subject, config, pipeline.blocks):
        return refusal
    if refusal := restricted(exchange, subject, pipeline.forces, exchange.at.wall):
        return refusal
    if forward.via is not None and (refusal := stopped(exchange, forward.via)):
        return refusal
    plan = pipeline.plans.of(exchange, subject)
    socket = _WebSocket(pipeline, exchange, subject, receive, send)
    with socket.watched():
        return await socket.metered_way(plan, config, forward)


class _WebSocket:
    """One that was not refused so far, counted as it passes."""

    def __init__(
        self,
        pipeline: Pipeline,
        exchange: Exchange,
        subject: Subject,
        receive: Receive,
        send: Send,
    ) -> None:
        self._pipeline = pipeline
        self._exchange = exchange
        self._subject = subject
        self._send = send
        self._client = Cuttable(counted(exchange, receive), self._send_counted)
        self._receipt: Receipt | None = None
        self._cut_for: Refusal | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Have it cut by a block, from here on; no request of it is ever looked at again."""
        address, account = self._subject.address.bucket, self._subject.account
        with self._pipeline.blocks.watched(address, account, self._blocked):
            self._pipeline.cuts[self._exchange] = self._cut
            try:
                yield
            finally:
                del self._pipeline.cuts[self._exchange]

    def _blocked(self, block: Block) -> None:
        if self._subject.address.text not in self._pipeline.configuration.current.never_block:
            self._cut(Refusal("blocked", block.rule, until=block.ends_at))

    def _cut(self, refusal: Refusal) -> None:
        if self._client.cut(Close(POLICY_VIOLATION, f"{refusal.kind}: {refusal.rule}")):
            self._cut_for, self._exchange.rule = refusal, refusal.rule
            log.info("websocket.cut", request_id=self._exchange.request_id, rule=refusal.rule)

    async def metered_way(self, plan: Plan, config: Config, forward: Forward) -> Refusal | None:
        """Go on with an account's WebSocket, until it is closed or cut."""
        pipeline, exchange, client = self._pipeline, self._exchange, self._client
        receipt, _ = await pipeline.whether(exchange, self._subject, plan, config)
        if isinstance(receipt, Refusal):
            return receipt
        self._receipt = receipt
        try:
            if pipeline.journal.strict and receipt.claims:
                await pipeline.journal.committed()
            if self._cut_for is None:
                await forward(exchange, config, client.receive, client.send)
        except Cut:
            pass  # an app that says something still
        finally:
            if self._cut_for is not None:
                exchange.fault = None  # it is we who left
            self._settle()
            await client.told()
        return None if client.accepted else self._cut_for

    async def _send_counted(self, message: Message) -> None:
        exchange = self._exchange
        if message["type"] == "websocket.accept":
            exchange.status = HTTPStatus.SWITCHING_PROTOCOLS
        elif message["type"] == "websocket.http.response.start":
            exchange.status = message["status"]
        exchange.sent_bytes += size(message)
        if message["type"] in _OVER and not message.get("more_body", False):
            self._settle()  # who is told so may ask again at once
        if self._cut_for is not None:
            await self._pipeline.kept()
        await self._send(message)

    def _settle(self) -> None:
        if self._receipt is not None:
            self._pipeline.settle(self._exchange, self._subject, self._receipt)


_OVER = frozenset({"websocket.close", "websocket.http.response.body"})
"""What a WebSocket's client is told last."""
