"""The way of a request, in one function.

admit -> identify -> meter -> decide -> forward -> settle      inline
                                                      |
                                                      +--> escalate -> notify      followups.py
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Protocol

from fairuse.base import metrics
from fairuse.base.errors import UpstreamError
from fairuse.base.keys import new_request_id
from fairuse.base.log import RequestLine, cut, logger
from fairuse.base.texts import preferred
from fairuse.base.wire import json_bytes
from fairuse.rules.exchange import Exchange
from fairuse.rules.refusal import EVENTS_PATH, Reader, Refusal
from fairuse.stages.admit import admit
from fairuse.stages.answer import Answer
from fairuse.stages.decide import block_repeated, decide, limit_headers, refusal_of
from fairuse.stages.identify import blocked_here, identify, identify_sender
from fairuse.stages.meter import Plan, Plans, meter, read_ahead
from fairuse.stages.settle import lasts, settle, settle_so_far
from fairuse.stores.protocol import Exceeded, Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Receive, Scope, Send

    from fairuse.base.clock import Clock
    from fairuse.base.log import AccessLog
    from fairuse.base.wire import Headers
    from fairuse.followups import Followups
    from fairuse.rules.config import Config, Sender
    from fairuse.rules.exchange import Subject
    from fairuse.stages.forward import Forward
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.callers import RecentEvents
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.journal import Journal
    from fairuse.stores.protocol import Counters

HEALTH_PATH = "/fairuse/health"
READY_PATH = "/fairuse/ready"
POLICY_VIOLATION = 1008
"""The WebSocket close code (RFC 6455 section 7.4.1); before the handshake it becomes a 403."""
SWITCHING_PROTOCOLS = 101

log = logger(__name__)


class Page(Protocol):
    """One of the gateway's own pages: read by an account, never metered."""

    async def __call__(self, subject: Subject, answer: Answer) -> None:
        """Answer a request."""
        ...


class Vitals(Protocol):
    """Says how the service is."""

    @property
    def ready(self) -> bool:
        """Say whether requests should come here."""
        ...

    def report(self) -> dict[str, str]:
        """Give the state of each part in a word."""
        ...


class Events(Protocol):
    """Takes usage events from a sender."""

    async def __call__(
        self, exchange: Exchange, sender: Sender, config: Config, receive: Receive, answer: Answer
    ) -> Refusal | None:
        """Answer a request, or give the refusal."""
        ...


