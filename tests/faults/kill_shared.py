"""Kill -9 of one of two gateways that count in Redis and share a ledger (F-39).

What the dead one had told Redis is looked at there: its lease lasts ten seconds, and then what it
had let in counts where nothing may be forgotten, and is dropped elsewhere.
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from tests.faults.clients import clients, new_address
from tests.faults.judges import (
    Round,
    judge_blocks,
    judge_case,
    judge_ledger,
    judge_notices,
    judge_units,
)
from tests.faults.kill import LONGEST, SHORTEST
from tests.faults.ledgers import read
from tests.faults.support import MONTH, Gateway, Upstream, came_true, configured, gateway

from fairuse.rules.tally import TallyKey
from fairuse.stores.shared.message import LEASE_SECONDS
from fairuse.stores.shared.names import share_name
from fairuse.stores.shared.teller import TELL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.redis_servers import RedisServer

FEW = (2, 1)
"""Customers and scripts: where Redis answers late each counts alone, which is another matter."""
HEARD_SECONDS = 2.0
"""A block holds on every node within a second; this is what a busy machine gets."""
COUNT = share_name("fairuse", TallyKey("salon", MONTH, "calendar month", ()))
UNITS = """
local state = redis.call('GET', KEYS[1])
if not state then
    return {0, 0}
end
local tally = cmsgpack.unpack(state)
local settled, let_in = 0, 0
for i = 1, #tally[4], 4 do
    settled = settled + tally[4][i + 2]
end
for _, owner in ipairs(tally[3]) do
    let_in = let_in + owner[3] * owner[7]
end
return {settled, let_in}
"""
"""Sums what is settled, and what strict owners have let in: see tell.lua for the layout."""


class Units(NamedTuple):
    """What Redis knows of the month: both parts together are what no crash may forget."""

    settled: int
    let_in: int


def units_in(server: RedisServer) -> Units:
    """Read the month's count as it stands."""
    return Units(*server.ask("EVAL", UNITS, 1, COUNT))


def rounds(
    folder: Path,
    durability: str,
    number: int,
    seed: int,
    server: RedisServer,
    *,
    patient: bool = False,
) -> Iterator[Round]:
    """Kill one of two gateways so many times, and give what came of each.

    The patient wait at the end until the store gives the dead up.
    """
    chance = random.Random(seed)  # noqa: S311  it is to be repeatable
    ledger = folder / "fairuse.db"
    with Upstream() as upstream, ExitStack() as stack:
        config = configured(folder, upstream.url, durability, server.url)
        survivor = stack.enter_context(gateway(config, name="survivor"))
        victim = stack.enter_context(gateway(config))
        for name in range(number):
            place, before = f"place-{name}", sum(units_in(server))
            seconds = chance.uniform(SHORTEST, LONGEST)
            ended = _killed(victim, survivor, upstream, place, seconds)
            survivor.usage()  # which it gives when it has told what it counted
            ended.counted = sum(units_in(server)) - before
            judge_units(ended, durability, TELL_SECONDS)
            judge_ledger(ended, read(ledger))
            _judge_blocks(ended, survivor)
            victim = stack.enter_context(gateway(config))
            judge_notices(ended, ledger)
            judge_case(ended, survivor, place)
            if patient and name == number - 1:
                _judge_given_up(ended, survivor, server)
            yield ended


def _judge_given_up(ended: Round, survivor: Gateway, server: RedisServer) -> None:
    """Expect that nothing is held for the dead, and that what they had let in counts in strict."""
    expected = sum(units_in(server))
    time.sleep(LEASE_SECONDS + 1)
    ended.expect("units", survivor.used() == expected, f"{survivor.used()} used, not {expected}")
    assert survivor.book(new_address()).status_code == 201
    used, units = survivor.used(), units_in(server)
    holds = used == units.settled == expected + 1
    ended.expect("units", holds, f"{used} used and {units}, not {expected} and one more")


def _killed(
    victim: Gateway, survivor: Gateway, upstream: Upstream, place: str, seconds: float
) -> Round:
    served, outages = upstream.served, _outages(survivor)
    with clients(survivor.url, place, *FEW) as others, clients(victim.url, place, *FEW) as told:
        time.sleep(seconds)
        killed_at = time.monotonic()
        victim.kill()
    told.unlike += others.unlike
    away = _outages(victim) + _outages(survivor) > outages
    served = upstream.served - served
    return Round(told, killed_at, served, elsewhere=len(others.admitted), away=away)


def _outages(running: Gateway) -> int:
    """Count how often a gateway has found its store away."""
    return len(running.events("counters.store_away"))


def _judge_blocks(ended: Round, survivor: Gateway) -> None:
    """Expect the other gateway to know the blocks soon."""
    told = ended.told.promised.keys()
    came_true(lambda: told <= _blocked(survivor), HEARD_SECONDS)
    judge_blocks(ended, survivor)


def _blocked(running: Gateway) -> set[str]:
    return {block["address"] for block in running.usage()["blocks"]}
