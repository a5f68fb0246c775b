"""Deliver: empties the outbox, off the requests' way, in one process of all that share the ledger.

A letter is claimed before it is sent and marked afterwards, so whoever dies in between has it sent
again, with the same id. Delivery, not writing, is what a case's grace begins with (A15).
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from fairuse.base.errors import DeliveryFailed, LedgerError, StoreError
from fairuse.base.hop.trust import tls_context
from fairuse.base.log import logger
from fairuse.base.metrics import NOTICES_OVERDUE, deliveries
from fairuse.delivery.deliver import deliver
from fairuse.delivery.message import Means, Message
from fairuse.rules.process import Ladder
from fairuse.stores.outbox import (
    BATCH,
    claim,
    due,
    letter_numbered,
    note_delivered,
    note_failed,
    overdue,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fairuse.base.clock import Clock
    from fairuse.delivery.message import Figures
    from fairuse.rules.config import Config
    from fairuse.rules.ladder import Case
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.letters import Letter

    ReadingOf = Callable[[Letter], Awaitable[int | None]]
    """Gives the count that a letter is about, now; None where it is about none. Raises StoreError
    or LedgerError where it can't be known: the letter then waits, for what is used before its
    delivery must not be charged (P5)."""
    ChoicesOf = Callable[[Case], Mapping[str, str]]
    """Gives the links that a customer may follow in a case, by what they choose."""

TICK_SECONDS = 5.0
"""How soon a letter is seen that another process wrote, or that is due again: the first step."""
AT_ONCE = 16
"""How many letters are on their way together: one receiver that hangs holds up no other's."""
STOP_SECONDS = 5.0
"""How long what is on its way at a stop may take to arrive; the rest is sent after a start."""

log = logger(__name__)


