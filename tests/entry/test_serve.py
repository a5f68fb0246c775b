"""`fairuse serve` as an operator runs it: started, logged, stopped."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.support import APPOINTMENTS, SALON, Served, serving, write_config

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

KEY = {"X-API-Key": SALON}


class Slow:
    """An upstream that answers when it is let."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answer = threading.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer once let."""
        self.asked.set()
        await asyncio.to_thread(self.answer.wait, 20)
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_before_the_gateway_stops(
    tmp_path: Path, how: signal.Signals
) -> None:
    """F-49 (in part): SIGTERM lets a request in flight finish, then the gateway exits with 0."""
    slow = Slow()
    with (
        Served(slow, lifespan="off") as upstream,
        serving(write_config(tmp_path, upstream=upstream.url)) as gateway,
    ):
        answers: list[httpx.Response] = []
        client = threading.Thread(
            target=lambda: answers.append(
                httpx.post(gateway.url + APPOINTMENTS, headers=KEY, trust_env=False)
            )
        )
        client.start()
        assert slow.asked.wait(20)
        gateway.process.send_signal(how)
        slow.answer.set()
        client.join(20)
        assert gateway.process.wait(30) == 0
    assert [(answer.status_code, answer.content) for answer in answers] == [(201, b"done")]


def test_every_request_is_one_line_of_json(tmp_path: Path, booking_api: str) -> None:
    """Each request is logged once, with its id, and never with its key or its query."""
    with serving(write_config(tmp_path, upstream=booking_api)) as gateway:
        served = httpx.get(f"{gateway.url}{APPOINTMENTS}?limit=5", headers=KEY, trust_env=False)
        httpx.get(gateway.url + "/x\u2028y", headers={"X-API-Key": "nobody"}, trust_env=False)
        assert gateway.stop() == 0
        first, second = gateway.requests()
    assert first["request_id"] == served.headers["x-request-id"]
    assert (first["status"], first["account"], first["location"]) == (200, "salon", "centrum")
    assert first["path"] == APPOINTMENTS
    assert (second["status"], second["rule"]) == (401, "unknown-caller")
    assert SALON not in gateway.log.read_text()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "fairuse", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_two_gateways_never_share_an_embedded_ledger(tmp_path: Path, booking_api: str) -> None:
    """Counters in memory are exact in one process only, so a second one does not start."""
    config = write_config(tmp_path, upstream=booking_api)
    with serving(config):
        second = run("serve", "--config", str(config), "--port", "0")
    assert second.returncode == 1
    assert "is in use by another process" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    """A port somebody else listens on ends the start with exit code 1 and its number."""
    config = write_config(tmp_path)
    with Served(Slow(), lifespan="off") as other:
        outcome = run("serve", "--config", str(config), "--port", str(other.port))
    assert outcome.returncode == 1
    assert f"can't listen on 127.0.0.1:{other.port}" in outcome.stderr


def test_a_gateway_needs_an_upstream(tmp_path: Path) -> None:
    """Without an upstream there is nothing to stand in front of: exit code 1, and the key."""
    config = write_config(tmp_path)
    (config / "gateway.toml").write_text('contact = "mailto:a@b.example"\n')
    outcome = run("serve", "--config", str(config))
    assert (outcome.returncode, outcome.stderr.splitlines()[0]) == (
        1,
        "gateway.toml: upstream: is missing; the gateway needs one",
    )


def test_a_wrong_call_exits_with_2(tmp_path: Path) -> None:
    """A folder that isn't there, or an unknown option, is a usage error."""
    assert run("serve", "--config", str(tmp_path / "nowhere")).returncode == 2
    assert run("serve", "--no-such-option").returncode == 2


def test_a_broken_tenant_keeps_nobody_else_from_being_served(
    tmp_path: Path, booking_api: str
) -> None:
    """One bad tenant file at the start is left out; everybody else is served."""
    config = write_config(tmp_path, upstream=booking_api)
    (config / "tenants/broken.toml").write_text("policy = ")
    with serving(config) as gateway:
        assert (
            httpx.get(gateway.url + APPOINTMENTS, headers=KEY, trust_env=False).status_code == 200
        )


def test_the_version_is_said() -> None:
    """`fairuse --version` names the installed version."""
    outcome = run("--version")
    assert (outcome.returncode, outcome.stdout) == (0, f"fairuse {version('fairuse')}\n")


def test_a_broken_configuration_is_listed(tmp_path: Path) -> None:
    """A gateway with a broken policy does not start, and says everything that is wrong with it."""
    config = write_config(tmp_path)
    (config / "policies/booking.toml").write_text('title = ""\n')
    outcome = run("serve", "--config", str(config))
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines()[-1] == "3 findings"
    assert "policies/booking.toml: limits: is missing" in outcome.stderr
