"""A process that is killed while it brings a ledger up to date, at every statement (F-42)."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from tests.faults.support import PATIENCE, Upstream, configured

from fairuse.stores.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

UNITS = 7
OPEN_AND_DIE = """
import asyncio, itertools, os, shutil, signal, sys
from pathlib import Path

from sqlalchemy import Engine, event

from fairuse.stores.ledger import Ledger


def die_at(number):
    statements = itertools.count(1)

    def executed(*_):
        if next(statements) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "after_cursor_execute", executed)


async def main(path):
    await (await Ledger.open(f"sqlite:///{path}")).close()


old, number = Path(sys.argv[1]), 0
while True:
    number += 1
    copy = old.with_name(f"killed-{number}.db")
    shutil.copyfile(old, copy)
    child = os.fork()
    if child == 0:
        die_at(number)
        asyncio.run(main(copy))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        print(number)
        sys.exit(status)
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Make a ledger as the first version did, with a row."""
    path = tmp_path / "old.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", "fairuse.stores:migrations")
        config.set_main_option("path_separator", "os")
        command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO usage VALUES ('anna', 'x', 'm', 3600, 7)")
    engine.dispose()
    return path


def version_of(path: Path) -> tuple[str, str, int]:
    """Give whether a ledger is sound, its version and how many tables it has."""
    with closing(sqlite3.connect(path)) as connection:
        [[integrity]] = connection.execute("PRAGMA integrity_check")
        [[version]] = connection.execute("SELECT version_num FROM alembic_version")
        [[tables]] = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'")
        return integrity, version, tables


async def usage_in(path: Path) -> list[int]:
    """Open a ledger, which brings it up to date, and read what stands in it."""
    ledger = await Ledger.open(f"sqlite:///{path}")
    try:
        return list((await ledger.usage("anna")).values())
    finally:
        await ledger.close()


def test_a_migration_that_is_killed_is_begun_anew(tmp_path: Path, old: Path) -> None:
    """F-42: wherever a process dies the ledger is of one version or the other, and whole."""
    outcome = subprocess.run(
        [sys.executable, "-c", OPEN_AND_DIE, old],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    completed, before = int(outcome.stdout), version_of(old)
    after = version_of(tmp_path / f"killed-{completed}.db")
    assert before[1] != after[1]
    assert completed > 10
    for number in range(1, completed):
        killed = tmp_path / f"killed-{number}.db"
        assert version_of(killed) in (before, after)
        assert asyncio.run(usage_in(killed)) == [UNITS]
        assert version_of(killed) == after


def test_an_older_gateway_leaves_a_newer_ledger_alone(tmp_path: Path, old: Path) -> None:
    """F-42: `fairuse serve` names both versions, exits with 1, and changes not a byte."""
    with Upstream() as upstream:
        config = configured(tmp_path, upstream.url, "strict")
    ledger = old.rename(tmp_path / "fairuse.db")
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    newer = ledger.read_bytes()
    outcome = subprocess.run(
        [sys.executable, "-m", "fairuse", "serve", "--config", config, "--port", "0"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert outcome.returncode == 1
    assert "has schema 9999, and this version knows up to 0" in outcome.stderr
    assert "fairuse listens on" not in outcome.stderr
    assert ledger.read_bytes() == newer