class Delivery:
    """The worker. Whoever writes a notice sets `written`, so that nobody waits for the next look.

    `run` it in one task; it ends when it is cancelled.
    """

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        ledger: Ledger,
        reading_of: ReadingOf,
        choices_of: ChoicesOf,
    ) -> None:
        self.written = asyncio.Event()
        self._clock = clock
        self._configuration = configuration
        self._ledger = ledger
        self._reading_of = reading_of
        self._choices_of = choices_of
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="delivery")
        self._tls = tls_context(None, None, None)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._on_their_way: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._known_late: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Deliver what is due, round after round, until cancelled."""
        try:
            while True:
                self.written.clear()
                if not await self._whole_round():
                    await self._wait()
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def round(self) -> bool:
        """Send the letters that are due, a batch of them; True where there may be more."""
        try:
            async with self._ledger.try_alone("deliver") as alone:
                if not alone:
                    NOTICES_OVERDUE.set(0)
                    return False
                found = await due(self._ledger, self._clock.now().wall)
                noted = await asyncio.gather(*map(self._one, found))
                await self._look_for_late_ones()
        except LedgerError as error:
            log.error("delivery.put_off", reason=str(error))
            return False
        return len(found) == BATCH and all(noted)

    async def _whole_round(self) -> bool:
        """Run a round; who cancels this waits until it is through with the ledger."""
        task = asyncio.create_task(self.round())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._stopping = True
            asyncio.get_running_loop().call_later(STOP_SECONDS, self._give_up)
            await asyncio.wait([task])
            raise
        except Exception:  # a fault of ours must not end what is to be done again and again
            log.exception("delivery.failed")
            return False

    def _give_up(self) -> None:
        for task in self._on_their_way:
            task.cancel()

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(TICK_SECONDS):
                await self.written.wait()

    async def _one(self, letter: Letter) -> bool:
        """Attempt one letter; False where the ledger could not take what became of it."""
        async with self._room:
            if self._stopping:
                return True
            try:
                claimed = await claim(self._ledger, letter, self._clock.now().wall)
                if claimed is not None:
                    await self._attempt(claimed)
            except LedgerError as error:
                log.error("notice.not_noted", **_named(letter), reason=str(error))
                return False
            except Exception:  # one letter that we can't handle keeps no other from its way
                log.exception("notice.failed", **_named(letter))
        return True

    async def _attempt(self, letter: Letter) -> None:
        try:
            await self._reading(letter)  # not to send what could not be noted afterwards
            await self._sent(letter)
            await self._note(letter)
        except DeliveryFailed as error:
            await self._failed(letter, error)

    async def _note(self, letter: Letter) -> None:
        """Note that a letter was sent. Raises DeliveryFailed, for good where nothing could help."""
        at, grace = self._clock.now().wall, grace_of(self._configuration.current, letter)
        try:
            reading = await self._reading(letter)
            noted = await note_delivered(self._ledger, letter, at, reading, grace)
        except (DeliveryFailed, LedgerError):
            raise
        except Exception as error:  # not to send it for ever: the same would happen the next time
            raise DeliveryFailed(f"sent, but not to be noted: {error!r}", for_good=True) from error
        if noted:
            deliveries("delivered").inc()
            log.info("notice.delivered", **_named(letter))

    async def _reading(self, letter: Letter) -> int | None:
        try:
            return await self._reading_of(letter)
        except StoreError as error:
            raise DeliveryFailed(f"the counters can't be asked: {error}") from None

    async def _sent(self, letter: Letter) -> None:
        """Send a letter; a stop may cut it off. Raises DeliveryFailed."""
        config = self._configuration.current
        choices = self._choices_of(letter.case) if letter.case is not None else {}
        message = Message(letter, self._clock.now().wall, figures_of(config, letter), choices)
        means = Means(config.settings.notices, os.environ, self._tls, self._threads)
        task = asyncio.create_task(deliver(message, means))
        self._on_their_way.add(task)
        await asyncio.wait([task])
        self._on_their_way.discard(task)
        if task.cancelled():
            raise DeliveryFailed("the gateway stopped meanwhile")
        task.result()

    async def _failed(self, letter: Letter, error: DeliveryFailed) -> None:
        operators = self._configuration.current.settings.notices.operators
        moment, why = self._clock.now().wall, str(error)
        alive = await note_failed(
            self._ledger, letter, why, moment, operators, for_good=error.for_good
        )
        deliveries("failed" if alive else "dead").inc()
        tell = log.warning if alive else log.error
        what = "notice.not_delivered" if alive else "notice.given_up"
        tell(what, **_named(letter), attempts=letter.attempts, reason=str(error))

    async def _look_for_late_ones(self) -> None:
        """Say of each notice that should have been delivered by now, once, that it is not (A16)."""
        late = await overdue(self._ledger, self._clock.now().wall)
        NOTICES_OVERDUE.set(len(late))
        for letter in late:
            if letter.number not in self._known_late:
                log.error("notice.overdue", **_named(letter), reason=letter.error)
        self._known_late = frozenset(letter.number for letter in late)


async def tick_off(
    ledger: Ledger, config: Config, number: int, by: str, moment: float, reading_of: ReadingOf
) -> Letter | None:
    """Note that a person did a task, such as a call (E30); None where there is no such task.

    Gives the letter as it is now. Raises LedgerError, or StoreError of `reading_of`.
    """
    letter = await letter_numbered(ledger, number)
    if letter is None or letter.state != "to do":
        return None
    reading, grace = await reading_of(letter), grace_of(config, letter)
    if not await note_delivered(ledger, letter, moment, reading, grace, by):
        return None
    return await letter_numbered(ledger, number)


def grace_of(config: Config, letter: Letter) -> int:
    """Give how many seconds a customer has from the notice on; as usual, where it is gone."""
    terms = config.accounts.get(letter.notice.account)
    return (terms.rules.ladder if terms is not None else Ladder()).grace


def figures_of(config: Config, letter: Letter) -> Figures | None:
    """Give the figures of a notice in units; None where it is about none."""
    notice, terms = letter.notice, config.accounts.get(letter.notice.account)
    limit = terms.limit(notice.rule) if terms is not None else None
    if limit is None or not (notice.reading or notice.amount):
        return None
    unit = limit.unit
    figures = {"reading": unit.units(notice.reading), "amount": unit.units(notice.amount)}
    return {**figures, "unit": unit.one, "source": notice.source}


def _named(letter: Letter) -> dict[str, str | int]:
    """Name a letter in the log: by its numbers, and not by its address."""
    return {
        "delivery": letter.id,
        "notice": letter.number,
        "account": letter.notice.account,
        "channel": letter.scheme,
    }
