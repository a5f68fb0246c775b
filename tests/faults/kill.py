"""Kill -9 under load, round after round on one ledger: what clients were told is still so (F-39).

A round: clients book, don't listen until they are blocked, and read the usage; at a random moment
the gateway is killed. Then the ledger is looked at, and the next gateway is asked.
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.faults.clients import clients
from tests.faults.judges import (
    Round,
    judge_blocks,
    judge_case,
    judge_ledger,
    judge_notices,
    judge_units,
)
from tests.faults.ledgers import left_in
from tests.faults.support import PLACE, Upstream, configured, gateway

from fairuse.stores.journal import FLUSH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.support import Gateway

SHORTEST, LONGEST = 0.05, 1.0
"""Seconds of load in a round."""
CUSTOMERS, SCRIPTS = 6, 2
"""Scripts in every other round only: a block is written at once, and with it all that waits."""


def rounds(folder: Path, durability: str, number: int, seed: int) -> Iterator[Round]:
    """Kill a gateway so many times, and give what came of each."""
    chance = random.Random(seed)  # noqa: S311  it is to be repeatable
    ledger = folder / "fairuse.db"
    with Upstream() as upstream, ExitStack() as stack:
        config = configured(folder, upstream.url, durability)
        running = stack.enter_context(gateway(config))
        for name in range(number):
            place, before = f"place-{name}", running.used()
            seconds, scripts = chance.uniform(SHORTEST, LONGEST), SCRIPTS * (name % 2)
            ended = _killed(running, upstream, place, seconds, scripts)
            judge_ledger(ended, left_in(ledger))
            running = stack.enter_context(gateway(config))
            ended.counted = running.used() - before
            at_place = running.used(PLACE, place)
            at_all = f"{ended.counted} at all, and {at_place} at the place"
            ended.expect("units", ended.counted == at_place, at_all)
            judge_units(ended, durability, FLUSH_SECONDS)
            judge_blocks(ended, running)
            judge_notices(ended, ledger)
            judge_case(ended, running, place)
            yield ended


def _killed(
    running: Gateway, upstream: Upstream, place: str, seconds: float, scripts: int
) -> Round:
    """Kill a gateway after so many seconds of load."""
    served = upstream.served
    with clients(running.url, place, CUSTOMERS, scripts) as told:
        time.sleep(seconds)
        killed_at = time.monotonic()
        running.kill()
    return Round(told, killed_at, upstream.served - served)
