"""The demo, run as its readers run it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support import REPOSITORY

from fairuse.entry.day import SCRIPT_APPOINTMENTS, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEMO = [sys.executable, "-m", "fairuse", "demo"]


def test_the_scripted_day_ends_well() -> None:
    """S1: the day's table shows customers served, the script refused, its account still active."""
    done = subprocess.run(
        [*DEMO, "--once"], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = {
        cells[0]: cells[1:]
        for line in done.stdout.splitlines()
        if len(cells := re.split(r" {2,}", line.strip())) == 7
    }
    usual, runaway = cast()
    for customer in usual:
        sent = str(customer.appointments)
        assert rows[customer.account] == [customer.address, sent, sent, "0", "no", "yes"]
    refused = str(SCRIPT_APPOINTMENTS - 60)
    *figures, blocked, active = rows[runaway.account]
    assert figures == [runaway.address, str(SCRIPT_APPOINTMENTS), "60", refused]
    assert re.fullmatch(r"until \d\d:\d\d", blocked)
    assert active == "yes"
    assert f"{sum(c.appointments for c in [*usual, runaway])}" in done.stdout


@pytest.fixture
def demo() -> Iterator[list[str]]:
    """Run the demo that stays up, and give what it prints."""
    with subprocess.Popen(
        DEMO, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Stop with Ctrl-C" in line:
                break
        yield said
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
def test_the_three_lines_work(demo: list[str]) -> None:
    """The curl lines that the demo prints do what it says: allowed, refused, usage."""
    allowed, refused, usage = (line for line in demo if line.startswith("curl "))
    assert run(allowed).startswith("HTTP/1.1 201 Created")
    problem = run(refused)
    assert '"status": 429' in problem
    assert '"rule": "appointments-burst"' in problem
    assert '"used": 1' in run(usage)


def run(line: str) -> str:
    """Run a line in a shell, as a reader would paste it."""
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_the_demo_needs_the_examples(tmp_path: Path) -> None:
    """Without the example beside it the demo says what is missing, and exits with 1."""
    done = subprocess.run(
        [*DEMO, "--config", str(REPOSITORY / "config"), "--examples", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "holds no booking_api" in done.stderr
