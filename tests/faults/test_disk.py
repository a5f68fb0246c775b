"""A ledger that can't be written, in every way a disk has: everybody is served, and nothing lost.

Each test lets a real gateway count, breaks its ledger, lets it count and refuse on, mends the
ledger, and looks into it after a kill.
"""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from tests.faults.ledgers import left_in
from tests.faults.support import (
    BURST_AMOUNT,
    PATIENCE,
    Upstream,
    came_true,
    configured,
    gateway,
    until,
)

from fairuse.stores.journal import COMMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.faults.support import Gateway

LOCKED_SECONDS = 6.0
"""Longer than SQLite waits for a lock."""
SMALL = 65_536
"""Bytes that a file may grow to where there is no room; the log of what happens is smaller."""
BEFORE, MEANWHILE = 3, 4
SLACK_SECONDS = 1.5
"""What a request may take on a busy machine, beyond what it waits for the ledger."""
BOTH = pytest.mark.parametrize("durability", ["strict", "relaxed"])

AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all"]
"""Runs a command of root's so that a file's mode holds for it too."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Run an API that accepts everything."""
    with Upstream() as running:
        yield running


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def booked(running: Gateway, address: str, number: int) -> list[int]:
    """Make bookings one after another, none of which may take long, and give the answers."""
    statuses = []
    for _ in range(number):
        begun = time.monotonic()
        statuses.append(running.book(address).status_code)
        assert time.monotonic() - begun < COMMIT_SECONDS + SLACK_SECONDS
    return statuses


def serves_while_broken(
    running: Gateway, ledger: Path, breaking: AbstractContextManager[None]
) -> None:
    """Nobody is refused for it; the log and the readiness say it; what waits is written then."""
    assert booked(running, "10.1.0.1", BEFORE) == [201] * BEFORE
    until(lambda: left_in(ledger).units == BEFORE, "a write")
    with breaking:
        assert booked(running, "10.1.0.2", MEANWHILE) == [201] * MEANWHILE
        until(lambda: running.events("ledger.write_failed"), "a failed write")
        # The limits hold as before: this address is refused, and then blocked.
        asked = booked(running, "10.1.0.3", BURST_AMOUNT + 3)
        assert asked == [201] * BURST_AMOUNT + [429, 429, 403]
        assert running.used() == BEFORE + MEANWHILE + BURST_AMOUNT
        assert not running.ready()
    until(lambda: running.events("ledger.write_recovered"), "a write", 10)
    assert running.ready()
    assert len(running.events("ledger.write_failed")) == 1
    running.kill()
    left = left_in(ledger)
    assert (left.integrity, left.units) == ("ok", BEFORE + MEANWHILE + BURST_AMOUNT)
    assert "10.1.0.3" in left.blocked


@contextmanager
def no_room(running: Gateway, ledger: Path) -> Iterator[None]:
    """Let no file of a process grow."""
    assert ledger.with_name("fairuse.db-wal").stat().st_size > SMALL
    pid = running.process.pid
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (SMALL, most))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill a disk up."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    yield
    filler.unlink()


@contextmanager
def locked(ledger: Path) -> Iterator[None]:
    """Write to a ledger, and don't come to an end for longer than anybody waits."""
    with closing(sqlite3.connect(ledger)) as other:
        other.execute("BEGIN IMMEDIATE")
        deadline = time.monotonic() + LOCKED_SECONDS
        yield
        time.sleep(max(0.0, deadline - time.monotonic()))
        other.rollback()


