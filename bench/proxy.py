"""The proxy benchmark: the gateway with six limits beside other proxies with six limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import configs, proxies, rounds
from bench.cpu import cores
from bench.proxies import NGINX, RATIO
from bench.report import Report, chosen

if TYPE_CHECKING:
    from bench.report import Options

NAMES = (
    NGINX,
    proxies.HAPROXY,
    proxies.GATEWAY,
    proxies.QUIET,
    proxies.BOOKING,
    proxies.OVER_HTTPX,
    proxies.FASTIFY,
    proxies.CLIENT,
    proxies.HELLO,
)


def run(options: Options) -> Report:
    """Measure all servers in turn, round by round. Raises BenchError."""
    names = chosen(options.only, proxies.able(NAMES), [NGINX])
    pair = cores()
    with proxies.fast_upstream(pair) as place:
        site = place._replace(keys=options.keys or configs.KEYS)
        with proxies.running(names, site) as started:
            measured = rounds.measured(started, options, pair)
    return Report(
        title="Proxies with six limits each",
        caption=f"medians; rounds: {options.rounds}, seconds each: {options.seconds};"
        f" ratio: requests per CPU-second, {NGINX} = 1; the booking policy has five limits, and is"
        " asked by POST with a body",
        columns=rounds.columns(RATIO),
        rows=rounds.summary(measured, NGINX, RATIO),
    )
