"""Notes of what was said about a case (C09): entries of the record, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.record import Entry
from fairuse.stores.record import append

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.rules.ladder import Case
    from fairuse.stores.ledger import Ledger


class Note(NamedTuple):
    """Who noted what, when; `due` is the day on which somebody looks again (2026-11-30), or ""."""

    at: float
    by: str
    text: str
    due: str


async def add_note(ledger: Ledger, case: Case, note: Note) -> None:
    """Write a note into the record of a case, whatever its state."""
    data = {"text": note.text, "due": note.due}
    async with ledger.transaction() as connection:
        entry = Entry(note.at, "case.noted", case.account, case.id, note.by, {**data})
        await append(connection, [entry])


def notes_among(entries: Iterable[Entry]) -> list[Note]:
    """Give the notes among the entries of a record, oldest first."""
    return [
        Note(entry.at, entry.by, str(entry.data.get("text", "")), str(entry.data.get("due", "")))
        for entry in entries
        if entry.kind == "case.noted"
    ]
