"""The latency benchmark: what a proxy adds when it has little to do.

All are asked at the same rate: a fifth of what the gateway can serve. What the upstream itself
takes, asked by the same client at the same rate in the same round, is taken off.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench import configs, paced, proxies, rounds
from bench.cpu import cores, cpu_seconds, pinned
from bench.proxies import DIRECT, GATEWAY, NGINX
from bench.report import Column, Report, chosen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.cpu import Cores
    from bench.paced import Latency
    from bench.report import Options
    from bench.servers import Server

PART = 0.2
"""Of what the gateway can serve."""

NAMES = (
    DIRECT,
    NGINX,
    proxies.HAPROXY,
    GATEWAY,
    proxies.QUIET,
    proxies.BOOKING,
    proxies.FASTIFY,
)

COLUMNS = (
    Column("server", "server"),
    Column("p50_ms", "p50 ms", ",.3f"),
    Column("p99_ms", "p99 ms", ",.3f"),
    Column("added_p50_ms", "added p50 ms", ",.3f"),
    Column("added_p99_ms", "added p99 ms", ",.3f"),
    Column("busy", "of its core", ".1%"),
)


class Sample(NamedTuple):
    """One server, once: what it took, and which part of its core it used."""

    latency: Latency
    busy: float


def run(options: Options) -> Report:
    """Measure all servers in turn, round by round. Raises BenchError."""
    names = chosen(options.only, proxies.able(NAMES), [DIRECT, NGINX, GATEWAY])
    pair = cores()
    keys = options.keys or configs.KEYS
    with proxies.fast_upstream(pair) as place:
        behind = [name for name in names if name != DIRECT]
        with proxies.running(behind, place._replace(keys=keys)) as started:
            rate = _rate(started, options, pair)
            samples = _rounds([place.direct, *started], rate, options, pair)
    return Report(
        title=f"Latency that a proxy adds at {rate:,} requests a second",
        caption=f"medians; rounds: {options.rounds}, seconds each: {options.seconds}; the rate is"
        f" {PART:.0%} of what the {GATEWAY} can serve; added: to what {DIRECT} takes",
        columns=COLUMNS,
        rows=summary(samples),
    )


def summary(samples: Mapping[str, Sequence[Sample]]) -> list[dict[str, object]]:
    """Give a row for each server: medians, and what it added to the upstream of its own round."""
    direct = [one.latency for one in samples[DIRECT]]
    rows: list[dict[str, object]] = []
    for name, own in samples.items():
        pairs = [(one.latency, base) for one, base in zip(own, direct, strict=True)]
        rows.append(
            {
                "server": name,
                "p50_ms": round(median(one.p50_ms for one, _ in pairs), 4),
                "p99_ms": round(median(one.p99_ms for one, _ in pairs), 4),
                "added_p50_ms": round(median(one.p50_ms - base.p50_ms for one, base in pairs), 4),
                "added_p99_ms": round(median(one.p99_ms - base.p99_ms for one, base in pairs), 4),
                "busy": round(median(one.busy for one in own), 4),
                "rounds": [one.latency._asdict() | {"busy": one.busy} for one in own],
            }
        )
    return rows


def _rate(started: Sequence[Server], options: Options, pair: Cores) -> int:
    """Give a fifth of what the gateway can serve on its core; all are warm afterwards."""
    once = options._replace(seconds=1, rounds=1)
    served = rounds.measured(started, once, pair)[GATEWAY]
    return round(rounds.figures(served).requests_per_cpu_second * PART)


def _rounds(
    started: Sequence[Server], rate: int, options: Options, pair: Cores
) -> dict[str, list[Sample]]:
    samples = defaultdict(list)
    keys = options.keys or configs.KEYS
    for number in range(1, options.rounds + 1):
        for server in started:
            before = cpu_seconds(server.pid)
            with pinned(pair.load):
                latency = paced.run(server, options.seconds, rate, keys)
            busy = (cpu_seconds(server.pid) - before) / options.seconds
            samples[server.name].append(Sample(latency, round(busy, 4)))
            figure = f"p50 {latency.p50_ms:.3f} ms, p99 {latency.p99_ms:.3f} ms"
            rounds.say(f"round {number} of {options.rounds}: {server.name}: {figure}")
    return samples
