"""The middleware benchmark: a trivial Starlette app, bare and behind each limiter."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from redis import Redis

from bench import configs, rounds, servers
from bench.cpu import cores
from bench.errors import BenchError, CannotRun
from bench.report import Report, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.cpu import Cores
    from bench.report import Options
    from bench.servers import Server

BARE = "bare app"
RATIO = "ratio_to_bare"


class App(NamedTuple):
    """An app to serve: which one of `apps.py`, and how fairuse is set, where it is that."""

    factory: str
    durability: str = ""
    log_requests: bool = False
    on_redis: bool = False

    def config(self, store: str, keys: int) -> dict[str, str]:
        """Write its configuration folder; only fairuse has one."""
        if not self.durability:
            return {}
        return configs.middleware(
            self.durability, store=store, log_requests=self.log_requests, keys=keys
        )


APPS = {
    BARE: App("bare"),
    "fairuse, relaxed": App("fairuse", "relaxed"),
    "fairuse, strict": App("fairuse", "strict"),
    "fairuse, strict, request log": App("fairuse", "strict", log_requests=True),
    "fairuse, Redis, leases": App("fairuse", "relaxed", on_redis=True),
    "fairuse, Redis, no leases": App("fairuse", "strict", on_redis=True),
    "limits.aio": App("limits_aio"),
    "asgi-ratelimit": App("asgi_ratelimit"),
    "slowapi": App("slowapi"),
}


def run(options: Options) -> Report:
    """Measure all apps in turn, round by round. Raises BenchError."""
    names = chosen(options.only, _able(), [BARE])
    pair = cores()
    with running(names, pair, options.keys or configs.KEYS) as started:
        measured = rounds.measured(started, options, pair)
    return Report(
        title="A trivial app, bare and behind six limits in memory (asgi-ratelimit: five)",
        caption=f"medians; rounds: {options.rounds}, seconds each: {options.seconds},"
        f" keys: {options.keys or configs.KEYS}; ratio: requests per CPU-second, {BARE} = 1",
        columns=rounds.columns(RATIO),
        rows=rounds.summary(measured, BARE, RATIO),
    )


@contextmanager
def running(names: Sequence[str], pair: Cores, keys: int) -> Iterator[list[Server]]:
    """Run some of the apps, and a Redis where one of them needs it, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="fairuse-bench-") as folder, ExitStack() as stack:
        home, redis = Path(folder), ""
        if any(APPS[name].on_redis for name in names):
            redis = stack.enter_context(servers.redis(home / "redis", pair.load)).url

        def start(name: str) -> Server:
            app = APPS[name]
            config = app.config(redis if app.on_redis else "memory", keys)
            server = stack.enter_context(
                servers.app(name, app.factory, config, home / name, pair.server)
            )
            if config:
                rounds.check_limits(server)
            return server

        yield [start(name) for name in names]
        if redis:
            _check_counted(redis)


def _check_counted(redis: str) -> None:
    """Make sure that something was counted on Redis; memory would flatter it."""
    with closing(Redis.from_url(redis)) as client:
        if client.dbsize() == 0:
            raise BenchError("nothing was counted on Redis")


def _able() -> list[str]:
    """Name the apps that can run here, and say which can't."""
    able = [*APPS]
    try:
        servers.tool("redis-server")
    except CannotRun as error:
        for name in (name for name in able if APPS[name].on_redis):
            rounds.say(f"left out: {name}: {error}")
        able = [name for name in able if not APPS[name].on_redis]
    return able
