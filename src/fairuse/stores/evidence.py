"""Collects from where, for what and by which programs accounts are used (C16), off their way.

A settled request leaves a few references behind. They are counted a moment later in counters whose
number is bounded, and once a minute what came of them is added up in the ledger, where several
processes meet.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from random import random
from typing import TYPE_CHECKING, Any, NamedTuple

from fairuse.base.log import logger
from fairuse.rules.evidence import EvidenceKey, about_case, day_of, evidence_in
from fairuse.rules.sightings import Sighting, Sightings
from fairuse.stores.evidence_rows import counted_about

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairuse.rules.evidence import About, Evidence, Kind
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.ladder import Case
    from fairuse.rules.terms import Terms
    from fairuse.stores.journal import Journal
    from fairuse.stores.ledger import Ledger

EXACT = 250
"""How many requests of an account's day are all looked at, by each process."""
EVERY = 16
"""Of those after them one in so many is, by chance, and stands for the others."""
LARGE = 1_000_000
"""Bytes from which on a request is looked at however many there are, and stands for itself."""
MOST_WAITING = 4_096
"""Requests that wait to be looked at; while there are more, further ones are left out."""
MOST_COUNTERS = 100_000
"""Counters of all accounts together, about 30 MB; beyond them who was idle longest is forgotten."""
AT_ONCE = 128
GATHER_SECONDS = 0.2
LONGEST = 512
"""How much of a path or a program's name is looked at."""
DAY = 86_400

log = logger(__name__)


class _Part(NamedTuple):
    """What is counted apart: the meter of an account's location on a local day."""

    account: str
    location: str
    meter: str
    day: int


class EvidenceCollector:
    """Counts where use comes from, for accounts with limits that open cases."""

    def __init__(self, journal: Journal, chance: Callable[[], float] = random) -> None:
        self._journal = journal
        self._chance = chance
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._numbers: dict[str, int] = {}
        self._numbered_on = 0
        self._parts: OrderedDict[_Part, Sightings] = OrderedDict()
        self._counters = 0

    def note(self, exchange: Exchange, subject: Subject, costs: Mapping[str, int | None]) -> None:
        """Remember a request that was settled; `costs` as `Sighting` has them."""
        account = subject.account
        if not exchange.moves or not subject.terms.evidence_of:
            return
        number = self._numbers.get(account, 0)
        self._numbers[account] = number + 1
        weight = 1
        if number >= EXACT and exchange.sent_bytes + exchange.received_bytes < LARGE:
            if self._chance() * EVERY >= 1:  # by turns, it would miss one of two that take turns
                return
            weight = EVERY
        if len(self._waiting) < MOST_WAITING:
            agent = exchange.header(b"user-agent")
            self._waiting.append(
                (
                    exchange.at.wall,
                    exchange.method,
                    exchange.path[:LONGEST],
                    agent and agent[:LONGEST],
                    exchange.status,
                    exchange.moves,
                    costs,
                    subject,
                    weight,
                )
            )

    async def run(self) -> None:
        """Look at what was noted, a little at a time, until cancelled."""
        while True:
            await asyncio.sleep(0 if self._waiting else GATHER_SECONDS)
            self._gather(AT_ONCE)

    def tell(self) -> None:
        """Have the journal add up what is new."""
        self._gather(MOST_WAITING)
        for part, sightings in self._parts.items():
            if sightings.worth_telling:
                self._journal.note_evidence(_rows(part, sightings))
                sightings.tell()

    async def about_case(
        self, case: Case, terms: Terms, ledger: Ledger, moment: float
    ) -> Evidence | None:
        """Give where the use that a case is about came from, up to now; None where nobody knows.

        Raises LedgerError.
        """
        about = about_case(case, terms, moment)
        if about is None:
            return None
        self._gather(MOST_WAITING)
        async with self._journal.paused():  # what is added up meanwhile must not count twice
            counted = await counted_about(ledger, about)
            counted.update(_told_by(self._journal.unwritten_evidence, about))
            for part, sightings in self._parts.items():
                if about.covers(part.account, part.location, part.meter, part.day):
                    counted.update({(kind, value): n for kind, value, n in sightings.untold()})
        return evidence_in(counted, about.since, terms.zone)

    def _gather(self, at_most: int) -> None:
        """Count some of what was noted."""
        for _ in range(min(at_most, len(self._waiting))):
            try:
                self._see(Sighting(*self._waiting.popleft()))
            except Exception:  # a request that can't be looked at must not stop what goes on
                log.exception("evidence.failed")
        while self._counters > MOST_COUNTERS:
            _, idle = self._parts.popitem(last=False)
            self._counters -= len(idle)

    def _see(self, sighting: Sighting) -> None:
        today = int(sighting.at // DAY)
        if today != self._numbered_on:
            self._numbered_on, self._numbers = today, {}
        (account, location, _, _, terms), traits = sighting.subject, sighting.traits
        day = day_of(sighting.at, terms.zone)
        for move in sighting.moves:
            name = move.meter.name
            if name in terms.evidence_of:
                sightings = self._part(_Part(account, location, name, day))
                self._counters += sightings.add(sighting, traits, sighting.units(move))

    def _part(self, part: _Part) -> Sightings:
        sightings = self._parts.get(part)
        if sightings is None:
            sightings = self._parts[part] = Sightings()
        self._parts.move_to_end(part)
        return sightings


def _rows(part: _Part, sightings: Sightings) -> dict[EvidenceKey, int]:
    return {EvidenceKey(*part, kind, value): n for kind, value, n in sightings.untold()}


def _told_by(rows: Mapping[EvidenceKey, int], about: About) -> dict[tuple[Kind, str], int]:
    """Add up the rows that are about something."""
    found: Counter[tuple[Kind, str]] = Counter()
    for (account, location, meter, day, kind, value), count in rows.items():
        if about.covers(account, location, meter, day):
            found[kind, value] += count
    return found
