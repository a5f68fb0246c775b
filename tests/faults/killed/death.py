"""A death at a commit: the process kills itself, as `kill -9` does, at the n-th one that writes."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

if TYPE_CHECKING:
    from pathlib import Path

When = Literal["before", "after"]


class Death(NamedTuple):
    """At which commit of a life, counted from 1, and on which side of it."""

    commit: int
    when: When


class Commits:
    """Counts the commits of this process that change something, and notes which they are.

    It wraps what every database's driver is asked to commit with, so that the last thing that
    happens before the end is the commit itself, or nothing.
    """

    def __init__(self, noted: Path, death: Death | None) -> None:
        self._noted = noted
        self._death = death
        self._number = 0
        self._changed: dict[int, str] = {}
        self._commit = DefaultDialect.do_commit

    def watch(self) -> None:
        """Watch this process until its end."""
        event.listen(Engine, "after_cursor_execute", self._executed)
        commits = self

        def do_commit(dialect: DefaultDialect, connection: Any) -> None:
            commits.committing(dialect, connection)

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]

    def committing(self, dialect: DefaultDialect, connection: Any) -> None:
        """Commit, and die before or after it where that is to be."""
        first = self._changed.pop(id(connection.dbapi_connection), None)
        if first is not None:
            self._number += 1
            with self._noted.open("a") as noted:
                noted.write(f"{first}\n")
            self._die("before")
        self._commit(dialect, connection)
        if first is not None:
            self._die("after")

    def _die(self, when: When) -> None:
        if self._death == (self._number, when):
            os.kill(os.getpid(), signal.SIGKILL)

    def _executed(self, connection: Any, cursor: Any, statement: str, *_: object) -> None:
        """Note what a transaction changed first; what found nothing to change is none."""
        if statement.startswith(("INSERT", "UPDATE", "DELETE")) and cursor.rowcount:
            driver = connection.connection.dbapi_connection
            self._changed.setdefault(id(driver), " ".join(statement.split()[:3]))
