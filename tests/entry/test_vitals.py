"""How the service says that it is: health, readiness, the header, and the metrics."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client import REGISTRY
from tests.redis_servers import needs_redis, redis_server
from tests.support import SALON, Recorder, call, mounted, serving, write_config

from fairuse.entry.vitals import Vitals
from fairuse.rules.refusal import PROBLEMS
from fairuse.stores.journal import Journal
from fairuse.stores.memory import MemoryCounters

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


def series() -> dict[str, float]:
    """Give what is counted of requests now, by outcome."""
    return {
        sample.labels["outcome"]: sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "fairuse_requests_total"
    }


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_labels_come_from_a_closed_set(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-45: whatever keys, paths and addresses are made up, no metric gets a label of its own."""
    async with mounted(config, recorder, clock) as fair:
        for number in range(150):
            await call(fair, path=f"/made-up/{number}", key=f"key-{number}", address="192.0.2.7")
            await call(fair, path=f"/locations/{number}/appointments", address=f"10.0.0.{number}")
    assert {"served", "unknown-caller", "unknown-callers"} <= set(series())
    assert set(series()) <= {"served", *PROBLEMS}


async def test_what_became_of_requests_is_counted(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """Each request is counted once, by what became of it."""
    before = series()
    async with mounted(config, recorder, clock) as fair:
        await call(fair)
        await call(fair, key="nobody's")
    after = series()
    assert after["served"] - before.get("served", 0) == 1
    assert after["unknown-caller"] - before.get("unknown-caller", 0) == 1


class Failing(Journal):
    """A journal whose ledger is away."""

    @property
    def failing(self) -> bool:
        """Say that the ledger could not be written."""
        return True


def test_a_ledger_that_fails_is_said() -> None:
    """F-41: while nothing can be written the service is degraded, and not ready for more."""
    well, ill = Journal(), Failing()
    counters = MemoryCounters(well, lambda _: None)
    assert Vitals(counters, well).report() == {"status": "ok", "counters": "ok", "ledger": "ok"}
    vitals = Vitals(counters, ill)
    assert (vitals.ready, vitals.report()["status"], vitals.report()["ledger"]) == (
        False,
        "degraded",
        "failing",
    )
    vitals.look()
    assert REGISTRY.get_sample_value("fairuse_ledger_failing") == 1
    Vitals(counters, well).look()
    assert REGISTRY.get_sample_value("fairuse_ledger_failing") == 0


async def test_who_is_not_ready_says_so(
    config: Path, recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: a balancer is told 503, and whoever comes all the same is served."""
    async with mounted(config, recorder, clock) as fair:
        assert (await call(fair, "GET", "/fairuse/ready", key=None)).status == 200
        monkeypatch.setattr(Journal, "failing", property(lambda _: True))
        assert (await call(fair, "GET", "/fairuse/ready", key=None)).status == 503
        health = await call(fair, "GET", "/fairuse/health", key=None)
        assert (health.status, health.json()["status"]) == (200, "degraded")
        assert (await call(fair)).status == 201


def test_metrics_are_shown_on_a_listener_of_their_own(tmp_path: Path) -> None:
    """The operator's Prometheus finds the metrics; on the gateway's own port nobody does."""
    config, port = write_config(tmp_path), free_port()
    with (config / "gateway.toml").open("a") as file:
        file.write(f"[metrics]\nport = {port}\n")
    with serving(config) as gateway:
        httpx.get(gateway.url + "/fairuse/usage", headers={"X-API-Key": SALON}, trust_env=False)
        shown = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        assert 'fairuse_requests_total{outcome="served"}' in shown
        hidden = httpx.get(gateway.url + "/metrics", trust_env=False)
        assert "fairuse_requests" not in hidden.text
        # What is taken is said before anything is served.
        with pytest.raises(AssertionError, match="can't show the metrics"), serving(config):
            raise RuntimeError("it started")


@needs_redis
async def test_a_store_that_is_away_is_seen(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-37: health, the header and the metrics say that limits are decided alone."""
    with redis_server(tmp_path / "redis") as server:
        config = write_config(tmp_path)
        with (config / "gateway.toml").open("a") as file:
            file.write(f'[counters]\nstore = "{server.url}"\n')
        server.stop()
        async with mounted(config, recorder, clock) as fair:
            answer = await call(fair)
            assert (answer.status, answer.headers["fairuse-degraded"]) == (201, "counters")
            health = await call(fair, "GET", "/fairuse/health", key=None)
            assert health.json()["counters"] == "away"
            assert (await call(fair, "GET", "/fairuse/ready", key=None)).status == 200
            usage = await call(fair, "GET", "/fairuse/usage")
            assert usage.json()["limits"] is None
            assert server.url.encode() not in health.body + usage.body + answer.body
