"""A death at a commit: the process kills itself, as `kill -9` does, at the first new one."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

When = Literal["before", "after"]
CHANGES = ("INSERT", "UPDATE", "DELETE")
CLAIM = "UPDATE deliveries SET attempts"


class Commits:
    """Looks at the commits of this process that bring the story on, and dies on a side of one.

    It wraps what every database's driver is asked to commit with, so that the last thing that
    happens before the end is the commit itself, or nothing.
    """

    def __init__(self, noted: Path, death: When | None) -> None:
        self._noted = noted
        self._death = death
        self._changed: dict[int, str] = {}
        self._commit: Callable[[DefaultDialect, Any], None] = DefaultDialect.do_commit

    def watch(self) -> None:
        """Watch this process until its end."""
        event.listen(Engine, "after_cursor_execute", self._executed)
        commits = self

        def do_commit(dialect: DefaultDialect, connection: Any) -> None:
            commits.committing(dialect, connection)

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]

    def committing(self, dialect: DefaultDialect, connection: Any) -> None:
        """Commit, and die before or after it where it is new."""
        what = self._changed.pop(id(connection.dbapi_connection), "")
        if what:
            self._die("before", what)
        self._commit(dialect, connection)
        if what:
            self._die("after", what)

    def _die(self, when: When, what: str) -> None:
        if self._death in (None, when):
            with self._noted.open("a") as noted:
                noted.write(f"{when} {what}\n")
        if self._death == when:
            os.kill(os.getpid(), signal.SIGKILL)

    def _executed(
        self, connection: Any, cursor: Any, statement: str, values: Sequence[Any], *_: object
    ) -> None:
        """Note what a transaction changed first; what found nothing to change is none.

        Nor is a letter that is claimed once more, by who comes after a death: it is where it was.
        """
        again = statement.startswith(CLAIM) and values[0] > 1
        if statement.startswith(CHANGES) and cursor.rowcount and not again:
            driver = connection.connection.dbapi_connection
            self._changed.setdefault(id(driver), " ".join(statement.split()[:4]))
