"""Casework: cases are moved by the policy's ladder, by one process at a time.

Every step is one transaction, and which one is next follows from the case alone: after a crash
between any two steps the next run goes on where the last one stopped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fairuse.base.errors import LedgerError, PromiseBroken, RecordSpoiled, StoreError
from fairuse.base.log import logger
from fairuse.rules.ladder import next_move
from fairuse.rules.peaks import counted
from fairuse.stages.assess import assess, reading_of
from fairuse.stores.casebook import note_latest, open_cases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.entry.decisions import Decisions
    from fairuse.rules.ladder import Case, Facts
    from fairuse.rules.terms import Terms
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters, Reading

MOST_STEPS = 8
"""Steps that one case takes in one run at most: the ladder is not longer."""

log = logger(__name__)


class Casework:
    """Moves cases."""

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        counters: Counters,
        ledger: Ledger,
        decisions: Decisions,
    ) -> None:
        self._clock = clock
        self._configuration = configuration
        self._counters = counters
        self._ledger = ledger
        self._decisions = decisions

    async def run(self) -> None:
        """Take every step that is due. Raises LedgerError; one case keeps no other waiting."""
        for case in await open_cases(self._ledger):
            terms = self._configuration.current.accounts.get(case.account)
            if terms is None:
                continue  # a tenant that is left out is looked at once it is back
            try:
                await self._as_far_as_it_goes(case, terms)
            except (StoreError, PromiseBroken, RecordSpoiled) as error:
                log.error("case.put_off", case=case.id, reason=str(error))
            except LedgerError:
                raise
            except Exception:  # one case must not keep the others from being moved
                log.exception("case.failed", case=case.id)
            await asyncio.sleep(0)

    async def reading(self, case: Case) -> int | None:
        """Give the count of a case's limit as it stands now; None where nobody knows it."""
        terms = self._configuration.current.accounts.get(case.account)
        limit = terms.limit(case.rule) if terms is not None else None
        if limit is None:
            return None
        readings = await self._counters.read(case.account, self._clock.now())
        reading = reading_of(case, limit, readings)
        return None if reading is None else reading.settled

    async def _as_far_as_it_goes(self, case: Case, terms: Terms) -> None:
        moved: Case | None = case
        for _ in range(MOST_STEPS):
            if moved is None or moved.state == "closed":
                return
            at = self._clock.now()
            facts, readings = await self._look_at(moved, terms, at)
            case = await self._noted(moved, terms, readings)
            move = next_move(case, terms.rules.ladder, facts, at.wall)
            if move is None:
                return
            moved = await self._decisions.take(case, move, facts.measure, terms)

    async def _look_at(
        self, case: Case, terms: Terms, at: Instant
    ) -> tuple[Facts, Sequence[Reading]]:
        readings = await self._counters.read(case.account, at)
        measure = await self._decisions.measure(case)
        late = self._configuration.current.settings.events.late
        facts = await assess(case, terms, readings, measure, self._ledger, at, late)
        return facts, readings

    async def _noted(self, case: Case, terms: Terms, readings: Sequence[Reading]) -> Case:
        """Remember the last count of a case's window: of levels nothing else knows it later."""
        limit = terms.limit(case.rule)
        reading = reading_of(case, limit, readings) if limit is not None else None
        same = reading is not None and reading.starts_at == case.starts_at
        if limit is None or reading is None or not same or reading.settled == case.latest:
            return case
        noted = counted(case, limit, reading.settled, self._clock.now().wall)
        if noted != case:
            await note_latest(self._ledger, noted)
        return noted
