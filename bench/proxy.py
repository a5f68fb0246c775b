"""The proxy benchmark: the gateway with six limits beside nginx with six limits."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench import configs, rounds, servers
from bench.cpu import cores
from bench.report import Report, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.cpu import Cores
    from bench.report import Options
    from bench.servers import Server

PEER = "nginx"
USUAL = "Starlette and httpx.AsyncClient, no limits"


class Variant(NamedTuple):
    """How a gateway is set."""

    log_requests: bool
    client: str = "fairuse"


GATEWAYS = {
    "gateway": Variant(log_requests=True),
    "gateway, request log off": Variant(log_requests=False),
    "gateway over httpx, request log off": Variant(log_requests=False, client="httpx"),
}

RATIO = "ratio_to_nginx"


def run(options: Options) -> Report:
    """Measure all servers in turn, round by round. Raises BenchError."""
    names = chosen(options.only, [PEER, *GATEWAYS, USUAL], [PEER])
    pair = cores()
    with _running(names, pair, options.keys or configs.KEYS) as started:
        measured = rounds.measured(started, options, pair)
    return Report(
        title="Gateway and nginx, six limits each",
        caption=f"medians; rounds: {options.rounds}, seconds each: {options.seconds};"
        f" ratio: requests per CPU-second, {PEER} = 1",
        columns=rounds.columns(RATIO),
        rows=rounds.summary(measured, PEER, RATIO),
    )


@contextmanager
def _running(names: Sequence[str], pair: Cores, keys: int) -> Iterator[list[Server]]:
    """Run the servers to measure, with an upstream behind them, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="fairuse-bench-") as folder, ExitStack() as stack:
        home = Path(folder)
        upstream = servers.free_port()
        config = configs.nginx_upstream(upstream)
        stack.enter_context(
            servers.nginx("the upstream", config, upstream, home / "upstream", pair.load)
        )

        def start(name: str) -> Server:
            port = servers.free_port()
            if name == PEER:
                peer = configs.nginx_proxy(port, upstream)
                return stack.enter_context(
                    servers.nginx(name, peer, port, home / name, pair.server)
                )
            if name == USUAL:
                address = {"upstream.txt": f"http://127.0.0.1:{upstream}"}
                return stack.enter_context(
                    servers.app(name, "usual_proxy", address, home / name, pair.server)
                )
            variant = GATEWAYS[name]
            config = configs.gateway(
                upstream, log_requests=variant.log_requests, client=variant.client, keys=keys
            )
            server = stack.enter_context(
                servers.gateway(name, config, port, home / name, pair.server)
            )
            rounds.check_limits(server)
            return server

        yield [start(name) for name in names]
