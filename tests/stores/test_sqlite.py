"""A ledger in a SQLite file: what is on the disk, and what a file can be wrong with."""

from __future__ import annotations

import errno
import fcntl
from typing import TYPE_CHECKING

import pytest

from fairuse.base.errors import LedgerError
from fairuse.stores.database import Database
from fairuse.stores.ledger import Ledger
from fairuse.stores.sqlite import SqliteFile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Give the place of a ledger that is still to be made, and its folders with it."""
    return f"sqlite:///{tmp_path}/deep/er/fairuse.db"


async def test_every_connection_is_durable(url: str) -> None:
    """F-40 (the setting): WAL, synchronous FULL and foreign keys hold on every connection."""
    file = await SqliteFile.open(url, "alone")
    async with file.transaction() as connection:
        found = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    await file.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5_000,
    }


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """F-41: a corrupt file is refused and not overwritten."""
    path = tmp_path / "fairuse.db"
    path.write_bytes(b"something else entirely, and more of it" * 100)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="file is not a database"):
        await Ledger.open(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """F-41: a path below a file can't be made, and the message says which."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"file/x/fairuse.db can't be made"):
        await Ledger.open(f"sqlite:///{tmp_path}/file/x/fairuse.db")


async def test_a_lock_that_can_not_be_made_is_said(tmp_path: Path, url: str) -> None:
    """A folder that can't be written, or is none, is an error with a sentence."""
    database = await Database.open(url)
    (tmp_path / "deep/er/fairuse.db.upkeep.lock").mkdir()
    with pytest.raises(LedgerError, match="Is a directory"):
        async with database.one_at_a_time("upkeep"):
            pass
    await database.close()


async def test_a_disk_that_knows_no_locks_is_said(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be locked nobody starts, and it isn't blamed on another process."""

    def none_left(_lock: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none_left)
    with pytest.raises(LedgerError, match="can't be locked: No locks available"):
        await Database.open(url)
