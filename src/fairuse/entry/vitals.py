"""How the service is: for whoever watches it, and for the balancer in front."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fairuse.base import metrics
from fairuse.stores.memory import MemoryCounters

if TYPE_CHECKING:
    from fairuse.stores.journal import Journal
    from fairuse.stores.protocol import Counters

LOOK_SECONDS = 1.0


class Vitals:
    """Says how the parts are that can fail while the service goes on."""

    def __init__(self, counters: Counters, journal: Journal) -> None:
        self._counters = counters
        self._journal = journal
        self._evicted = 0
        self._turned_away = 0

    @property
    def ready(self) -> bool:
        """Say whether requests should come here: not while nothing can be written (F-41)."""
        return not self._journal.failing

    def report(self) -> dict[str, str]:
        """Give the state of each part in a word; why it is so is in the log."""
        counters = "away" if self._counters.away else "ok"
        ledger = "failing" if self._journal.failing else "ok"
        well = counters == ledger == "ok"
        return {"status": "ok" if well else "degraded", "counters": counters, "ledger": ledger}

    async def run(self) -> None:
        """Keep the metrics up to date, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Bring the metrics up to date."""
        metrics.STORE_AWAY.set(bool(self._counters.away))
        metrics.LEDGER_FAILING.set(self._journal.failing)
        if isinstance(self._counters, MemoryCounters):
            room = self._counters.room
            metrics.TALLIES.set(room.taken)
            metrics.UNEXPIRED_EVICTIONS.inc(room.evicted - self._evicted)
            metrics.TURNED_AWAY.inc(room.turned_away - self._turned_away)
            self._evicted, self._turned_away = room.evicted, room.turned_away