@dataclass(slots=True)
class Pipeline:
    """The way, and everything it passes."""

    clock: Clock
    configuration: Configuration
    counters: Counters
    blocks: Blocks
    unknown_callers: RecentEvents
    refusals: RecentEvents
    journal: Journal
    followups: Followups
    forward: Forward
    access_log: AccessLog
    vitals: Vitals
    pages: Mapping[str, Page] = field(default_factory=dict)
    events: Events | None = None
    plans: Plans = field(default_factory=Plans)
    lasting: dict[Exchange, tuple[Subject, Receipt]] = field(default_factory=dict)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request along the way, and note how it went."""
        exchange = Exchange(scope, self.clock.now(), new_request_id())
        config = self.configuration.current
        answer = Answer(exchange, send, dated=self.forward.dates_answers)
        try:
            refusal = await self._way(exchange, config, receive, answer)
            metrics.requests("served" if refusal is None else refusal.kind).inc()
            if refusal is not None:
                await self._kept()
                await answer.refuse(refusal, _reader(exchange, config), receive)
        except UpstreamError as error:
            exchange.fault = error.kind
            metrics.requests(error.kind).inc()
            log.warning("upstream.failed", request_id=exchange.request_id, reason=str(error))
            # Once the head is out only an aborted connection can tell the client (HTTP-13): the
            # server aborts it when the response stays incomplete.
            if not answer.started:
                refusal = Refusal(error.kind, "upstream")
                await answer.refuse(refusal, _reader(exchange, config), receive)
        finally:
            self._log(exchange)

    async def _kept(self) -> None:
        """Have a block written before anybody is told of it: it is to hold after a crash (P6)."""
        if self.journal.blocks_waiting:
            await self.journal.committed()

    def _log(self, exchange: Exchange) -> None:
        if self.access_log.wanted:
            seconds = self.clock.now().monotonic - exchange.began
            self.access_log.record(_line(exchange, seconds))

    async def _way(
        self, exchange: Exchange, config: Config, receive: Receive, answer: Answer
    ) -> Refusal | None:
        """Go the way of a request; gives the refusal where it ends early."""
        if exchange.path in (HEALTH_PATH, READY_PATH):
            status = 200 if exchange.path == HEALTH_PATH or self.vitals.ready else 503
            await answer.whole(status, [_JSON], json_bytes({**self.vitals.report()}))
            return None
        if refusal := admit(exchange, config, self.blocks):
            return refusal
        if exchange.path == EVENTS_PATH and self.events is not None:
            sender = identify_sender(exchange, config, self.unknown_callers)
            if isinstance(sender, Refusal):
                return sender
            return await self.events(exchange, sender, config, receive, answer)
        subject = identify(exchange, config, self.unknown_callers)
        if isinstance(subject, Refusal):
            return subject
        if page := self.pages.get(exchange.path):
            await self._kept()
            await page(subject, answer)
            return None
        return await self._metered_way(exchange, subject, config, receive, answer)

    async def _metered_way(
        self,
        exchange: Exchange,
        subject: Subject,
        config: Config,
        receive: Receive,
        answer: Answer,
    ) -> Refusal | None:
        """Go on with an account's request."""
        if refusal := blocked_here(exchange, subject, config, self.blocks):
            return refusal
        plan = self.plans.of(exchange, subject)
        if plan.reads:
            read = await read_ahead(exchange, subject, receive)
            if isinstance(read, Refusal):
                return read
            receive = read
            exchange.at = self.clock.now()  # reading it may have taken long
        receipt, answer.limits = await self._whether(exchange, subject, plan, config)
        if isinstance(receipt, Refusal):
            return receipt
        answer.before_end = partial(self._settle, exchange, subject, receipt)
        try:
            if self.journal.strict and receipt.claims:
                await self.journal.committed()
            await self.forward(exchange, config, _counted(exchange, receive), answer)
        finally:
            answer.before_end()
            answer.before_end = None
        return None

    async def handle_websocket(
        self, scope: Scope, receive: Receive, send: Send, relay: Forward | None = None
    ) -> None:
        """Take a WebSocket along the same way: what it counts is settled when it closes.

        `relay` answers it where it is not what answers requests.
        """
        exchange = Exchange(scope, self.clock.now(), new_request_id())
        config = self.configuration.current
        forward = relay or self.forward
        try:
            refusal = await self._websocket_way(exchange, config, receive, send, forward)
            metrics.requests("served" if refusal is None else refusal.kind).inc()
            if refusal is not None:
                await self._kept()
                await self._refuse_handshake(refusal, exchange, config, receive, send)
        except UpstreamError as error:
            exchange.fault = error.kind
            metrics.requests(error.kind).inc()
            log.warning("upstream.failed", request_id=exchange.request_id, reason=str(error))
            if exchange.status != SWITCHING_PROTOCOLS:
                refusal = Refusal(error.kind, "upstream")
                await self._refuse_handshake(refusal, exchange, config, receive, send)
        finally:
            self._log(exchange)

    async def _refuse_handshake(
        self, refusal: Refusal, exchange: Exchange, config: Config, receive: Receive, send: Send
    ) -> None:
        """Refuse as a request is refused, where the server in front can; it sends 403 otherwise."""
        exchange.status, exchange.rule = refusal.status, refusal.rule
        if "websocket.http.response" not in exchange.scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return

        async def send_rejection(message: Message) -> None:
            await send({**message, "type": f"websocket.{message['type']}"})

        answer = Answer(exchange, send_rejection, dated=self.forward.dates_answers)
        await answer.refuse(refusal, _reader(exchange, config), receive)

    async def _websocket_way(
        self, exchange: Exchange, config: Config, receive: Receive, send: Send, forward: Forward
    ) -> Refusal | None:
        if refusal := admit(exchange, config, self.blocks):
            return refusal
        subject = identify(exchange, config, self.unknown_callers)
        if isinstance(subject, Refusal):
            return subject
        if refusal := blocked_here(exchange, subject, config, self.blocks):
            return refusal
        plan = self.plans.of(exchange, subject)
        receipt, _ = await self._whether(exchange, subject, plan, config)
        if isinstance(receipt, Refusal):
            return receipt

        async def send_counted(message: Message) -> None:
            if message["type"] == "websocket.accept":
                exchange.status = SWITCHING_PROTOCOLS
            elif message["type"] == "websocket.http.response.start":
                exchange.status = message["status"]
            exchange.sent_bytes += _size(message)
            if message["type"] in _OVER and not message.get("more_body", False):
                self._settle(exchange, subject, receipt)  # who is told so may ask again at once
            await send(message)

        try:
            if self.journal.strict and receipt.claims:
                await self.journal.committed()
            await forward(exchange, config, _counted(exchange, receive), send_counted)
        finally:
            self._settle(exchange, subject, receipt)
        return None

    async def _whether(
        self, exchange: Exchange, subject: Subject, plan: Plan, config: Config
    ) -> tuple[Receipt | Refusal, Headers]:
        """Meter and decide; with the verdict comes what to tell of the limits."""
        claims = meter(exchange, subject, plan)
        if isinstance(claims, Refusal):
            return claims, []
        decision = await decide(subject, claims, self.counters, exchange.at)
        limits = limit_headers(claims, decision, exchange.at)
        if self.counters.away:
            limits = [*limits, _DEGRADED]
        if isinstance(decision, Receipt):
            if not plan.simple and any(lasts(move) for move in exchange.moves):
                self.lasting[exchange] = subject, decision
            return decision, limits
        if isinstance(decision, Exceeded):
            self._refused(decision, exchange, subject, config)
        return refusal_of(decision, exchange.at), limits

    def _refused(
        self, decision: Exceeded, exchange: Exchange, subject: Subject, config: Config
    ) -> None:
        """Note what follows from a limit that refused."""
        block = block_repeated(decision, exchange, subject, config, self.blocks, self.refusals)
        if block is not None:
            self.followups.blocked(subject.account, block)
        self.followups.refused(subject.account, decision, subject.terms, exchange.at)

    def _settle(self, exchange: Exchange, subject: Subject, receipt: Receipt) -> None:
        """Settle, once."""
        if not receipt.open:
            return
        self.lasting.pop(exchange, None)
        settle(exchange, subject, receipt, self.counters, self.journal, self.clock.now())

    def settle_lasting(self) -> None:
        """Count what long requests have come to so far; nobody has to wait for their end."""
        at = self.clock.now()
        for exchange, (subject, receipt) in self.lasting.items():
            settle_so_far(exchange, subject, receipt, self.counters, self.journal, at)


