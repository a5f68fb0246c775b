"""The decision benchmark: what six limits cost in process, in microseconds of CPU time.

Every decider has a turn in each round, alone in the process and on one core: made anew, asked once
about every key, and then timed. The event loop goes round after each decision, as it does in a
server with one request at a time; `limits.aio` looks at all its live keys then. What the loop takes
by itself is measured in the same round, and taken off.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import defaultdict
from functools import partial
from itertools import cycle, islice
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import uvloop

from bench import deciders, rounds
from bench.cpu import cores, pinned
from bench.report import Column, Report, chosen
from fairuse.stores.journal import FLUSH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench.deciders import Decider
    from bench.report import Options

KEYS = 10_000
STRIDE = 7_919
"""Keys are asked about in steps of this: neighbours in time are no neighbours in memory."""

CHUNK = 100
"""Decisions between two looks at the clock."""


class Contender(NamedTuple):
    """One decider: how it is made for so many keys, and whether the loop goes round."""

    make: Callable[[int], Decider]
    live: bool = True


BASE, RESERVED = "fairuse", "fairuse, reserved only"
CONTENDERS = {
    BASE: Contender(deciders.fairuse_decider),
    RESERVED: Contender(partial(deciders.fairuse_decider, settled=False)),
    "limits.aio": Contender(deciders.limits_aio_decider),
    "limits.aio, loop never goes round": Contender(deciders.limits_aio_decider, live=False),
    "limits": Contender(deciders.limits_decider),
    "throttled-py": Contender(deciders.throttled_decider),
    "pyrate-limiter, one bucket": Contender(deciders.pyrate_decider),
    "pyrate-limiter, bucket per key": Contender(deciders.pyrate_buckets_decider),
}

COLUMNS = (
    Column("decider", "decider"),
    Column("microseconds", "microseconds", ",.2f"),
    Column("ratio_to_fairuse", "ratio", ",.2f"),
    Column("ratio_to_reserved", "ratio, reserved only", ",.2f"),
)


def run(options: Options) -> Report:
    """Time all deciders in turn, round by round. Raises BenchError."""
    names = chosen(options.only, CONTENDERS, (BASE, RESERVED))
    keys = options.keys or KEYS
    samples = defaultdict(list)
    with pinned(cores().server):
        for number in range(1, options.rounds + 1):
            empty = {
                live: _timed(Contender(lambda _keys: deciders.nothing(), live), keys, 1)
                for live in (True, False)
            }
            for name in names:
                contender = CONTENDERS[name]
                timed = _timed(contender, keys, options.seconds)
                samples[name].append((timed - empty[contender.live]) * 1e6)
                figure = f"{samples[name][-1]:,.2f} microseconds"
                rounds.say(f"round {number} of {options.rounds}: {name}: {figure}")
    return Report(
        title="One decision in process, six limits",
        caption=f"medians, CPU time; rounds: {options.rounds}, seconds each: {options.seconds},"
        f" keys: {keys:,}; ratios: {BASE} = 1, {RESERVED} = 1; to reach: {BASE} about 3"
        " microseconds, limits.aio 100 times that or more, pyrate-limiter twice or more",
        columns=COLUMNS,
        rows=summary(samples),
    )


def summary(samples: Mapping[str, Sequence[float]]) -> list[dict[str, object]]:
    """Give a row for each decider: the median of its rounds, beside fairuse's."""
    base, reserved = median(samples[BASE]), median(samples[RESERVED])
    return [
        {
            "decider": name,
            "microseconds": round(median(own), 3),
            "ratio_to_fairuse": round(median(own) / base, 3),
            "ratio_to_reserved": round(median(own) / reserved, 3),
            "rounds": [round(one, 3) for one in own],
        }
        for name, own in samples.items()
    ]


async def decide_all(decider: Decider, names: Sequence[str]) -> None:
    """Decide once about each key; the loop goes round only for what the decider does beside."""
    for start in range(0, len(names), CHUNK):
        await _chunk(decider, names[start : start + CHUNK], live=False)
        if decider.rest is not None:
            await decider.rest()


def _timed(contender: Contender, keys: int, seconds: float) -> float:
    """Give the CPU seconds of one decision; what lived before is no burden to it."""
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_cost(contender, keys, seconds))


async def _cost(contender: Contender, keys: int, seconds: float) -> float:
    names = [f"account-{number * STRIDE % keys:07}" for number in range(keys)]
    decider = contender.make(keys)
    try:
        await decide_all(decider, names)
        return await _time(decider, cycle(names), seconds, live=contender.live)
    finally:
        if decider.close is not None:
            await decider.close()


async def _time(decider: Decider, names: Iterator[str], seconds: float, *, live: bool) -> float:
    deadline = time.monotonic() + seconds
    used, rested, done = 0.0, 0.0, 0
    while time.monotonic() < deadline:
        chunk = [*islice(names, CHUNK)]
        before = time.process_time()
        await _chunk(decider, chunk, live=live)
        used += time.process_time() - before
        done += CHUNK
        if decider.rest is not None and used - rested > FLUSH_SECONDS:
            await decider.rest()
            rested = used
    return used / done


async def _chunk(decider: Decider, names: Sequence[str], *, live: bool) -> None:
    decide = decider.decide
    for name in names:
        if decider.awaited:
            await decide(name)
        else:
            decide(name)
        if live:
            await asyncio.sleep(0)
