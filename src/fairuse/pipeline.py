"""The way of a request, in one file.

admit -> identify -> meter -> decide -> forward -> settle      inline
          |                                           |
          +-- restrict, throttle                      +--> escalate -> notify      followups.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from fairuse.base import metrics
from fairuse.base.errors import UpstreamError
from fairuse.base.incoming import Incoming
from fairuse.base.keys import new_request_id
from fairuse.base.log import logger
from fairuse.base.wire import json_bytes
from fairuse.endpoints import HEALTH_PATH, OUR_PATHS, READY_PATH
from fairuse.rules.exchange import Exchange
from fairuse.rules.hops import PASSED_ON, ends_here, stopped
from fairuse.rules.reader import reader_of
from fairuse.rules.refusal import EVENTS_PATH, Refusal
from fairuse.stages.admit import admit
from fairuse.stages.answer import Answer
from fairuse.stages.decide import (
    block_repeated,
    decide,
    limit_headers,
    over_by_now,
    refusal_of,
)
from fairuse.stages.identify import blocked_here, identify, identify_sender
from fairuse.stages.meter import Plan, Plans, meter, read_ahead
from fairuse.stages.observe import counted, line
from fairuse.stages.restrict import restricted
from fairuse.stages.settle import lasts, settle, settle_so_far
from fairuse.stages.throttle import throttled
from fairuse.stores.faults import Faults
from fairuse.stores.forces import Forces
from fairuse.stores.load import Load
from fairuse.stores.protocol import Exceeded, Outcome, Receipt

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from fairuse.base.clock import Clock
    from fairuse.base.log import AccessLog
    from fairuse.base.wire import Headers
    from fairuse.endpoints import Events, Pages, Vitals
    from fairuse.followups import Followups
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Subject
    from fairuse.stages.forward import Forward
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.callers import RecentEvents
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.evidence import EvidenceCollector
    from fairuse.stores.journal import Journal
    from fairuse.stores.protocol import Counters

Cut = Callable[[Refusal], None]
"""Ends a WebSocket that is open."""

log = logger(__name__)


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
    evidence: EvidenceCollector
    followups: Followups
    forward: Forward
    access_log: AccessLog
    vitals: Vitals
    pages: Pages
    events: Events | None = None
    plans: Plans = field(default_factory=Plans)
    forces: Forces = field(default_factory=Forces)
    load: Load = field(default_factory=Load)
    lasting: dict[Exchange, tuple[Subject, Receipt]] = field(default_factory=dict)
    cuts: dict[Exchange, Cut] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request along the way, and note how it went."""
        exchange = Exchange(scope, self.clock.now(), new_request_id())
        config = self.configuration.current
        incoming = Incoming(receive)
        answer = Answer(exchange, send, dated=self.forward.dates_answers)
        try:
            refusal = await self._way(exchange, config, incoming, answer)
            metrics.requests("served" if refusal is None else refusal.kind).inc()
            if refusal is not None:
                await self.kept()
                await answer.refuse(refusal, reader_of(exchange, config), incoming)
        except UpstreamError as error:
            exchange.fault = error.kind
            metrics.requests(error.kind).inc()
            log.warning("upstream.failed", request_id=exchange.request_id, reason=str(error))
            # Once the head is out only an aborted connection can tell the client (HTTP-13): the
            # server aborts it when the response stays incomplete.
            if not answer.started:
                refusal = Refusal(error.kind, "upstream")
                await answer.refuse(refusal, reader_of(exchange, config), incoming)
        except Exception:
            # What an app raises is its own server's to handle, and a head that is out stays so.
            if exchange.fault is not None or answer.started:
                raise
            self.faults.note(exchange, "refused")
            metrics.requests(_FAULT.kind).inc()
            await answer.refuse(_FAULT, reader_of(exchange, config), incoming)
        finally:
            self.note(exchange)

    async def kept(self) -> None:
        """Have a block written before anybody is told of it: it is to hold after a crash (P6)."""
        if self.journal.blocks_waiting:
            await self.journal.committed()

    def note(self, exchange: Exchange) -> None:
        """Have it logged how an exchange went, where anybody reads it."""
        if self.access_log.wanted:
            seconds = self.clock.now().monotonic - exchange.began
            self.access_log.record(line(exchange, seconds))

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
        ours = exchange.path.startswith(OUR_PATHS)
        if ours and (open_page := self.pages.open_to_all(exchange.path)):
            return await open_page(exchange, config, receive, answer)
        subject = identify(exchange, config, self.unknown_callers)
        if isinstance(subject, Refusal):
            return subject
        if ours and (page := self.pages.of_account(exchange.path)):
            await self.kept()
            return await page(exchange, subject, receive, answer)
        return await self._metered_way(exchange, subject, config, receive, answer)

    async def _metered_way(
        self,
        exchange: Exchange,
        subject: Subject,
        config: Config,
        receive: Receive,
        answer: Answer,
    ) -> Refusal | None:
        """Go on with an account's request; a fault of ours before it is forwarded refuses none."""
        try:
            if refusal := self._kept_out(exchange, subject, config):
                return refusal
            if self.forward.via is not None and ends_here(exchange):
                await answer.whole(HTTPStatus.OK, [(b"allow", PASSED_ON.encode())], b"")
                return None
            plan = self.plans.of(exchange, subject)
            if plan.reads:
                read = await self._read_ahead(exchange, subject, receive)
                if isinstance(read, Refusal):
                    return read
                receive = read
            receipt, answer.limits = await self.whether(exchange, subject, plan, config)
        except Exception:  # noqa: BLE001  it is noted with its traceback
            receipt, answer.limits = self._in_spite_of_a_fault(exchange, subject)
        if isinstance(receipt, Refusal):
            return receipt
        answer.before_end = partial(self.settle, exchange, subject, receipt)
        self.load.begin(exchange)
        try:
            if self.journal.strict and receipt.claims:
                await self.journal.committed()
            await self.forward(exchange, config, counted(exchange, receive), answer)
        except Exception:
            exchange.fault = exchange.fault or "forward"
            raise
        finally:
            self.load.end(exchange)
            answer.before_end()
            answer.before_end = None
        return None

    def _kept_out(self, exchange: Exchange, subject: Subject, config: Config) -> Refusal | None:
        """Give the refusal of what goes no further, whatever it would count."""
        return (
            blocked_here(exchange, subject, config, self.blocks)
            or restricted(exchange, subject, self.forces, exchange.at.wall)
            or (stopped(exchange, self.forward.via) if self.forward.via is not None else None)
            or (throttled(exchange, subject, self.load) if self.load.throttle else None)
        )

    async def _read_ahead(
        self, exchange: Exchange, subject: Subject, receive: Receive
    ) -> Receive | Refusal:
        """Read the body that says what a request costs; after a fault nobody has the rest of it."""
        try:
            return await read_ahead(exchange, subject, receive)
        except Exception:  # noqa: BLE001  it is noted with its traceback
            self.faults.note(exchange, "refused")
            return _FAULT
        finally:
            exchange.at = self.clock.now()  # reading it may have taken long

    async def whether(
        self, exchange: Exchange, subject: Subject, plan: Plan, config: Config
    ) -> tuple[Receipt | Refusal, Headers]:
        """Meter and decide; with the verdict comes what to tell of the limits."""
        claims = meter(exchange, subject, plan)
        if isinstance(claims, Refusal):
            return claims, []
        decision = await decide(subject, claims, self.counters, exchange.at)
        try:
            limits = limit_headers(claims, decision, exchange.at)
        except Exception:
            if isinstance(decision, Receipt):  # nothing stays reserved for what nobody settles
                self.counters.settle(decision, Outcome.REFUSED, {}, exchange.at)
            raise
        if self.counters.away:
            limits = [*limits, _DEGRADED]
        if isinstance(decision, Receipt):
            if not plan.simple and any(lasts(move) for move in exchange.moves):
                self.lasting[exchange] = subject, decision
            return decision, limits
        if isinstance(decision, Exceeded):
            self._refused(decision, exchange, subject, config)
        return refusal_of(decision, exchange.at), limits

    def _in_spite_of_a_fault(
        self, exchange: Exchange, subject: Subject
    ) -> tuple[Receipt | Refusal, Headers]:
        """Let a request through uncounted that a fault of ours kept from being decided (F-55)."""
        if not self.faults.served(exchange, subject.account):
            return _FAULT, []
        exchange.moves, exchange.reads_answer, exchange.counts_bytes = (), False, False
        nothing = Receipt([])
        nothing.open = False
        return nothing, [_FAULTY]

    def _refused(
        self, decision: Exceeded, exchange: Exchange, subject: Subject, config: Config
    ) -> None:
        """Note what follows from a limit that refused."""
        block = block_repeated(decision, exchange, subject, config, self.blocks, self.refusals)
        if block is not None:
            self.followups.blocked(subject.account, block)
        if decision.claim.closed is None:  # a measure refused, and no amount was gone over
            self.followups.refused(subject.account, decision, subject.terms, exchange.at)

    def settle(self, exchange: Exchange, subject: Subject, receipt: Receipt) -> None:
        """Settle, once."""
        if not receipt.open:
            return
        self.lasting.pop(exchange, None)
        at = self.clock.now()
        try:
            costs = settle(exchange, subject, receipt, self.counters, self.journal, at)
            self.evidence.note(exchange, subject, costs)
        except Exception:  # noqa: BLE001  it is noted with its traceback
            self.faults.note(exchange, "served")
            self.counters.settle(receipt, Outcome.REFUSED, {}, at)  # nothing stays reserved

    def settle_lasting(self) -> None:
        """Count what long requests have come to so far; nobody has to wait for their end.

        A WebSocket that went over a hard limit is cut: it could go on for ever.
        """
        at = self.clock.now()
        for exchange, (subject, receipt) in self.lasting.items():
            settle_so_far(exchange, subject, receipt, self.counters, self.journal, at)
            if (cut := self.cuts.get(exchange)) and (refusal := over_by_now(receipt, at)):
                cut(refusal)
        self.cut_restricted()

    def cut_restricted(self) -> None:
        """Cut the WebSockets that a measure would keep out by now."""
        moment = self.clock.now().wall
        for exchange, cut in [*self.cuts.items()]:
            subject = exchange.subject
            if subject and (refusal := restricted(exchange, subject, self.forces, moment)):
                cut(refusal)


_JSON = (b"content-type", b"application/json")
_FAULT = Refusal("gateway-fault", "gateway")
_FAULTY = (b"fairuse-degraded", b"gateway")
"""Says that a fault of ours kept the request from being decided and counted."""
_DEGRADED = (b"fairuse-degraded", b"counters")
"""Says that the limits were decided without the store that knows what other nodes counted."""
