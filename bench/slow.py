"""The slow-upstream benchmark: how many of 512 requests in flight a proxy really keeps in flight.

The upstream takes 200 ms for each answer, so no more than 2,560 of them a second are possible.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import configs, proxies, rounds, servers
from bench.cpu import cores
from bench.load import Traffic
from bench.proxies import DIRECT, NGINX, RATIO, Site
from bench.report import Column, Report, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.cpu import Cores
    from bench.report import Options
    from bench.rounds import Measurement

IN_FLIGHT = 512
ANSWER_SECONDS = 0.2
POSSIBLE = IN_FLIGHT / ANSWER_SECONDS
SHARE, SHARE_OF_DIRECT = "share_of_possible", "share_of_direct"
LEAST_SECONDS = 5
"""The slowest proxy has its first answers after some seconds."""

NAMES = (
    DIRECT,
    NGINX,
    proxies.HAPROXY,
    proxies.GATEWAY,
    proxies.QUIET,
    proxies.BOOKING,
    proxies.FASTIFY,
    proxies.CLIENT,
    proxies.UNBOUNDED_CLIENT,
)

_SERVER, _PER_SECOND, *_OTHERS = rounds.columns(RATIO)
COLUMNS = (
    _SERVER,
    _PER_SECOND,
    Column(SHARE, "of possible", ".1%"),
    Column(SHARE_OF_DIRECT, "of direct", ".1%"),
    *_OTHERS,
)


def run(options: Options) -> Report:
    """Measure all servers in turn, round by round. Raises BenchError."""
    names = chosen(options.only, proxies.able(NAMES), [DIRECT, NGINX])
    options = options._replace(seconds=max(options.seconds, LEAST_SECONDS))
    pair = cores()
    keys = options.keys or configs.KEYS
    with _slow_upstream(pair) as place:
        behind = [name for name in names if name != DIRECT]
        with proxies.running(behind, place._replace(keys=keys)) as started:
            traffic = Traffic(IN_FLIGHT, keys, warm_up_seconds=LEAST_SECONDS)
            measured = rounds.measured([place.direct, *started], options, pair, traffic)
    return Report(
        title=f"Proxies before an upstream that takes {ANSWER_SECONDS * 1_000:.0f} ms,"
        f" {IN_FLIGHT} requests in flight",
        caption=f"medians; rounds: {options.rounds}, seconds each: {options.seconds};"
        f" possible: {POSSIBLE:,.0f} per second; direct: {DIRECT};"
        f" ratio: requests per CPU-second, {NGINX} = 1",
        columns=COLUMNS,
        rows=summary(measured),
    )


def summary(measurements: Mapping[str, Sequence[Measurement]]) -> list[dict[str, object]]:
    """Give a row for each, with its share of what is possible, and of what the upstream served.

    Of the first and the last fifth of a second of a run there are no whole answers, so not even
    the upstream itself serves all that is possible.
    """
    direct = rounds.figures(measurements[DIRECT]).requests_per_second
    rows = rounds.summary(measurements, NGINX, RATIO)
    for row, own in zip(rows, measurements.values(), strict=True):
        served = rounds.figures(own).requests_per_second
        row |= {SHARE: round(served / POSSIBLE, 4), SHARE_OF_DIRECT: round(served / direct, 4)}
    return rows


@contextmanager
def _slow_upstream(pair: Cores) -> Iterator[Site]:
    """Run the upstream on the load's core; proxies go before it."""
    with tempfile.TemporaryDirectory(prefix="fairuse-bench-") as folder:
        home, port = Path(folder), servers.free_port()
        script = servers.ROOT / "bench" / "upstream.py"
        command = [sys.executable, str(script), str(port), str(ANSWER_SECONDS), configs.BODY]
        with servers.program(DIRECT, command, port, home / "upstream", pair.load) as direct:
            yield Site(home, pair.server, direct)
