"""A ledger as a crash left it: looked at in a copy, so that the next start finds it untouched."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.faults.clients import Notice
from tests.faults.support import MONTH


class Left(NamedTuple):
    """What stands in a ledger: the units of the month, the addresses blocked, the notices."""

    integrity: str
    units: int
    blocked: set[str]
    notices: list[Notice]


def left_in(ledger: Path) -> Left:
    """Read what a crash left, as SQLite recovers it."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / ledger.name
        for suffix in ("", "-wal"):
            file = ledger.with_name(ledger.name + suffix)
            if file.exists():
                shutil.copyfile(file, copy.with_name(file.name))
        return read(copy)


def read(ledger: Path) -> Left:
    """Read a ledger, also beside the gateway that writes it."""
    with closing(sqlite3.connect(ledger)) as connection:
        [[integrity]] = connection.execute("PRAGMA integrity_check(1)")
        [[units]] = connection.execute(
            "SELECT coalesce(sum(units), 0) FROM slots WHERE limit_name = ?", [MONTH]
        )
        blocked = {address for [address] in connection.execute("SELECT address FROM blocks")}
        notices = connection.execute("SELECT rule, body FROM notices ORDER BY id")
        return Left(integrity, units, blocked, [Notice(*row) for row in notices])