@contextmanager
def failing(running: Gateway, trace: Path) -> Iterator[None]:
    """Let every sync of a process fail, as on a disk that breaks."""
    command = ["strace", "-f", "-p", str(running.process.pid), "-o", str(trace)]
    command += ["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        if "attached" not in tracer.stderr.readline():
            pytest.skip("nobody may be traced here")
        yield
        tracer.terminate()
    assert "(INJECTED)" in trace.read_text()


@contextmanager
def flipped(ledger: Path) -> Iterator[None]:
    """Turn every bit of the page on which the units begin, and back again."""
    with closing(sqlite3.connect(ledger)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [[page]] = other.execute("SELECT rootpage FROM sqlite_master WHERE name = 'slots'")
        [[size]] = other.execute("PRAGMA page_size")
    _flip(ledger, (page - 1) * size, size)
    yield
    _flip(ledger, (page - 1) * size, size)


def _flip(ledger: Path, start: int, size: int) -> None:
    with ledger.open("r+b") as file:
        file.seek(start)
        turned = bytes(byte ^ 255 for byte in file.read(size))
        file.seek(start)
        file.write(turned)


@BOTH
def test_a_file_that_can_not_grow(tmp_path: Path, upstream: Upstream, durability: str) -> None:
    """F-41: where no file may grow everybody is served, and all is written once it may."""
    ledger = tmp_path / "fairuse.db"
    with gateway(configured(tmp_path, upstream.url, durability)) as running:
        serves_while_broken(running, ledger, no_room(running, ledger))


@BOTH
def test_a_full_disk(tmp_path: Path, disk: Path, upstream: Upstream, durability: str) -> None:
    """F-41: on a full disk everybody is served, and all is written once there is room."""
    config = configured(tmp_path, upstream.url, durability)
    settings = config / "gateway.toml"
    settings.write_text(
        settings.read_text().replace(f"{tmp_path}/fairuse.db", f"{disk}/fairuse.db")
    )
    with gateway(config) as running:
        serves_while_broken(running, disk / "fairuse.db", full(disk))


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_disk_that_breaks(tmp_path: Path, upstream: Upstream) -> None:
    """F-41: while nothing reaches the disk (EIO) everybody is served, and all is written then."""
    ledger = tmp_path / "fairuse.db"
    with gateway(configured(tmp_path, upstream.url, "strict")) as running:
        serves_while_broken(running, ledger, failing(running, tmp_path / "trace"))


def test_a_second_writer(tmp_path: Path, upstream: Upstream) -> None:
    """F-41: while somebody keeps the ledger locked everybody is served, at most a second later."""
    ledger = tmp_path / "fairuse.db"
    with gateway(configured(tmp_path, upstream.url, "strict")) as running:
        serves_while_broken(running, ledger, locked(ledger))


def test_flipped_bytes_that_are_mended(tmp_path: Path, upstream: Upstream) -> None:
    """F-41: while the file is corrupt everybody is served, and all is written once it is mended."""
    ledger = tmp_path / "fairuse.db"
    with gateway(configured(tmp_path, upstream.url, "strict")) as running:
        serves_while_broken(running, ledger, flipped(ledger))


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="setpriv is not installed"
)
def test_a_file_that_may_only_be_read(tmp_path: Path, upstream: Upstream) -> None:
    """F-41: on a read-only file everybody is served, and all is written once it may be."""
    ledger = tmp_path / "fairuse.db"
    config = configured(tmp_path, upstream.url, "strict")
    with gateway(config) as running:
        assert booked(running, "10.1.0.1", BEFORE) == [201] * BEFORE
        assert running.stop() == 0
    ledger.chmod(0o444)
    with gateway(config, AS_ANYBODY if os.geteuid() == 0 else []) as running:
        assert booked(running, "10.1.0.2", MEANWHILE) == [201] * MEANWHILE
        until(lambda: running.events("ledger.write_failed"), "a failed write")
        assert running.used() == BEFORE + MEANWHILE
        assert left_in(ledger).units == BEFORE
        for file in tmp_path.glob("fairuse.db*"):  # SQLite gives those beside it the same mode
            file.chmod(0o644)
        assert came_true(lambda: running.events("ledger.write_recovered"), 30)
        assert left_in(ledger).units == BEFORE + MEANWHILE


def test_a_corrupt_file_is_left_as_it_is(tmp_path: Path, upstream: Upstream) -> None:
    """F-41: neither who runs nor who starts overwrites or cuts off a file that became corrupt."""
    ledger = tmp_path / "fairuse.db"
    config = configured(tmp_path, upstream.url, "strict")
    with gateway(config) as running:
        assert booked(running, "10.1.0.1", BEFORE) == [201] * BEFORE
        with flipped(ledger):
            corrupt = ledger.read_bytes()
            assert booked(running, "10.1.0.2", MEANWHILE) == [201] * MEANWHILE
            until(lambda: running.events("ledger.write_failed"), "a failed write")
            running.stop()
            assert running.events("ledger.lost")
            assert ledger.read_bytes() == corrupt
            serve = ["serve", "--config", str(config), "--port", "0"]
            command = [sys.executable, "-m", "fairuse", *serve]
            outcome = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            assert outcome.returncode == 1
            why = f"the ledger {ledger} can't be used: database disk image is malformed"
            assert why in outcome.stderr
            assert ledger.read_bytes() == corrupt
    assert left_in(ledger).units == BEFORE
