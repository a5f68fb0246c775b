"""Warnings: accounts are told of what is coming, beside the requests.

Only accounts whose counts moved are looked at, each by the process that counted them; and all of
them once an hour, for what changed otherwise, such as an amount, or was lost with a process.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from fairuse.base.apart import apart
from fairuse.base.errors import StoreError
from fairuse.base.log import logger
from fairuse.stages.warn import approaching, warn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.base.clock import Clock
    from fairuse.rules.approaching import Subject
    from fairuse.stages.warn import Due
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters

EVERYBODY_SECONDS = 3_600
AT_ONCE = 20
"""Accounts between two turns of the requests: in memory less than a millisecond."""
MOST_DUE = 500
"""Counts that are looked up in the ledger together."""

log = logger(__name__)


class Warnings:
    """Looks at accounts and has them warned. What could not be written is looked at again."""

    def __init__(
        self, clock: Clock, configuration: Configuration, counters: Counters, ledger: Ledger
    ) -> None:
        self._clock = clock
        self._configuration = configuration
        self._counters = counters
        self._ledger = ledger
        self._waiting: set[str] = set()
        self._everybody_at = -math.inf

    async def run(self, moved: Iterable[str]) -> None:
        """Look at the accounts whose counts moved. Raises LedgerError."""
        self._waiting.update(moved)
        try:
            await self._look()
        except StoreError as error:
            log.error("warnings.put_off", reason=str(error))

    async def look_at_everybody(self) -> None:
        """Look at all accounts, once an hour. Raises LedgerError."""
        moment = self._clock.now().wall
        if moment - self._everybody_at >= EVERYBODY_SECONDS:
            self._everybody_at = moment
            await self.run(self._configuration.current.accounts)

    async def reading(self, subject: Subject) -> int | None:
        """Give the count that a warning is about as it stands now; None once its window is over.

        Raises StoreError where nobody knows it.
        """
        for reading in await self._counters.read(subject.account, self._clock.now()):
            same = (reading.limit, reading.scope) == (subject.rule, subject.scope)
            if same and reading.starts_at == subject.starts_at:
                return reading.settled
        return None

    async def _look(self) -> None:
        """Look at who waits; whoever was looked at and not written waits again."""
        found: list[Due] = []
        looked: list[str] = []
        try:
            while self._waiting:
                looked.append(self._waiting.pop())
                found += await self._found(looked[-1])
                if len(looked) % AT_ONCE == 0:
                    await asyncio.sleep(0)
                if len(found) >= MOST_DUE:
                    await self._write(found)
                    found, looked = [], []
            await self._write(found)
        except BaseException:
            self._waiting.update(looked)
            raise

    async def _found(self, account: str) -> list[Due]:
        """Give what an account's counts have come to; nothing for one that is gone."""
        terms = self._configuration.current.accounts.get(account)
        if terms is None or not terms.rules.ladder.warn:
            return []
        at = self._clock.now()
        readings = await self._counters.read(account, at)
        with apart("warning", account=account):
            return [*approaching(terms, readings, at)]
        return []

    async def _write(self, found: list[Due]) -> None:
        if found:
            await warn(found, self._configuration.letterhead, self._ledger, self._clock.now())
