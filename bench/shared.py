"""The Redis benchmark: decisions that several processes share, 64 of them under way at a time.

The client has one core, Redis the other. All deciders have the same Redis, over TCP on this
machine: the network between two machines would add to every call alike, so the calls are counted.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from array import array
from collections import defaultdict
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import uvloop
from redis import Redis

from bench import deciders, rounds, servers
from bench.cpu import cores, pinned
from bench.decision import KEYS, STRIDE
from bench.errors import BenchError
from bench.report import Column, Report, chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench.deciders import Decider
    from bench.report import Options

CONCURRENCY = 64
WARM_UP_SECONDS = 0.5
PEER = "limits.aio"
CONTENDERS: dict[str, Callable[[str], Decider]] = {
    PEER: deciders.limits_redis_decider,
    "fairuse, strict": partial(deciders.redis_decider, leases=False),
    "fairuse, relaxed (leases)": partial(deciders.redis_decider, leases=True),
}
CALLS = frozenset({"eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro"})
"""The commands that a client sends to have a script run; others are run by the scripts."""

COLUMNS = (
    Column("decider", "decider"),
    Column("decisions_per_second", "per second", ",.0f"),
    Column("ratio_to_limits", "ratio", ",.2f"),
    Column("calls_per_decision", "calls", ",.3f"),
    Column("cpu_microseconds", "CPU us", ",.1f"),
    Column("p50_ms", "p50 ms", ",.3f"),
    Column("p99_ms", "p99 ms", ",.3f"),
)


class Sample(NamedTuple):
    """What one turn of a decider came to; the percentiles are of single decisions."""

    decisions: int
    seconds: float
    cpu_seconds: float
    calls: int
    p50_ms: float
    p99_ms: float


def run(options: Options) -> Report:
    """Measure all deciders in turn, round by round. Raises BenchError."""
    names = chosen(options.only, CONTENDERS, [PEER])
    pair = cores()
    keys = options.keys or KEYS
    with (
        tempfile.TemporaryDirectory(prefix="fairuse-bench-") as folder,
        servers.redis(Path(folder) / "redis", pair.load) as redis,
        pinned(pair.server),
    ):
        samples = _rounds(names, redis.url, keys, options)
    return Report(
        title="Decisions on one Redis, six limits",
        caption=f"medians; rounds: {options.rounds}, seconds each: {options.seconds}, keys:"
        f" {keys:,}, under way at a time: {CONCURRENCY}; ratio: decisions per second, {PEER} = 1;"
        " calls of scripts and the client's CPU time: for one decision",
        columns=COLUMNS,
        rows=summary(samples),
    )


def summary(samples: Mapping[str, Sequence[Sample]]) -> list[dict[str, object]]:
    """Give a row for each decider: medians, and the ratio of its decisions to the peer's."""
    base = _decisions_per_second(samples[PEER])
    return [
        {
            "decider": name,
            "decisions_per_second": round(_decisions_per_second(own), 1),
            "ratio_to_limits": round(_decisions_per_second(own) / base, 3),
            "calls_per_decision": round(median(one.calls / one.decisions for one in own), 5),
            "cpu_microseconds": round(
                median(one.cpu_seconds / one.decisions * 1e6 for one in own), 2
            ),
            "p50_ms": round(median(one.p50_ms for one in own), 4),
            "p99_ms": round(median(one.p99_ms for one in own), 4),
            "rounds": [one._asdict() for one in own],
        }
        for name, own in samples.items()
    ]


def script_calls(stats: Mapping[str, Mapping[str, Any]]) -> int:
    """Count the calls of scripts in what Redis says of its commands (INFO commandstats)."""
    return sum(
        int(stat["calls"])
        for command, stat in stats.items()
        if command.removeprefix("cmdstat_").lower() in CALLS
    )


def percentile(ordered: Sequence[float], part: float) -> float:
    """Give the value that so great a part of the sorted values does not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * part) - 1)]


def _decisions_per_second(samples: Sequence[Sample]) -> float:
    return median(one.decisions / one.seconds for one in samples)


def _rounds(names: Sequence[str], url: str, keys: int, options: Options) -> dict[str, list[Sample]]:
    samples = defaultdict(list)
    able = [*names]
    for number in range(1, options.rounds + 1):
        for name in [*able]:
            try:
                sample = _measured(name, url, keys, options.seconds)
            except NotImplementedError as error:
                rounds.say(f"left out: {name}: {error}")
                able.remove(name)
                continue
            samples[name].append(sample)
            figure = f"{sample.decisions / sample.seconds:,.0f} decisions per second"
            rounds.say(f"round {number} of {options.rounds}: {name}: {figure}")
    return samples


def _measured(name: str, url: str, keys: int, seconds: int) -> Sample:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_measure(CONTENDERS[name], url, keys, seconds))


async def _measure(make: Callable[[str], Decider], url: str, keys: int, seconds: float) -> Sample:
    names = cycle([f"account-{number * STRIDE % keys:07}" for number in range(keys)])
    decider, redis = make(url), Redis.from_url(url)
    try:
        await _load(decider, names, WARM_UP_SECONDS)
        redis.config_resetstat()
        began, cpu = time.perf_counter(), time.process_time()
        latencies = await _load(decider, names, seconds)
        lasted, used = time.perf_counter() - began, time.process_time() - cpu
        calls = script_calls(redis.info("commandstats"))
    finally:
        redis.close()
        if decider.close is not None:
            await decider.close()
    if not latencies:
        raise BenchError("not one decision was made")
    ordered = sorted(latencies)
    p50, p99 = (percentile(ordered, part) * 1_000 for part in (0.50, 0.99))
    return Sample(len(ordered), lasted, used, calls, p50, p99)


async def _load(decider: Decider, names: Iterator[str], seconds: float) -> array[float]:
    """Decide for so many seconds; give how long each decision took."""
    latencies = array("d")
    deadline = time.perf_counter() + seconds

    async def decide_on_and_on() -> None:
        now = time.perf_counter()
        while now < deadline:
            await decider.decide(next(names))
            latencies.append(time.perf_counter() - now)
            await asyncio.sleep(0)  # a server goes back to its connections, too
            now = time.perf_counter()

    await asyncio.gather(*(decide_on_and_on() for _ in range(CONCURRENCY)))
    return latencies