_OVER = frozenset({"websocket.close", "websocket.http.response.body"})
"""What a WebSocket's client is told last."""
_JSON = (b"content-type", b"application/json")
_DEGRADED = (b"fairuse-degraded", b"counters")
"""Says that the limits were decided without the store that knows what other nodes counted."""


def _counted(exchange: Exchange, receive: Receive) -> Receive:
    """Count the bytes of the body as they come in."""
    if not exchange.counts_bytes:
        return receive

    async def receive_counted() -> Message:
        message = await receive()
        exchange.received_bytes += _size(message)
        return message

    return receive_counted


def _size(message: Message) -> int:
    body = message.get("body") or message.get("bytes")
    return len(body) if body else len((message.get("text") or "").encode())


def _reader(exchange: Exchange, config: Config) -> Reader:
    """Find out who reads a refusal: the caller's language comes first, then the tenant's."""
    terms = exchange.subject.terms if exchange.subject else None
    wanted = (exchange.header(b"accept-language") or b"").decode("latin-1")
    return Reader(
        language=preferred(wanted, terms.language if terms else "en"),
        zone=terms.zone if terms else UTC,
        contact=config.settings.contact,
        request_id=exchange.request_id,
    )


def _line(exchange: Exchange, seconds: float) -> RequestLine:
    """Take what is logged of an exchange, so that the rest of it can go."""
    subject = exchange.subject
    return RequestLine(
        time=exchange.at.wall,
        request_id=exchange.request_id,
        method=cut(exchange.method),
        path=cut(exchange.scope["path"]),
        status=exchange.status,
        address=exchange.address.text if exchange.address else None,
        account=subject.account if subject else None,
        location=(subject.location or None) if subject else None,
        rule=exchange.rule,
        fault=exchange.fault,
        sent_bytes=exchange.sent_bytes,
        seconds=seconds,
    )
