"""Servers under load in turn, round by round, and what the rounds come to.

The measured servers take turns on one core; the load, and what stands behind them, share the
other. Requests per second swing with whatever else a machine does, so servers are compared by
requests per second of CPU time that their own processes used (user and system), side by side in
the same run.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench import configs, load, servers
from bench.cpu import cpu_seconds
from bench.errors import BenchError
from bench.load import Traffic
from bench.report import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.cpu import Cores
    from bench.load import Load
    from bench.report import Options
    from bench.servers import Server

CALM_SECONDS = 45
"""How long a server may go on with what nobody waits for any more, before the next has its turn."""


class Measurement(NamedTuple):
    """One server under load, once."""

    load: Load
    cpu_seconds: float

    @property
    def requests_per_second(self) -> float:
        """Say how much was served."""
        return self.load.requests / self.load.seconds

    @property
    def requests_per_cpu_second(self) -> float:
        """Say how much was served for the CPU time it took."""
        return self.load.requests / self.cpu_seconds


class Figures(NamedTuple):
    """The medians of a server's rounds."""

    requests_per_second: float
    requests_per_cpu_second: float
    p50_ms: float
    p99_ms: float


def measured(
    started: Sequence[Server], options: Options, pair: Cores, traffic: Traffic | None = None
) -> dict[str, list[Measurement]]:
    """Load all servers in turn, round by round. Raises BenchError."""
    traffic = traffic or Traffic(keys=options.keys or configs.KEYS)
    for server in started:
        _load(server, traffic.warm_up_seconds, pair, traffic)
        _calm(server)
    measurements = defaultdict(list)
    for number in range(1, options.rounds + 1):
        for server in started:
            measurement = _measure(server, options.seconds, pair, traffic)
            _calm(server)
            measurements[server.name].append(measurement)
            figure = f"{measurement.requests_per_cpu_second:,.0f} requests per CPU-second"
            say(f"round {number} of {options.rounds}: {server.name}: {figure}")
    return measurements


def figures(rounds: Sequence[Measurement]) -> Figures:
    """Give the medians of a server's rounds."""
    return Figures(
        median(one.requests_per_second for one in rounds),
        median(one.requests_per_cpu_second for one in rounds),
        median(one.load.p50_ms for one in rounds),
        median(one.load.p99_ms for one in rounds),
    )


def columns(ratio: str) -> tuple[Column, ...]:
    """Say how a table shows servers; `ratio` is the field that compares them."""
    return (
        Column("server", "server"),
        Column("requests_per_second", "req/s", ",.0f"),
        Column("requests_per_cpu_second", "req per CPU-second", ",.0f"),
        Column(ratio, "ratio", ".4f"),
        Column("p50_ms", "p50 ms", ",.2f"),
        Column("p99_ms", "p99 ms", ",.2f"),
    )


def summary(
    measurements: Mapping[str, Sequence[Measurement]], base: str, ratio: str
) -> list[dict[str, object]]:
    """Give a row for each server: medians, and the ratio of its CPU efficiency to the base's."""
    compared = figures(measurements[base]).requests_per_cpu_second
    rows: list[dict[str, object]] = []
    for name, rounds in measurements.items():
        own = figures(rounds)
        rows.append(
            {
                "server": name,
                "requests_per_second": round(own.requests_per_second, 1),
                "requests_per_cpu_second": round(own.requests_per_cpu_second, 1),
                ratio: round(own.requests_per_cpu_second / compared, 4),
                "p50_ms": round(own.p50_ms, 3),
                "p99_ms": round(own.p99_ms, 3),
                "rounds": [one.load._asdict() | {"cpu_seconds": one.cpu_seconds} for one in rounds],
            }
        )
    return rows


def check_limits(server: Server, limits: Iterable[str] = configs.WINDOWS) -> None:
    """Make sure that a server limits what the load asks for; a wrong route would flatter it."""
    announced = servers.ask(server).headers.get("ratelimit-policy", "")
    if any(f'"{name}"' not in announced for name in limits):
        raise BenchError(f"{server.name} announces other limits than its own: {announced!r}")


def say(line: str) -> None:
    """Tell how far a benchmark is, beside its figures."""
    print(line, file=sys.stderr)


def _measure(server: Server, seconds: int, pair: Cores, traffic: Traffic) -> Measurement:
    before = cpu_seconds(server.pid)
    result = _load(server, seconds, pair, traffic)
    used = round(cpu_seconds(server.pid) - before, 2)
    if used <= 0:
        raise BenchError(f"{server.name} seems to have used no CPU time; is /proc complete?")
    return Measurement(result, used)


def _load(server: Server, seconds: int, pair: Cores, traffic: Traffic) -> Load:
    try:
        return load.run(server, seconds, pair.load, traffic)
    except BenchError as error:
        raise BenchError(f"{server.name}: {error}") from error


def _calm(server: Server) -> None:
    """Wait until a server has nothing left to do: it would take its core from the next one."""
    deadline = time.monotonic() + CALM_SECONDS
    while time.monotonic() < deadline:
        before = cpu_seconds(server.pid)
        time.sleep(0.2)
        if cpu_seconds(server.pid) - before < 0.05:
            return
    say(f"{server.name} is still busy {CALM_SECONDS} seconds after its load")
