"""`fairuse serve --workers`: several processes on one port, started, replaced and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.redis_servers import needs_redis, redis_server, until
from tests.support import APPOINTMENTS, SALON, Process, unmeasured, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GATEWAY = ("-m", "fairuse")
PLAIN = textwrap.dedent('''\
    """The command line, with a gateway that has no store and says which process it is."""

    import asyncio, os, time

    from fairuse.entry import server
    from fairuse.entry.cli import main


    class Plain:
        def __init__(self, config):
            self.config = config

        async def __call__(self, scope, receive, send):
            if scope["type"] == "lifespan":
                await self.live(receive, send)
                return
            if scope["path"] == "/busy":
                time.sleep(0.1)  # so that other workers take the requests that follow
            if scope["path"] == "/slow":
                await asyncio.sleep(1)
            if scope["path"] == "/never":
                await asyncio.sleep(60)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

        async def live(self, receive, send):
            await receive()
            if (self.config / "crashes").exists():
                os._exit(9)
            if (self.config / "broken").exists():
                await send({"type": "lifespan.startup.failed", "message": "it is broken"})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            (self.config / f"stopped-{os.getpid()}").touch()
            await send({"type": "lifespan.shutdown.complete"})


    server.Gateway = Plain
    if __name__ == "__main__":
        main()
''')


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a configuration that counts in Redis; nobody listens there."""
    return counting_in(write_config(tmp_path), "redis://127.0.0.1:9/0")


def counting_in(config: Path, store: str) -> Path:
    """Write where the counters are."""
    with (config / "gateway.toml").open("a") as settings:
        settings.write(f'[counters]\nstore = "{store}"\n')
    return config


@pytest.fixture
def plain(tmp_path: Path) -> str:
    """Give a script that serves without a store."""
    script = tmp_path / "plain.py"
    script.write_text(PLAIN)
    return str(script)


@contextmanager
def workers(config: Path, *program: str) -> Iterator[Process]:
    """Run two workers on any free port."""
    log = config.parent / "requests.log"
    options = ["serve", "--config", str(config), "--port", "0", "--workers", "2"]
    with (
        log.open("a") as stdout,
        subprocess.Popen(
            [sys.executable, *program, *options],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=unmeasured(),
        ) as process,
    ):
        try:
            assert process.stderr is not None
            heard = []
            for line in process.stderr:
                heard.append(line)
                if line.startswith("fairuse listens on "):
                    break
            else:
                raise AssertionError("".join(heard))
            assert " with 2 workers, in front of http://" in line
            yield Process(line.split()[3], process, log)
        finally:
            # The workers end with it; only then is nobody left who could write to stderr.
            process.kill()
            process.communicate()


def get(url: str, path: str = "/") -> str:
    """Ask on a connection of its own, and give the answer's body."""
    answer = httpx.get(url + path, trust_env=False, timeout=20)
    assert answer.status_code == 200
    return answer.text


def serving_now(url: str) -> set[int]:
    """Give the processes that take requests while others are busy."""
    with ThreadPoolExecutor(8) as clients:
        return {int(pid) for pid in clients.map(lambda _: get(url, "/busy"), range(8))}


def seen(url: str, number: int) -> set[int]:
    """Wait until so many processes serve, and give them."""
    found: set[int] = set()

    def all_seen() -> bool:
        nonlocal found
        found = serving_now(url)
        return len(found) == number

    until(all_seen, f"{number} workers")
    return found


def runs(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def kill(*pids: int) -> None:
    """End processes as a crash does, and wait until they have ended."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(map(runs, pids)), "the end of the killed")


def stopped(config: Path) -> set[int]:
    """Give the processes that stopped in order."""
    return {int(each.name.removeprefix("stopped-")) for each in config.glob("stopped-*")}


def ended(config: Path, *program: str, number: str = "2") -> subprocess.CompletedProcess[str]:
    """Run workers that can't start, until they have given up."""
    command = [sys.executable, *program, "serve", "--config", str(config), "--port", "0"]
    command += ["--workers", number]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_several_workers_need_a_store_they_share(tmp_path: Path) -> None:
    """Several workers that count in memory are refused with exit code 2 and the way out."""
    config = write_config(tmp_path)
    outcome = ended(config, *GATEWAY)
    assert outcome.returncode == 2
    assert "the embedded store counts in one process only" in outcome.stderr
    assert 'set [counters] store = "redis://' in outcome.stderr
    assert not (tmp_path / "fairuse.db").exists()


def test_a_gateway_has_at_least_one_worker(config: Path) -> None:
    """`--workers 0` is a wrong call."""
    assert ended(config, *GATEWAY, number="0").returncode == 2


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_requests_in_flight_are_finished_by_every_worker(
    config: Path, plain: str, how: signal.Signals
) -> None:
    """F-49: a stop lets each worker's requests finish, takes nobody new, and exits with 0."""
    with workers(config, plain) as gateway, ThreadPoolExecutor(8) as clients:
        pids = seen(gateway.url, 2)
        assert gateway.process.pid not in pids
        # Busy ones in between spread the slow ones over both.
        slow = [clients.submit(get, gateway.url, path) for path in ["/slow", "/busy"] * 4]
        time.sleep(0.6)
        assert gateway.stop(how) == 0
        assert {int(each.result()) for each in slow} <= pids
        assert stopped(config) == pids
        with pytest.raises(httpx.ConnectError):
            get(gateway.url)


def test_a_stop_waits_for_nobody_longer_than_it_may(config: Path, plain: str) -> None:
    """F-49: when `drain` is over, the workers stop although a request is not answered yet."""
    settings = config / "gateway.toml"
    settings.write_text('drain = "1 second"\n' + settings.read_text())
    with workers(config, plain) as gateway, ThreadPoolExecutor(1) as clients:
        waiting = clients.submit(httpx.get, gateway.url + "/never", trust_env=False, timeout=30)
        time.sleep(0.3)
        begun = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - begun < 10
        with suppress(httpx.RemoteProtocolError):
            assert waiting.result().status_code >= 500


def test_a_worker_that_dies_is_replaced(config: Path, plain: str) -> None:
    """A worker that is killed has a successor, and the other goes on meanwhile.

    As long as another serves, a successor that can't start takes nobody down, and is tried again.
    """
    with workers(config, plain) as gateway:
        killed, other = seen(gateway.url, 2)
        (config / "broken").touch()
        kill(killed)
        assert gateway.process.stderr is not None
        for _ in range(2):
            assert next(line for line in gateway.process.stderr if "it is broken" in line)
            assert serving_now(gateway.url) == {other}
        (config / "broken").unlink()
        assert other in (now := seen(gateway.url, 2))
        assert killed not in now
        assert gateway.stop() == 0


def test_workers_that_can_not_be_replaced_are_given_up_when_none_is_left(
    config: Path, plain: str
) -> None:
    """Where nobody serves any more and nobody can start, the gateway ends with exit code 1."""
    with workers(config, plain) as gateway:
        pids = seen(gateway.url, 2)
        (config / "broken").touch()
        kill(*pids)
        assert gateway.process.wait(60) == 1


@pytest.mark.parametrize("trouble", ["broken", "crashes"])
def test_workers_that_can_not_start_are_given_up(config: Path, plain: str, trouble: str) -> None:
    """A start that fails is said and ends with exit code 1, however it fails; nobody tries on."""
    (config / trouble).touch()
    outcome = ended(config, plain)
    assert outcome.returncode == 1
    assert '"workers.failed"' in outcome.stderr
    assert ("it is broken" in outcome.stderr) == (trouble == "broken")
    assert "fairuse listens on" not in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_ledger_that_can_not_be_opened_ends_the_start(config: Path) -> None:
    """F-41: workers whose ledger is broken do not start; the file stays as it is."""
    ledger = config.parent / "fairuse.db"
    ledger.write_text("this is no database" * 100)
    outcome = ended(config, *GATEWAY)
    assert outcome.returncode == 1
    assert '"workers.failed"' in outcome.stderr
    assert ledger.read_text() == "this is no database" * 100


def test_workers_do_not_outlive_who_started_them(config: Path, plain: str) -> None:
    """When the supervisor is killed its workers stop in order, so that the port comes free."""
    with workers(config, plain) as gateway:
        pids = seen(gateway.url, 2)
        gateway.process.kill()
        until(lambda: not any(map(runs, pids)), "the end of the workers")
        assert stopped(config) == pids


@needs_redis
def test_workers_count_together(tmp_path: Path, booking_api: str) -> None:
    """What one worker admits the others know: a limit holds for all of them together."""
    with redis_server(tmp_path / "redis") as server:
        config = counting_in(write_config(tmp_path, upstream=booking_api), server.url)
        with workers(config, *GATEWAY) as gateway, ThreadPoolExecutor(8) as clients:

            def book(_: int) -> int:
                key = {"X-API-Key": SALON}
                body = {"customer": "Jan", "start": "2026-12-01T10:00"}
                url = gateway.url + APPOINTMENTS
                return httpx.post(
                    url, headers=key, json=body, trust_env=False, timeout=20
                ).status_code

            statuses = list(clients.map(book, range(80)))
            usage = httpx.get(
                gateway.url + "/fairuse/usage", headers={"X-API-Key": SALON}, trust_env=False
            )
            assert statuses.count(201) == 60
            assert usage.status_code == 200
            assert gateway.stop() == 0
