"""Makes up names as an attacker would: `python -m tests.stores.cardinality 10000000`.

Prints JSON: the resident memory in bytes after a tenth of the names and after all of them, and
whether those who were near their limit before are refused still.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.stores.support import claim, limit

from fairuse.base.clock import ManualClock
from fairuse.rules.claims import Claims
from fairuse.stores.callers import RecentEvents
from fairuse.stores.journal import Journal
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.protocol import Exceeded, Outcome, Receipt

if TYPE_CHECKING:
    from fairuse.rules.claims import Claim

NOON = 1_793_620_800.0
ROOM = 20_000
KEPT = 1_000


def resident() -> int:
    """Give the bytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Attack:
    """Counts for made-up names, beside some that are at their limit."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.journal = Journal()
        self.counters = MemoryCounters(self.journal, lambda _: None, ROOM)
        self.callers = RecentEvents(ROOM)
        self.month = limit("month", 4, "calendar month")

    def use(self, name: str) -> bool:
        """Use one unit; says whether it was let in."""
        now = self.clock.now()
        claims: list[Claim] = [claim(self.month, now.wall, place=name)]
        decision = self.counters.try_reserve("anna", Claims(claims), now)
        if isinstance(decision, Receipt):
            self.counters.settle(decision, Outcome.ACCEPTED, {}, now)
        return not isinstance(decision, Exceeded)

    def make_up(self, first: int, last: int) -> None:
        """Use names that nobody has seen, known accounts' and unknown callers'."""
        for number in range(first, last):
            self.use(f"made-up-{number}")
            self.callers.count((f"2001:db8:{number:x}::/64",), 60, self.clock.now())
            if number % 1_000 == 0:
                self.journal._changes = type(self.journal._changes)()  # as if written
                self.clock.advance(0.01)


def main(names: int) -> None:
    """Attack with so many names, and print what it took."""
    attack = Attack()
    for number in range(KEPT):
        for _ in range(4):
            attack.use(f"kept-{number}")
    attack.make_up(0, names // 10)
    before = resident()
    attack.make_up(names // 10, names)
    refused = sum(not attack.use(f"kept-{number}") for number in range(KEPT))
    report = {"names": names, "before": before, "after": resident(), "refused_still": refused}
    print(json.dumps(report))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
