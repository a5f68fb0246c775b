"""Documents and drafts: what each field may hold, and how SQLite keeps them."""

import sqlite3
from collections.abc import Callable, Collection, Mapping
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS document (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    item TEXT,
    pages INTEGER NOT NULL,
    edits INTEGER NOT NULL,
    size INTEGER NOT NULL,
    pdf BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS document_item ON document (account, item);
CREATE INDEX IF NOT EXISTS document_size ON document (account, size);
"""


class Document(NamedTuple):
    """One row of the table, its fields in the table's order; only a draft has an item's name."""

    id: int
    account: str
    item: str | None
    pages: int
    edits: int
    size: int
    pdf: bytes


class WrongFieldsError(ValueError):
    """What a client gave breaks a rule: every wrong field, each with its sentence."""

    def __init__(self, wrong: dict[str, str]) -> None:
        super().__init__("Some fields are missing, wrong or unknown.")
        self.errors = [{"field": name, "detail": detail} for name, detail in wrong.items()]


class Store:
    """The documents and drafts of every account; any thread may call it."""

    def __init__(self, database: Path) -> None:
        # Without an isolation level each statement below is a transaction of its own.
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.executescript(SCHEMA)
        self._lock = Lock()

    def close(self) -> None:
        """Let go of the database file."""
        self._connection.close()

    def stored(self, account: str) -> int:
        """Return how many bytes the account's documents and drafts have together."""
        sql = "SELECT coalesce(sum(size), 0) FROM document WHERE account = ?"
        return int(self._rows(sql, account)[0][0])

    def open_pages(self, account: str) -> int:
        """Return how many pages the account's drafts have together."""
        sql = "SELECT coalesce(sum(pages), 0) FROM document WHERE account = ? AND item IS NOT NULL"
        return int(self._rows(sql, account)[0][0])

    def add(self, account: str, pages: int, pdf: bytes) -> Document:
        """Keep a new document."""
        sql = "INSERT INTO document VALUES (NULL, ?, NULL, ?, 1, ?, ?) RETURNING *"
        return Document._make(self._rows(sql, account, pages, len(pdf), pdf)[0])

    def find(self, account: str, number: int) -> Document | None:
        """Return one document, or None where the account has no such one."""
        sql = "SELECT * FROM document WHERE account = ? AND id = ? AND item IS NULL"
        return self._one(sql, account, number)

    def remove(self, account: str, number: int) -> Document | None:
        """Delete a document, and return what it was."""
        sql = "DELETE FROM document WHERE account = ? AND id = ? AND item IS NULL RETURNING *"
        return self._one(sql, account, number)

    def edit(self, account: str, item: str, pages: int, pdf: bytes) -> Document:
        """Open a draft, or change the one that is open."""
        sql = """INSERT INTO document VALUES (NULL, ?, ?, ?, 1, ?, ?)
                 ON CONFLICT (account, item) DO UPDATE SET pages = excluded.pages,
                 edits = edits + 1, size = excluded.size, pdf = excluded.pdf RETURNING *"""
        return Document._make(self._rows(sql, account, item, pages, len(pdf), pdf)[0])

    def draft(self, account: str, item: str) -> Document | None:
        """Return one draft, or None where the account has no such one."""
        return self._one("SELECT * FROM document WHERE account = ? AND item = ?", account, item)

    def finish(self, account: str, item: str) -> Document | None:
        """Make a draft a document, and return that."""
        sql = "UPDATE document SET item = NULL WHERE account = ? AND item = ? RETURNING *"
        return self._one(sql, account, item)

    def drop(self, account: str, item: str) -> Document | None:
        """Delete a draft, and return what it was."""
        sql = "DELETE FROM document WHERE account = ? AND item = ? RETURNING *"
        return self._one(sql, account, item)

    def _one(self, sql: str, *values: str | int) -> Document | None:
        return next(map(Document._make, self._rows(sql, *values)), None)

    def _rows(self, sql: str, *values: str | int | bytes) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()


def check(values: Mapping[str, object], wanted: Collection[str]) -> None:
    """Raise unless there is a right value for every wanted field, and nothing else."""
    # JSON may name a field by half a surrogate pair, which no answer can carry.
    strange = (name.encode(errors="replace").decode() for name in values if name not in wanted)
    wrong = dict.fromkeys(strange, "is not a field here")
    for name in sorted(wanted):
        holds, sentence = RULES[name]
        if not holds(values.get(name)):
            wrong[name] = sentence if name in values else "is missing"
    if wrong:
        raise WrongFieldsError(wrong)


def _is_line(value: object) -> bool:
    if not isinstance(value, str) or not value.isprintable():
        return False
    return len(value) <= 80 and bool(value.strip())


def _is_pages(value: object) -> bool:
    # To Python True is a whole number; to a client it is not.
    return type(value) is int and 1 <= value <= 500


def _is_data(value: object) -> bool:
    # Thirty names with their values are what one page has room for.
    return isinstance(value, dict) and len(value) <= 30 and all(map(_is_line, _texts(value)))


def _texts(data: Mapping[str, object]) -> chain[object]:
    numbers = (int, float)
    values = (str(value) if type(value) in numbers else value for value in data.values())
    return chain(data, values)


RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "template": (_is_line, "must be 1 to 80 printable characters"),
    "pages": (_is_pages, "must be a whole number from 1 to 500"),
    "data": (_is_data, "must have up to 30 names and values of 1 to 80 printable characters"),
}
