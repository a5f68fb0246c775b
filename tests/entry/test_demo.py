"""The demo, run as its readers run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.support import REPOSITORY

from fairuse.entry.day import SCRIPT_APPOINTMENTS, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEMO = [sys.executable, "-m", "fairuse", "demo"]
NEEDS_CURL = pytest.mark.skipif(
    shutil.which("curl") is None, reason="needs curl: apt-get install curl"
)


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


def test_the_scripted_day_of_documents_ends_well() -> None:
    """S8, S10, E37: an eleventh user is refused, what fails costs nothing, a large batch waits."""
    done = subprocess.run(
        [*DEMO, "--policy", "documents", "--once"],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = {
        cells[0]: cells[1:]
        for line in done.stdout.splitlines()
        if len(cells := re.split(r" {2,}", line.strip())) > 4
    }
    assert rows["a letter by ten users"] == ["10", "10", "10", "0", "0"]
    assert rows["three that fail"] == ["3", "0", "0", "3", "0"]
    assert rows["an eleventh user"] == ["1", "0", "0", "0", "1", "active-users"]
    assert rows["the first user again"] == ["1", "1", "1", "0", "0"]
    sent, made, pages, failed, refused, rule = rows["ten invoices, 4 pages"]
    assert (sent, failed, rule) == ("10", "0", "pages-per-minute")
    assert (int(made) + int(refused), int(pages)) == (10, 4 * int(made))
    assert 0 < int(made) < 10
    used = {name: rows[name][0] for name in ("on-demand-pages", "pages-per-hour", "active-users")}
    assert used == {
        "on-demand-pages": pages,
        "pages-per-hour": str(10 + int(pages) + int(rows["the first user again"][2])),
        "active-users": "10",
    }


@contextmanager
def running(*options: str) -> Iterator[list[str]]:
    """Run the demo that stays up, and give what it prints."""
    with subprocess.Popen(
        [*DEMO, *options],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Stop with Ctrl-C" in line:
                break
        try:
            yield said
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(30)
    assert code == 0


@NEEDS_CURL
def test_the_three_lines_work(tmp_path: Path) -> None:
    """The curl lines that the demo prints do what it says: allowed, refused, usage."""
    with running() as said:
        allowed, refused, usage = (line for line in said if line.startswith("curl "))
        assert run(allowed, tmp_path).startswith("HTTP/1.1 201 Created")
        problem = run(refused, tmp_path)
        assert '"status": 429' in problem
        assert '"rule": "appointments-burst"' in problem
        assert '"used": 1' in run(usage, tmp_path)


@NEEDS_CURL
def test_the_three_lines_about_documents_work(tmp_path: Path) -> None:
    """E17, E37: an invoice costs its seven pages, and more of them than a minute allows wait."""
    with running("--policy", "documents") as said:
        assert "The document API runs with the gateway in front" in "".join(said)
        allowed, refused, usage = (line for line in said if line.startswith("curl "))
        head = run(allowed, tmp_path).lower()
        assert head.startswith("http/1.1 201 created")
        assert "\nx-pages: 7\n" in head
        assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF")
        problem = run(refused, tmp_path)
        assert '"status": 429' in problem
        assert '"rule": "pages-per-minute"' in problem
        page = json.loads(run(usage, tmp_path))
    used = {limit["limit"]: limit["used"] for limit in page["limits"]}
    assert used["on-demand-pages"] == used["pages-per-minute"] == 28


def run(line: str, folder: Path) -> str:
    """Run a line in a shell, as a reader would paste it."""
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("policy", "example"), [("booking", "booking_api"), ("documents", "document_api")]
)
def test_the_demo_needs_the_examples(tmp_path: Path, policy: str, example: str) -> None:
    """Without the example beside it the demo says what is missing, and exits with 1."""
    places = ["--config", str(REPOSITORY / "config"), "--examples", str(tmp_path)]
    done = subprocess.run(
        [*DEMO, "--policy", policy, *places],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"holds no {example}" in done.stderr
