"""Stopping: nothing that was counted or has to be told is lost, and nothing hangs."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.entry.support import disk_full
from tests.support import SALON, Recorder, Served, call, mounted, serving, told, write_config

from fairuse import FairUse
from fairuse.base.errors import LedgerError
from fairuse.entry import beside
from fairuse.stages import notify
from fairuse.stores.journal import Journal
from fairuse.stores.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_what_is_noted_during_the_last_write_is_written_too(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S15: units noted while the journal writes are in the ledger after the stop."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    journal, write = Journal(), ledger.write

    async def slow(batch: Any) -> None:
        await write(batch)
        if batch.usage[0][1] == 1:
            journal.note_usage("anna", "", "m", 10, int(clock.wall))
            journal.stop()

    monkeypatch.setattr(ledger, "write", slow)
    journal.note_usage("anna", "", "m", 1, int(clock.wall))
    await journal.run(ledger, clock)
    assert list((await ledger.usage("anna")).values()) == [11]
    await ledger.close()


async def test_a_journal_survives_any_error(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: an error nobody foresaw keeps the batch, and the next round writes it."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    journal, write, errors = Journal(), ledger.write, iter([RuntimeError, KeyError])

    async def failing(batch: Any) -> None:
        for error in errors:
            raise error
        await write(batch)

    monkeypatch.setattr(ledger, "write", failing)
    journal.note_usage("anna", "", "m", 3, int(clock.wall))
    assert [await journal.flush(ledger, clock.now()) for _ in range(3)] == [False, False, True]
    assert list((await ledger.usage("anna")).values()) == [3]
    await ledger.close()


async def test_what_is_lost_is_said(
    config: Path,
    recorder: Recorder,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F-41: a stop while the ledger can't be written says what it could not write."""
    async with mounted(config, recorder, clock) as fair:
        monkeypatch.setattr(fair.service.ledger, "write", disk_full)
        await call(fair)
    assert "'ledger.lost'" in caplog.text


async def test_a_notice_that_waits_is_written_before_the_stop(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A16: a block right before an orderly stop has its notice."""
    async with mounted(config, recorder, clock) as fair:
        for _ in range(80):
            await call(fair)
    async with mounted(config, recorder, clock) as fair:
        assert fair.service.ledger is not None
        assert len(await fair.service.ledger.notices("salon")) == 1


async def test_a_block_nobody_was_told_of_is_told_at_the_next_start(
    config: Path,
    recorder: Recorder,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A16, S15: a block whose notice could not be written is told after the restart, once."""
    monkeypatch.setattr(beside, "TELL_SECONDS", 0.01)

    with monkeypatch.context() as broken:
        broken.setattr(notify, "write_notice", disk_full)
        async with mounted(config, recorder, clock) as fair:
            for _ in range(80):
                await call(fair)
    assert "'notices.waiting'" in caplog.text
    for _ in range(2):
        async with mounted(config, recorder, clock) as fair:
            assert len(await (await told(fair.service)).notices("salon")) == 1


async def test_a_cancelled_journal_writes_first(tmp_path: Path, clock: ManualClock) -> None:
    """A server that only cancels what runs, as for a mounted app, loses nothing counted."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    journal = Journal()
    running = asyncio.create_task(journal.run(ledger, clock))
    await asyncio.sleep(0)
    journal.note_usage("anna", "", "m", 2, int(clock.wall))
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert list((await ledger.usage("anna")).values()) == [2]
    await ledger.close()


@pytest.mark.parametrize("fails", [False, True])
async def test_a_write_that_is_cancelled_is_through_before_the_journal_ends(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    """S15: cancelling the journal in the middle of a write neither loses nor doubles a unit."""
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    journal, write, begun = Journal(), ledger.write, asyncio.Event()
    failures = iter([LedgerError("busy")] if fails else [])

    async def slow(batch: Any) -> None:
        begun.set()
        await asyncio.sleep(0)
        for failure in failures:
            raise failure
        await write(batch)

    monkeypatch.setattr(ledger, "write", slow)
    journal.note_usage("anna", "", "m", 2, int(clock.wall))
    running = asyncio.create_task(journal.run(ledger, clock))
    await begun.wait()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert list((await ledger.usage("anna")).values()) == [2]
    await ledger.close()


async def test_a_usage_page_does_without_a_ledger_that_fails(
    config: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: while cases and notices can't be read, the usage is shown without them."""
    async with mounted(config, recorder, clock) as fair:
        monkeypatch.setattr(fair.service.ledger, "notices", disk_full)
        usage = (await call(fair, "GET", "/fairuse/usage")).json()
    assert (usage["cases"], usage["notices"]) == (None, None)
    assert usage["limits"]


async def test_an_app_that_ignores_its_lifespan_is_stopped(config: Path) -> None:
    """An app that returns from its lifespan unanswered is started and stopped all the same."""
    said: list[str] = []
    waiting = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def ignores(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    async def receive() -> dict[str, str]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        said.append(message["type"])

    fair = FairUse(ignores, config, access_stream=None)
    await fair({"type": "lifespan"}, receive, send)
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert fair.service.pipeline is None


def test_a_log_nobody_reads_holds_nothing_up(tmp_path: Path, booking_api: str) -> None:
    """F-49: SIGTERM ends the gateway although its request log waits for a reader for ever."""
    config = write_config(tmp_path, upstream=booking_api)
    command = [sys.executable, "-m", "fairuse", "serve", "--config", str(config), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        ready = next(line for line in process.stderr if line.startswith("fairuse listens"))
        url = ready.split()[3].rstrip(",")
        with httpx.Client(trust_env=False) as client:
            for _ in range(600):
                assert client.get(f"{url}/fairuse/health?{'x' * 500}").status_code == 200
        process.terminate()
        assert process.wait(30) == 0
        assert "request_log.lost" in process.stderr.read()


def test_a_request_cut_off_by_the_stop_is_told_so(tmp_path: Path) -> None:
    """F-49: when the time to drain is over, who still waits gets 503 problem details."""
    asked = asyncio.Event()

    async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
        asked.set()
        await asyncio.Event().wait()

    with Served(never, lifespan="off", timeout_graceful_shutdown=1) as upstream:
        config = write_config(tmp_path, upstream=upstream.url, response_timeout="1 day")
        settings = config / "gateway.toml"
        settings.write_text('drain = "1 second"\n' + settings.read_text())
        with serving(config) as gateway, httpx.Client(trust_env=False) as client:
            request = client.build_request("GET", gateway.url, headers={"X-API-Key": SALON})
            answer: list[httpx.Response] = []
            stopping = asyncio.run(_stop_when(asked, upstream, gateway, client, request, answer))
            assert stopping == 0
    assert answer[0].status_code == 503
    assert answer[0].json()["title"] == "This gateway is being restarted"


async def _stop_when(
    asked: asyncio.Event,
    upstream: Served,
    gateway: Any,
    client: httpx.Client,
    request: httpx.Request,
    answer: list[httpx.Response],
) -> int:
    sending = asyncio.create_task(asyncio.to_thread(client.send, request))
    assert upstream.loop is not None
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked.wait(), upstream.loop))
    code: int = await asyncio.to_thread(gateway.stop)
    answer.append(await sending)
    return code
