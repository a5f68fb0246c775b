"""Whatever moment clients hang up at, nothing of their requests stays behind."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.entry.wire import LOOPS
from tests.hop.hang_ups import RULES, Upstream, draw
from tests.stages.support import used
from tests.support import SALON, Front, Served, front, write_config

from fairuse.base.hop.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairuse.base.hop.pool import Pool

ROUNDS = 300
SEED = 20_261_102
OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture(params=LOOPS)
def _loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the servers on each of the loops."""

    def run(served: Served) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(served._serve())

    monkeypatch.setattr(Served, "_run", run)


@pytest.fixture
def upstream() -> Upstream:
    """Give an upstream."""
    return Upstream()


@pytest.fixture
def gateway(_loop: None, upstream: Upstream, tmp_path: Path) -> Iterator[Front]:
    """Run the gateway before the upstream, warm: all that it keeps open is open."""
    with Served(upstream, lifespan="off") as server:
        config = write_config(tmp_path, upstream=server.url, policy=RULES)
        with front(config) as running:
            _ask(running)
            running.server.run(used(running.gateway))
            yield running


def _ask(gateway: Front) -> None:
    """Ask for a page as any customer would."""
    answer = gateway.client.post("/pages", content=b"x", headers={"X-API-Key": SALON})
    assert (answer.status_code, answer.content) == (200, b"{}")


async def _until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(15):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


def _pools(gateway: Front) -> list[Pool]:
    """Give the connections to the upstream."""
    client = gateway.gateway._forward._upstream
    assert isinstance(client, Client)
    return [*client._pools.values()]


def _at_rest(pool: Pool) -> bool:
    """Say whether no connection is in use, being opened or waited for."""
    said = repr(pool)
    return ": 0 busy" in said and said.endswith(" 0 connecting, 0 waiting>")


async def _idle(gateway: Front, upstream: Upstream) -> None:
    """Wait until both sides say that no connection is busy, then close those that are kept."""
    await _until(lambda: upstream.running == 0)
    for pool in _pools(gateway):
        await _until(partial(_at_rest, pool))
        pool.forget_idle()


async def _tasks() -> set[asyncio.Task[object]]:
    """Give what runs beside this."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def _only(tasks: set[asyncio.Task[object]]) -> None:
    """Wait until nothing runs beside this but what ran before."""
    async with asyncio.timeout(15):
        while left := await _tasks() - tasks:
            await asyncio.wait(left)


def _open_files() -> int:
    return sum(1 for _ in OPEN_FILES.iterdir())


def _hang_up(gateway: Front) -> None:
    """Play all rounds."""
    random = Random(SEED)  # noqa: S311
    for _ in range(ROUNDS):
        draw(random).play(gateway.server.port)


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="open files are counted in /proc")
def test_who_hangs_up_leaves_nothing_behind(gateway: Front, upstream: Upstream) -> None:
    """HTTP-30, HTTP-31: no connection, task, unit in flight or file; what was accepted counts."""
    run = gateway.server.run
    run(_idle(gateway, upstream))
    tasks, files = run(_tasks()), _open_files()
    _hang_up(gateway)
    run(_idle(gateway, upstream))
    run(_only(tasks))
    run(_until(lambda: _open_files() <= files))
    _nothing_in_flight(gateway, upstream)
    _ask(gateway)


def _nothing_in_flight(gateway: Front, upstream: Upstream) -> None:
    """Compare what is used with what is written down and with what the upstream accepted."""
    pipeline = gateway.gateway.service.pipeline
    assert pipeline is not None
    assert not pipeline.lasting
    at_once, _ = gateway.server.run(used(gateway.gateway, "at-once"))
    here, written = gateway.server.run(used(gateway.gateway))
    assert (at_once, here, written) == (0, upstream.accepted, upstream.accepted)


@pytest.mark.parametrize("_loop", ["uvloop"], indirect=True)
def test_who_hangs_up_is_no_error(
    gateway: Front, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """HTTP-30: a client may leave at any moment; that is nothing to log as an error."""
    _hang_up(gateway)
    gateway.server.run(_idle(gateway, upstream))
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == []
