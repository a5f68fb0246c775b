"""The refusals benchmark: how many requests a second of an account over its limit are refused.

The gateway has the booking policy, whole; each peer has its six limits, of which the one per
minute is as low as the policy's. Appointments are posted without a body.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import proxies, rounds, servers
from bench.configs import PER_MINUTE
from bench.cpu import cores
from bench.errors import BenchError
from bench.load import Traffic
from bench.proxies import NGINX, RATIO
from bench.report import Column, Report, chosen

if TYPE_CHECKING:
    from bench.proxies import Start
    from bench.report import Options
    from bench.servers import Server

OVER = "gateway, over its burst limit, request log off"
BLOCKED = "gateway, blocked, request log off"
LOGGED = "gateway, blocked"

PROXIES: dict[str, Start] = {
    NGINX: proxies.nginx,
    proxies.HAPROXY: proxies.haproxy,
    OVER: partial(proxies.booking, blocks=False),
    BLOCKED: proxies.booking,
    LOGGED: partial(proxies.booking, log_requests=True),
    proxies.FASTIFY: proxies.fastify,
}
STATUSES = {BLOCKED: 403, LOGGED: 403}
"""What is answered, where it is not 429."""

ENOUGH = 200
"""Requests after which everybody refuses, and whom the gateway may block is blocked."""


def run(options: Options) -> Report:
    """Measure all servers in turn, round by round. Raises BenchError."""
    names = chosen(options.only, proxies.able(PROXIES), [NGINX])
    pair = cores()
    keys = options.keys or 1
    with proxies.fast_upstream(pair) as place:
        site = place._replace(keys=keys, per_minute=PER_MINUTE)
        with proxies.running(names, site, PROXIES) as started:
            asked = [server.asked_to_book(body="") for server in started]
            for server in asked:
                _exhaust(server)
            measured = rounds.measured(asked, options, pair, Traffic(keys=keys, refused=True))
    columns = {
        "requests_per_second": "refusals/s",
        "requests_per_cpu_second": "refusals per CPU-second",
    }
    return Report(
        title=f"Refusals of an account over its {PER_MINUTE} requests a minute",
        caption=f"medians; rounds: {options.rounds}, seconds each: {options.seconds},"
        f" accounts: {keys}; ratio: refusals per CPU-second, {NGINX} = 1",
        columns=[
            Column(field, columns.get(field, heading), form)
            for field, heading, form in rounds.columns(RATIO)
        ],
        rows=rounds.summary(measured, NGINX, RATIO),
    )


def _exhaust(server: Server) -> None:
    """Ask until a server refuses as it should; anything else would be measured as something else.

    Raises BenchError.
    """
    expected = STATUSES.get(server.name, 429)
    status = 0
    for _ in range(ENOUGH):
        status = servers.ask(server).status_code
        if status == expected:
            return
    raise BenchError(f"{server.name} answers {status} and not {expected} over its limit")
