"""One process that counts together with others: `python -m tests.stores.shared.process URL NAME`.

It is told line by line what to do, and answers each line with how many units it had:

    KIND all AMOUNT N    reserve N units at once, and keep them
    KIND drain AMOUNT    reserve and settle a unit at a time until it is refused
    KIND close           give back what is leased
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.stores.shared.support import ignore, reserved
from tests.stores.shared_store import patience
from tests.stores.support import claim, limit

from fairuse.base.clock import SystemClock
from fairuse.stores.protocol import Outcome, Receipt
from fairuse.stores.shared.channel import Channel
from fairuse.stores.shared.clock import StoreClock
from fairuse.stores.shared.counters import SharedCounters


class Part:
    """The strict or the relaxed counters of this process."""

    def __init__(self, url: str, namespace: str, kind: str) -> None:
        self.channel, self.clock = Channel(url), StoreClock(SystemClock())
        self.counters = SharedCounters(
            self.channel, f"{namespace}-{kind}", self.clock, ignore, strict=kind == "strict"
        )

    async def reserve(self, amount: int) -> Receipt | None:
        """Take a unit of a limit."""
        at = self.clock.now()
        terms = limit(f"of-{amount}", amount, "1 hour")
        decision = await reserved(self.counters, at, claim(terms, at.wall))
        return decision if isinstance(decision, Receipt) else None

    async def all(self, amount: int, number: int) -> int:
        """Take so many units at once, and give how many there were."""
        receipts = await asyncio.gather(*(self.reserve(amount) for _ in range(number)))
        return sum(receipt is not None for receipt in receipts)

    async def drain(self, amount: int) -> int:
        """Take a unit at a time until there is none."""
        admitted = 0
        while (receipt := await self.reserve(amount)) is not None:
            admitted += 1
            self.counters.settle(receipt, Outcome.ACCEPTED, {}, self.clock.now())
        return admitted

    async def close(self) -> int:
        """Give back what is leased."""
        await self.counters.close()
        return 0


async def main(url: str, namespace: str) -> None:
    """Do what is told, until there is no more."""
    parts = {kind: Part(url, namespace, kind) for kind in ("strict", "relaxed")}
    for part in parts.values():
        await part.counters.start()
    say(0, part)
    while line := await asyncio.to_thread(sys.stdin.readline):
        kind, what, *numbers = line.split()
        part = parts[kind]
        say(await getattr(part, what)(*map(int, numbers)), part)


def say(admitted: int, part: Part) -> None:
    """Answer a line."""
    said = {"admitted": admitted, "calls": part.channel.calls, "away": part.counters.away}
    print(json.dumps(said), flush=True)  # noqa: T201


if __name__ == "__main__":
    with patience():
        asyncio.run(main(*sys.argv[1:3]))
