"""Casework: cases are moved by the policy's ladder, by one process at a time.

Every step is one transaction, and which one is next follows from the case alone: after a crash
between any two steps the next run goes on where the last one stopped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fairuse.base.apart import apart
from fairuse.rules.ladder import next_move
from fairuse.rules.peaks import counted
from fairuse.stages.assess import assess, look_at, reading_of
from fairuse.stores.casebook import live_measures, note_latest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.base.clock import Clock
    from fairuse.entry.decisions import Decisions
    from fairuse.rules.ladder import Case
    from fairuse.rules.terms import LimitTerms
    from fairuse.stages.assess import Sight
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters, Reading

MOST_STEPS = 8
"""Steps that one case takes in one run at most: the ladder is not longer."""


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
        cases = await self._ledger.cases(closed=False)
        for _ in range(MOST_STEPS):
            if not cases:
                return
            cases = await self._one_step_each(cases)

    async def reading(self, case: Case) -> int | None:
        """Give the count of a case's limit as it stands now; None where nobody knows it."""
        terms = self._configuration.current.accounts.get(case.account)
        limit = terms.limit(case.rule) if terms is not None else None
        if limit is None:
            return None
        readings = await self._counters.read(case.account, self._clock.now())
        reading = reading_of(case, limit, readings)
        return None if reading is None else reading.settled

    async def _one_step_each(self, cases: Sequence[Case]) -> list[Case]:
        """Take the step of each case that is due; gives the cases that may take another one."""
        sights = await self._look_at(cases)
        moved: list[Case | None] = []
        for sight, facts in zip(sights, await assess(sights, self._ledger), strict=True):
            case, terms = sight.case, self._configuration.current.accounts.get(sight.case.account)
            with apart("case", case=case.id):
                move = next_move(case, sight.ladder, facts, sight.moment)
                if move is not None and terms is not None:
                    moved.append(await self._decisions.take(case, move, facts.measure, terms))
        return [case for case in moved if case is not None and case.state != "closed"]

    async def _look_at(self, cases: Sequence[Case]) -> list[Sight]:
        """Look at cases, with their counts as they are now; those that can't be are left out."""
        measures = {each.case: each for each in await live_measures(self._ledger)}
        readings: dict[str, Sequence[Reading]] = {}
        sights, noted = [], []
        for case in cases:
            terms = self._configuration.current.accounts.get(case.account)
            if terms is None:
                continue  # a tenant that is left out is looked at once it is back
            at = self._clock.now()
            with apart("case", case=case.id):
                if case.account not in readings:
                    readings[case.account] = await self._counters.read(case.account, at)
                limit = terms.limit(case.rule)
                reading = reading_of(case, limit, readings[case.account]) if limit else None
                now = _noted(case, limit, reading, at.wall)
                late = self._configuration.current.settings.events.late
                sights.append(look_at(now, terms, reading, measures.get(case.id), at, late))
                if now != case:
                    noted.append(now)
            await asyncio.sleep(0)
        await note_latest(self._ledger, noted)
        return sights


def _noted(case: Case, limit: LimitTerms | None, reading: Reading | None, moment: float) -> Case:
    """Give a case with the last count of its window: of levels nothing else knows it later."""
    same = reading is not None and reading.starts_at == case.starts_at
    if limit is None or reading is None or not same or reading.settled == case.latest:
        return case
    return counted(case, limit, reading.settled, moment)
