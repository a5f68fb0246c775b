"""The proxy benchmark: the gateway with six limits beside nginx with six limits.

The measured servers take turns on one core; the upstream and the load share the other. Requests
per second swing with whatever else a machine does, so servers are compared by requests per second
of CPU time that their own processes used (user and system), side by side in the same run.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench import configs, load, servers
from bench.cpu import cores, cpu_seconds
from bench.errors import BenchError, CannotRun
from bench.report import Column, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.cpu import Cores
    from bench.load import Load
    from bench.report import Options
    from bench.servers import Server

PEER = "nginx"
GATEWAYS = {"gateway": True, "gateway, request log off": False}
"""The gateway's variants: each one's name, and whether it logs requests."""

WARM_UP_SECONDS = 1

COLUMNS = (
    Column("server", "server"),
    Column("requests_per_second", "req/s", ",.0f"),
    Column("requests_per_cpu_second", "req per CPU-second", ",.0f"),
    Column("ratio_to_nginx", "ratio", ".4f"),
    Column("p50_ms", "p50 ms", ",.2f"),
    Column("p99_ms", "p99 ms", ",.2f"),
)


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


def run(options: Options) -> Report:
    """Measure all servers in turn, round by round. Raises BenchError."""
    names = _chosen(options.only)
    pair = cores()
    with _running(names, pair) as started:
        for server in started:
            _load(server, WARM_UP_SECONDS, pair)
        measured = defaultdict(list)
        for number in range(1, options.rounds + 1):
            for server in started:
                measurement = _measure(server, options.seconds, pair)
                measured[server.name].append(measurement)
                _say(number, options.rounds, server, measurement)
    return Report(
        title="Gateway and nginx, six limits each",
        caption=f"medians; rounds: {options.rounds}, seconds each: {options.seconds};"
        f" ratio: requests per CPU-second, {PEER} = 1",
        columns=COLUMNS,
        rows=summary(measured),
    )


def summary(measured: Mapping[str, Sequence[Measurement]]) -> list[dict[str, object]]:
    """Give a row for each server: medians, and the ratio of its CPU efficiency to the peer's."""
    base = _efficiency(measured[PEER])
    return [
        {
            "server": name,
            "requests_per_second": round(median(one.requests_per_second for one in rounds), 1),
            "requests_per_cpu_second": round(_efficiency(rounds), 1),
            "ratio_to_nginx": round(_efficiency(rounds) / base, 4),
            "p50_ms": round(median(one.load.p50_ms for one in rounds), 3),
            "p99_ms": round(median(one.load.p99_ms for one in rounds), 3),
            "rounds": [one.load._asdict() | {"cpu_seconds": one.cpu_seconds} for one in rounds],
        }
        for name, rounds in measured.items()
    ]


def _efficiency(rounds: Sequence[Measurement]) -> float:
    return median(one.requests_per_cpu_second for one in rounds)


def _chosen(only: str | None) -> list[str]:
    names = [PEER, *GATEWAYS]
    if only is None:
        return names
    if only not in names:
        raise CannotRun(f'there is no server "{only}"; one of: {"; ".join(names)}')
    return [name for name in names if name in (PEER, only)]


@contextmanager
def _running(names: Sequence[str], pair: Cores) -> Iterator[list[Server]]:
    """Run the servers to measure, with an upstream behind them, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="fairuse-bench-") as folder, ExitStack() as stack:
        home = Path(folder)
        upstream = servers.free_port()
        config = configs.nginx_upstream(upstream)
        stack.enter_context(
            servers.nginx("the upstream", config, upstream, home / "upstream", pair.load)
        )
        yield [_start(name, stack, upstream, home, pair.server) for name in names]


def _start(name: str, stack: ExitStack, upstream: int, home: Path, core: int) -> Server:
    port = servers.free_port()
    if name == PEER:
        peer = configs.nginx_proxy(port, upstream)
        return stack.enter_context(servers.nginx(name, peer, port, home / name, core))
    config = configs.gateway(upstream, log_requests=GATEWAYS[name])
    server = stack.enter_context(servers.gateway(name, config, port, home / name, core))
    _check_limits(server)
    return server


def _check_limits(server: Server) -> None:
    """Make sure that the gateway limits what the load asks for; a wrong route would flatter it."""
    announced = servers.ask(server.url).headers.get("ratelimit-policy", "")
    if any(f'"{name}"' not in announced for name in configs.WINDOWS):
        raise BenchError(f"{server.name} announces other limits than its six: {announced!r}")


def _measure(server: Server, seconds: int, pair: Cores) -> Measurement:
    before = cpu_seconds(server.pid)
    result = _load(server, seconds, pair)
    used = round(cpu_seconds(server.pid) - before, 2)
    if used <= 0:
        raise BenchError(f"{server.name} seems to have used no CPU time; is /proc complete?")
    return Measurement(result, used)


def _load(server: Server, seconds: int, pair: Cores) -> Load:
    try:
        return load.run(server.url, seconds, pair.load)
    except BenchError as error:
        raise BenchError(f"{server.name}: {error}") from error


def _say(number: int, rounds: int, server: Server, measurement: Measurement) -> None:
    figure = f"{measurement.requests_per_cpu_second:,.0f} requests per CPU-second"
    print(f"round {number} of {rounds}: {server.name}: {figure}", file=sys.stderr)
