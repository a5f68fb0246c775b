"""The proxies under test: the gateway and its peers, each started the same way.

A peer that is not installed is left out, and how to install it is said.
"""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bench import configs, rounds, servers
from bench.errors import CannotRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from bench.cpu import Cores
    from bench.servers import Server

NGINX = "nginx"
HAPROXY = "HAProxy"
FASTIFY = "Fastify"
CLIENT = "Starlette and httpx.AsyncClient, no limits"
UNBOUNDED_CLIENT = "Starlette and httpx.AsyncClient, unbounded pool, no limits"
HELLO = "uvicorn answering by itself, no proxy"
DIRECT = "the upstream itself"

GATEWAY = "gateway"
QUIET = "gateway, request log off"
BOOKING = "gateway, booking policy, request log off"
OVER_HTTPX = "gateway over httpx, request log off"

RATIO = "ratio_to_nginx"

FASTIFY_FOLDER = configs.PEERS / "fastify"
NODE_VERSION = 20
"""The oldest major version of Node.js that Fastify 5 runs on."""


class Site(NamedTuple):
    """Where proxies are started, and what stands behind all of them."""

    home: Path
    core: int
    direct: Server
    keys: int = configs.KEYS
    per_minute: int = configs.NEVER_REACHED


class Start(Protocol):
    """Runs a proxy by some name until the block ends."""

    def __call__(self, name: str, site: Site) -> AbstractContextManager[Server]:
        """Run it."""
        ...


def nginx(name: str, site: Site) -> AbstractContextManager[Server]:
    """Run nginx with six limit_req zones."""
    port = servers.free_port()
    config = configs.nginx_proxy(port, site.direct.port, site.per_minute)
    return servers.nginx(name, config, port, site.home / name, site.core)


def haproxy(name: str, site: Site) -> AbstractContextManager[Server]:
    """Run HAProxy with six rates in stick tables."""
    port = servers.free_port()
    files = {"haproxy.cfg": configs.haproxy(port, site.direct.port, site.per_minute)}
    command = [servers.tool("haproxy"), "-db", "-f", "haproxy.cfg"]
    return servers.program(name, command, port, site.home / name, site.core, files)


def fastify(name: str, site: Site) -> AbstractContextManager[Server]:
    """Run Fastify with @fastify/http-proxy, and six limits of @fastify/rate-limit."""
    port = servers.free_port()
    numbers = map(str, (port, site.direct.port, site.per_minute))
    command = [servers.tool("node"), str(FASTIFY_FOLDER / "server.mjs"), *numbers]
    return servers.program(name, command, port, site.home / name, site.core)


def app(name: str, site: Site, factory: str) -> AbstractContextManager[Server]:
    """Run one of the apps in `apps.py`, told where the upstream is."""
    address = {"upstream.txt": f"http://127.0.0.1:{site.direct.port}"}
    return servers.app(name, factory, address, site.home / name, site.core)


@contextmanager
def gateway(
    name: str, site: Site, *, log_requests: bool = True, client: str = "fairuse"
) -> Iterator[Server]:
    """Run the gateway with six limits."""
    config = configs.gateway(
        site.direct.port, log_requests=log_requests, client=client, keys=site.keys
    )
    port = servers.free_port()
    with servers.gateway(name, config, port, site.home / name, site.core) as server:
        rounds.check_limits(server)
        yield server


@contextmanager
def booking(
    name: str, site: Site, *, log_requests: bool = False, blocks: bool = True
) -> Iterator[Server]:
    """Run the gateway with the booking policy; it is asked for appointments."""
    config = configs.gateway_booking(
        site.direct.port,
        log_requests=log_requests,
        keys=site.keys,
        per_minute=site.per_minute,
        blocks=blocks,
    )
    port = servers.free_port()
    with servers.gateway(name, config, port, site.home / name, site.core) as started:
        server = started.asked_to_book()
        rounds.check_limits(server, ["appointments-burst"])
        yield server


PROXIES: dict[str, Start] = {
    NGINX: nginx,
    HAPROXY: haproxy,
    GATEWAY: gateway,
    QUIET: partial(gateway, log_requests=False),
    BOOKING: booking,
    OVER_HTTPX: partial(gateway, log_requests=False, client="httpx"),
    FASTIFY: fastify,
    CLIENT: partial(app, factory="usual_proxy"),
    UNBOUNDED_CLIENT: partial(app, factory="unbounded_proxy"),
    HELLO: partial(app, factory="greeter"),
}


def able(names: Iterable[str]) -> list[str]:
    """Leave out the peers that are not installed, and say so."""
    installed = []
    for name in names:
        try:
            _NEEDS.get(name, _nothing)()
        except CannotRun as error:
            rounds.say(f"left out: {name}: {error}")
        else:
            installed.append(name)
    return installed


@contextmanager
def fast_upstream(pair: Cores) -> Iterator[Site]:
    """Run an upstream that answers at once, on the load's core; proxies go before it."""
    with tempfile.TemporaryDirectory(prefix="fairuse-bench-") as folder:
        home, port = Path(folder), servers.free_port()
        config = configs.nginx_upstream(port)
        with servers.nginx(DIRECT, config, port, home / "upstream", pair.load) as direct:
            yield Site(home, pair.server, direct)


@contextmanager
def running(
    names: Iterable[str], site: Site, proxies: Mapping[str, Start] = PROXIES
) -> Iterator[list[Server]]:
    """Run these proxies until the block ends."""
    with ExitStack() as stack:
        yield [stack.enter_context(proxies[name](name, site)) for name in names]


def _nothing() -> None:
    """Need nothing that is not there anyway."""


def _node() -> None:
    """Look for Node.js and the packages of `peers/fastify`. Raises CannotRun."""
    command = [servers.tool("node"), "-p", "process.versions.node"]
    version = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if not version or int(version.split(".")[0]) < NODE_VERSION:
        raise CannotRun(f"needs Node.js {NODE_VERSION} or newer, and this is {version!r}")
    if not (FASTIFY_FOLDER / "node_modules").is_dir():
        raise CannotRun("packages not found; install with: npm ci --prefix bench/peers/fastify")


_NEEDS: dict[str, Callable[[], object]] = {
    HAPROXY: partial(servers.tool, "haproxy"),
    FASTIFY: _node,
}
