"""Appointments: what each field may hold, and how SQLite keeps them."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from threading import Lock
from typing import NamedTuple

LIMITS = frozenset(str(limit) for limit in range(1, 501))
PAGE = 500
SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS appointment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    location TEXT NOT NULL,
    customer TEXT NOT NULL,
    start TEXT NOT NULL,
    minutes INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS appointment_location ON appointment (location);
CREATE INDEX IF NOT EXISTS appointment_day ON appointment (location, substr(start, 1, 10));
"""


class Appointment(NamedTuple):
    """One row of the table, its fields in the table's order."""

    id: int
    location: str
    customer: str
    start: str
    minutes: int


class WrongFieldsError(ValueError):
    """What a client gave breaks a rule: every wrong field, each with its sentence."""

    def __init__(self, wrong: dict[str, str]) -> None:
        super().__init__("Some fields are missing, wrong or unknown.")
        self.errors = [{"field": name, "detail": detail} for name, detail in wrong.items()]


class Store:
    """The appointments of every location; any thread may call it."""

    def __init__(self, database: Path) -> None:
        # Without an isolation level each statement below is a transaction of its own.
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.executescript(SCHEMA)
        self._lock = Lock()

    def close(self) -> None:
        """Let go of the database file."""
        self._connection.close()

    def add(self, location: str, customer: str, start: str, minutes: int) -> Appointment:
        """Keep a new appointment."""
        sql = "INSERT INTO appointment VALUES (NULL, ?, ?, ?, ?) RETURNING *"
        return self._rows(sql, location, customer, start, minutes)[0]

    def newest(self, location: str, day: str | None, limit: int) -> list[Appointment]:
        """Return the last bookings, of one day if it is given, the newest booking first."""
        if day is None:
            sql = "SELECT * FROM appointment WHERE location = ? ORDER BY id DESC LIMIT ?"
            return self._rows(sql, location, limit)
        sql = """SELECT * FROM appointment WHERE location = ? AND substr(start, 1, 10) = ?
                 ORDER BY id DESC LIMIT ?"""
        return self._rows(sql, location, day, limit)

    def find(self, location: str, number: int) -> Appointment | None:
        """Return one appointment, or None where the location has no such one."""
        sql = "SELECT * FROM appointment WHERE id = ? AND location = ?"
        return next(iter(self._rows(sql, number, location)), None)

    def move(
        self, location: str, number: int, start: str | None = None, minutes: int | None = None
    ) -> Appointment | None:
        """Give an appointment another start, another length or both."""
        sql = """UPDATE appointment SET start = coalesce(?, start), minutes = coalesce(?, minutes)
                 WHERE id = ? AND location = ? RETURNING *"""
        return next(iter(self._rows(sql, start, minutes, number, location)), None)

    def remove(self, location: str, number: int) -> Appointment | None:
        """Delete an appointment, and return what it was."""
        sql = "DELETE FROM appointment WHERE id = ? AND location = ? RETURNING *"
        return next(iter(self._rows(sql, number, location)), None)

    def pages(self, location: str) -> Iterator[list[Appointment]]:
        """Yield every appointment of a location, the oldest booking first, a page at a time."""
        # Each page is a query of its own, so a slow reader holds neither the lock nor a snapshot.
        sql = "SELECT * FROM appointment WHERE location = ? AND id > ? ORDER BY id LIMIT ?"
        last = 0
        while page := self._rows(sql, location, last, PAGE):
            yield page
            last = page[-1].id

    def _rows(self, sql: str, *values: str | int | None) -> list[Appointment]:
        with self._lock:
            return [Appointment._make(row) for row in self._connection.execute(sql, values)]


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


def _is_name(value: object) -> bool:
    # "Printable" also keeps out lone surrogates, which SQLite cannot store.
    return isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) <= 200


def _is_minutes(value: object) -> bool:
    # To Python True is a whole number; to a client it is not.
    return type(value) is int and 5 <= value <= 480


def _reads_back(value: object, rewrite: Callable[[str], str]) -> bool:
    # The table compares days as text, so each moment may have one spelling only.
    try:
        return isinstance(value, str) and rewrite(value) == value
    except ValueError:
        return False


def _rewritten_start(text: str) -> str:
    return datetime.fromisoformat(text).replace(tzinfo=None).isoformat(timespec="minutes")


def _rewritten_day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "customer": (_is_name, "must be 1 to 200 printable characters"),
    "start": (lambda value: _reads_back(value, _rewritten_start), "must be like 2026-12-01T10:00"),
    "minutes": (_is_minutes, "must be a whole number from 5 to 480"),
    "day": (lambda value: _reads_back(value, _rewritten_day), "must be like 2026-12-01"),
    "limit": (lambda value: value in LIMITS, "must be a whole number from 1 to 500"),
}
