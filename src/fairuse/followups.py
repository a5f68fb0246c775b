"""What follows from requests, off their way: breaches are escalated, and accounts are told.

crossing or refusal -> breach -> escalate -> case -> notify
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairuse.base.errors import LedgerError
from fairuse.base.log import logger
from fairuse.rules.blocks import Block
from fairuse.stages.escalate import escalate, escalate_repeated, looks_back_to
from fairuse.stages.notify import notify_blocked, notify_over, notify_repeated, untold_blocks
from fairuse.stores.history import breaches_since, unjudged
from fairuse.stores.rows import FOREVER

if TYPE_CHECKING:
    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.rules.notice import Letterhead
    from fairuse.rules.terms import Terms
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.breaches import Breaches
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.evidence import EvidenceCollector
    from fairuse.stores.journal import Journal
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Crossing, Exceeded
    from fairuse.stores.rows import BreachRow

RETRY_SECONDS = 1.0

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Followup:
    """Something to tell an account."""

    account: str
    event: BreachRow | Block


class Followups:
    """Gathers what happened, and tells it one after another."""

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        breaches: Breaches,
        blocks: Blocks,
        journal: Journal,
        evidence: EvidenceCollector,
    ) -> None:
        self._clock = clock
        self._configuration = configuration
        self._breaches = breaches
        self._blocks = blocks
        self._journal = journal
        self._evidence = evidence
        self._queue: asyncio.Queue[_Followup] = asyncio.Queue()
        self.written: asyncio.Event | None = None
        """Set as soon as there may be something to deliver."""

    @property
    def waiting(self) -> int:
        """Count what is still to be told."""
        return self._queue.qsize()

    def crossed(self, crossing: Crossing) -> None:
        """Have it told that a soft limit was gone over, once."""
        terms = self._configuration.current.accounts.get(crossing.account)
        if terms is not None:
            self._put(crossing.account, self._breaches.crossed(crossing, terms, self._clock.now()))

    def refused(self, account: str, exceeded: Exceeded, terms: Terms, at: Instant) -> None:
        """Note that a hard limit refused; consecutive refusals are one episode."""
        self._put(account, self._breaches.refused(account, exceeded, terms, at))

    def blocked(self, account: str, block: Block) -> None:
        """Have it told that an address was blocked."""
        self._put(account, block)

    async def join(self) -> None:
        """Wait until everything is told."""
        await self._queue.join()

    async def run(self, ledger: Ledger) -> None:
        """Tell the accounts what happened, one event after another, until cancelled."""
        while True:
            followup = await self._queue.get()
            while not await self._told(followup, ledger):  # noqa: ASYNC110  a retry, not a wait
                await asyncio.sleep(RETRY_SECONDS)
            self._queue.task_done()
            if self.written is not None:
                self.written.set()

    async def catch_up(self, ledger: Ledger) -> None:
        """Find what a crash kept from being told. Raises LedgerError.

        A breach is written with the units that led to it; what follows from it is done again, and
        what was done already stays as it is.
        """
        at, accounts = self._clock.now(), self._configuration.current.accounts
        for breach in await unjudged(ledger, FOREVER):
            terms = accounts.get(breach.account)
            limit = terms.limit(breach.rule) if terms is not None else None
            if limit is not None and limit.over != "signal":
                self._put(breach.account, breach)
        for account in accounts:
            for block in await untold_blocks(self._blocks.of_account(account, at.wall), ledger):
                self._put(account, block)

    def _put(self, account: str, event: BreachRow | Block | None) -> None:
        if event is not None:
            self._queue.put_nowait(_Followup(account, event))

    async def _told(self, followup: _Followup, ledger: Ledger) -> bool:
        """Escalate and notify; False where the ledger could not take it yet."""
        config = self._configuration.current
        terms = config.accounts.get(followup.account)
        if terms is None:
            return True
        at, head = self._clock.now(), self._configuration.letterhead
        try:
            if isinstance(followup.event, Block):
                await notify_blocked(followup.event, followup.account, terms, head, ledger, at)
            else:
                await self._escalated(followup.event, terms, head, ledger)
        except LedgerError as error:
            log.error("notice.not_written", account=followup.account, reason=str(error))
            return False
        except Exception:  # what one account is told must not keep the others from being told
            log.exception("notice.failed", account=followup.account)
        return True

    async def _escalated(
        self, breach: BreachRow, terms: Terms, head: Letterhead, ledger: Ledger
    ) -> None:
        """Open the cases that a breach leads to, by itself and with those before it."""
        at = self._clock.now()
        case = escalate(breach, terms, at)
        if case is not None:
            evidence = await self._evidence.about_case(case, terms, ledger, at.wall)
            await notify_over(case, breach, terms, head, ledger, evidence)
        needed = terms.rules.case_after
        if needed is not None:
            if not await self._journal.flush(ledger, at):
                raise LedgerError("the breaches so far are not written yet")
            since = looks_back_to(needed, at.wall, terms)
            breaches = await breaches_since(ledger, since, breach.account)
            repeated = escalate_repeated(breaches, terms, at)
            if repeated is not None:
                await notify_repeated(repeated, needed, terms, head, ledger)
