"""The way of a request, in one function; and the way of what follows from it, in another.

admit -> identify -> meter -> decide -> forward -> settle      inline
                                                      |
                                                      +--> escalate -> notify      off the path
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Protocol

from fairuse.base.errors import LedgerError, UpstreamError
from fairuse.base.keys import new_request_id
from fairuse.base.log import RequestLine, cut, logger
from fairuse.base.texts import preferred
from fairuse.rules.blocks import Block
from fairuse.rules.exchange import Exchange
from fairuse.rules.refusal import Reader, Refusal
from fairuse.stages.admit import admit
from fairuse.stages.answer import Answer
from fairuse.stages.decide import block_repeated, decide, hard_limits, refusal_of
from fairuse.stages.escalate import escalate, overlooked
from fairuse.stages.identify import blocked_here, identify
from fairuse.stages.meter import meter
from fairuse.stages.notify import notify_blocked, notify_over, untold_blocks
from fairuse.stages.settle import settle
from fairuse.stores.protocol import Crossing, Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from fairuse.base.clock import Clock
    from fairuse.base.log import AccessLog
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Subject
    from fairuse.stages.forward import Forward
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.callers import RecentEvents
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.journal import Journal
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters

HEALTH_PATH = "/fairuse/health"
RETRY_SECONDS = 1.0
POLICY_VIOLATION = 1008
"""The WebSocket close code (RFC 6455 section 7.4.1); before the handshake it becomes a 403."""

log = logger(__name__)


class Page(Protocol):
    """One of the gateway's own pages: read by an account, never metered."""

    async def __call__(self, subject: Subject, answer: Answer) -> None:
        """Answer a request."""
        ...


@dataclass(frozen=True, slots=True)
class Followup:
    """Something to tell an account, off the request's way."""

    account: str
    event: Crossing | Block


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
    forward: Forward
    pages: Mapping[str, Page]
    access_log: AccessLog
    followups: asyncio.Queue[Followup] = field(default_factory=asyncio.Queue)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request along the way, and note how it went."""
        exchange = Exchange(scope, self.clock.now(), new_request_id())
        config = self.configuration.current
        answer = Answer(exchange, send, dated=self.forward.dates_answers)
        try:
            await self._way(exchange, config, receive, answer)
        except UpstreamError as error:
            exchange.fault = error.kind
            log.warning("upstream.failed", request_id=exchange.request_id, reason=str(error))
            # Once the head is out only an aborted connection can tell the client (HTTP-13): the
            # server aborts it when the response stays incomplete.
            if not answer.started:
                refusal = Refusal(error.kind, "upstream")
                await self._refuse(refusal, exchange, config, receive, answer)
        finally:
            seconds = self.clock.now().monotonic - exchange.at.monotonic
            self.access_log.record(_line(exchange, answer.sent_bytes, seconds))

    async def handle_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the handshake of a known caller through; what the connection carries is its own."""
        exchange = Exchange(scope, self.clock.now(), new_request_id())
        config = self.configuration.current
        subject = self._who(exchange, config)
        refusal = (
            subject
            if isinstance(subject, Refusal)
            else blocked_here(exchange, subject, config, self.blocks)
        )
        try:
            if refusal is not None:
                exchange.status, exchange.rule = refusal.status, refusal.rule
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            else:
                await self.forward(exchange, config, receive, send)
        finally:
            seconds = self.clock.now().monotonic - exchange.at.monotonic
            self.access_log.record(_line(exchange, 0, seconds))

    async def _way(
        self, exchange: Exchange, config: Config, receive: Receive, answer: Answer
    ) -> None:
        if exchange.path == HEALTH_PATH:
            return await answer.whole(200, [_JSON], b'{"status": "ok"}')
        subject = self._who(exchange, config)
        if isinstance(subject, Refusal):
            return await self._refuse(subject, exchange, config, receive, answer)
        if page := self.pages.get(exchange.path):
            return await page(subject, answer)
        receipt = self._whether(exchange, subject, config, answer)
        if isinstance(receipt, Refusal):
            return await self._refuse(receipt, exchange, config, receive, answer)
        try:
            await self.forward(exchange, config, receive, answer)
        finally:
            self._settle(exchange, subject, receipt)
        return None

    def _who(self, exchange: Exchange, config: Config) -> Subject | Refusal:
        """Admit and identify."""
        refusal = admit(exchange, config, self.blocks)
        return refusal or identify(exchange, config, self.unknown_callers)

    def _whether(
        self, exchange: Exchange, subject: Subject, config: Config, answer: Answer
    ) -> Receipt | Refusal:
        """Meter and decide."""
        if refusal := blocked_here(exchange, subject, config, self.blocks):
            return refusal
        claims = meter(exchange, subject)
        decision = decide(subject, claims, self.counters, exchange.at)
        answer.announce(hard_limits(decision, exchange.at))
        if isinstance(decision, Receipt):
            return decision
        block = block_repeated(decision, exchange, subject, config, self.blocks, self.refusals)
        if block is not None:
            self.followups.put_nowait(Followup(subject.account, block))
        return refusal_of(decision, exchange.at)

    async def follow_up(self, ledger: Ledger) -> None:
        """Tell the accounts what happened, one event after another, until cancelled."""
        while True:
            followup = await self.followups.get()
            while not await self._told(followup, ledger):  # noqa: ASYNC110  a retry, not a wait
                await asyncio.sleep(RETRY_SECONDS)
            self.followups.task_done()

    async def catch_up(self, ledger: Ledger) -> None:
        """Find what a crash kept from being told. Raises LedgerError."""
        at = self.clock.now()
        for account, terms in self.configuration.current.accounts.items():
            events: list[Crossing | Block] = [*overlooked(account, terms, self.counters, at)]
            events += await untold_blocks(self.blocks.of_account(account, at.wall), ledger)
            for event in events:
                self.followups.put_nowait(Followup(account, event))

    async def _told(self, followup: Followup, ledger: Ledger) -> bool:
        """Escalate and notify; False where the ledger could not take it yet."""
        config = self.configuration.current
        terms = config.accounts.get(followup.account)
        if terms is None:
            return True
        at, contact = self.clock.now(), config.settings.contact
        try:
            if isinstance(followup.event, Block):
                await notify_blocked(followup.event, followup.account, terms, contact, ledger, at)
            else:
                case = escalate(followup.event, terms, at)
                await notify_over(case, followup.event, terms, contact, ledger)
        except LedgerError as error:
            log.error("notice.not_written", account=followup.account, reason=str(error))
            return False
        except Exception:  # what one account is told must not keep the others from being told
            log.exception("notice.failed", account=followup.account)
        return True

    async def _refuse(
        self,
        refusal: Refusal,
        exchange: Exchange,
        config: Config,
        receive: Receive,
        answer: Answer,
    ) -> None:
        await answer.refuse(refusal, _reader(exchange, config), receive)

    def _settle(self, exchange: Exchange, subject: Subject, receipt: Receipt) -> None:
        at = self.clock.now()
        for crossing in settle(exchange, subject, receipt, self.counters, self.journal, at):
            self.followups.put_nowait(Followup(subject.account, crossing))


_JSON = (b"content-type", b"application/json")


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


def _line(exchange: Exchange, sent_bytes: int, seconds: float) -> RequestLine:
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
        sent_bytes=sent_bytes,
        seconds=seconds,
    )
