"""Cases as the operator's commands show them: as tables for people, and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fairuse.base.clock import SystemClock
from fairuse.base.errors import NotPossible
from fairuse.base.texts import iso_time
from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.evidence import from_table, to_table
from fairuse.rules.evidence_texts import block
from fairuse.stages.escalate import overloads
from fairuse.stores.casebook import case_numbered, measures_of
from fairuse.stores.charges import charges_of
from fairuse.stores.evidence_rows import evidence_kept
from fairuse.stores.history import breaches_since
from fairuse.stores.ledger import Ledger
from fairuse.stores.notes import notes_among
from fairuse.stores.record import entries_of
from fairuse.stores.reviews import due_reviews

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairuse.base.clock import Clock
    from fairuse.rules.charges import Charge
    from fairuse.rules.ladder import Case, State
    from fairuse.rules.measures import Measure
    from fairuse.rules.record import Entry
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.notes import Note

Json = dict[str, Any]

WAITS_FOR: dict[State, str] = {
    "open": "the notice's delivery",
    "notified": "the customer",
    "accepted": "the window's end",
    "reducing": "less use",
    "extended": "more capacity: override or topup",
    "declined": "the grace's end",
    "unanswered": "the next step",
    "persisting": "the next step",
    "proposed": "approve or reject",
    "left": "less use",
    "measured": "the measure's end",
    "renegotiating": "close --outcome agreed or failed",
    "failed": "the next step, or propose terminate",
    "closed": "",
}
"""Who or what moves a case on."""
REVIEW_DUE = "a look at its measure: extend or close"
NAMES = frozenset({"case", "delivery", "account", "rule", "state"})


async def cases_of(
    configuration: Configuration,
    number: int | None,
    account: str,
    *,
    closed: bool,
    clock: Clock | None = None,
) -> Any:
    """Give the cases as JSON, or one with all that is known of it. Raises LedgerError."""
    ledger = await Ledger.look_into(configuration.current.settings.ledger.url)
    if ledger is None:
        if number is None:
            return []
        raise NotPossible("there is no ledger yet")
    moment = (clock or SystemClock()).now().wall
    try:
        if number is not None:
            return await _whole(configuration, ledger, number, moment)
        due = await _due(ledger, moment)
        cases = await ledger.cases(account, closed=closed)
        return [_case(each, due=each.id in due) for each in cases]
    finally:
        await ledger.close()


async def _whole(configuration: Configuration, ledger: Ledger, number: int, moment: float) -> Json:
    case = await case_numbered(ledger, number)
    if case is None:
        raise NotPossible(f"there is no case {number}")
    terms = configuration.current.accounts.get(case.account)
    evidence = await evidence_kept(ledger, case, terms, moment) if terms is not None else None
    record = await entries_of(ledger, number)
    return {
        **_case(case, due=number in await _due(ledger, moment)),
        "evidence": None if evidence is None else to_table(evidence),
        "notes": _notes(notes_among(record), moment),
        "measures": [_measure(each) for each in await measures_of(ledger, number)],
        "charges": [_charge(each) for each in await charges_of(ledger, case=number)],
        "episodes": await _episodes(ledger, case),
        "record": [_entry(each) for each in record],
    }


async def _due(ledger: Ledger, moment: float) -> set[int]:
    """Give the cases with a measure whose day has come."""
    return {measure.case for measure in await due_reviews(ledger, moment)}


def _notes(notes: Sequence[Note], moment: float) -> list[Json]:
    """Give what was noted; what is due stands in the last one: each takes the last one's place."""
    today = datetime.fromtimestamp(moment, UTC).date().isoformat()
    return [
        {
            "at": _time(note.at),
            "by": note.by,
            "text": note.text,
            "due": note.due or None,
            "is_due": note is notes[-1] and bool(note.due) and note.due <= today,
        }
        for note in notes
    ]


async def _episodes(ledger: Ledger, case: Case) -> list[Json]:
    """Give the overload that a case is about, and what came after it until it was closed."""
    if case.rule != OVERLOAD:
        return []
    until = float("inf") if case.closed_at is None else case.closed_at
    return [
        {"from": _time(each.starts_at), "until": _time(each.ends_at), "share": f"{each.per_cent}%"}
        for each in overloads(await breaches_since(ledger, case.starts_at, case.account))
        if each.starts_at <= until
    ]


def _case(case: Case, *, due: bool) -> Json:
    return {
        "case": case.id,
        "account": case.account,
        "rule": case.rule,
        "scope": dict(case.scope),
        "state": case.state,
        "waits_for": REVIEW_DUE if due else WAITS_FOR[case.state],
        "reading": case.reading,
        "latest": case.latest,
        "amount": case.amount,
        "policy": case.policy,
        "opened_at": _time(case.opened_at),
        "notified_at": _time(case.notified_at),
        "answer_by": _time(case.answer_by),
        "closed_at": _time(case.closed_at),
        "outcome": case.outcome,
    }


def _measure(measure: Measure) -> Json:
    return {
        "do": measure.kind,
        "state": measure.state,
        "routes": [*measure.routes],
        "limit": measure.limit,
        "amount": measure.amount,
        "reason": measure.reason,
        "from": _time(measure.starts_at),
        "until": _time(measure.ends_at),
        "until_under": measure.until_under,
        "review": _time(measure.review_at),
        "by": measure.by,
    }


def _charge(charge: Charge) -> Json:
    return {
        "charge": charge.id,
        "kind": charge.kind,
        "units": charge.units,
        "amount": f"{charge.currency} {charge.amount}",
        "waived": f"{charge.currency} {charge.waived}",
        "due": f"{charge.currency} {charge.due}",
        "final": charge.final,
        "final_at": _time(charge.final_at),
        "text": charge.text,
    }


def _entry(entry: Entry) -> Json:
    return {"at": _time(entry.at), "kind": entry.kind, "by": entry.by, "data": dict(entry.data)}


def _time(moment: float | None) -> str | None:
    return None if moment is None else iso_time(moment, UTC)


def show_cases(cases: Sequence[Mapping[str, Any]]) -> None:
    """Print a line a case."""
    columns = ("case", "account", "rule", "state", "latest", "amount", "answer_by", "waits_for")
    rows = [{name: case[name] for name in columns} for case in cases]
    case_table(rows, "there are no cases")


def show_case(case: Mapping[str, Any]) -> None:
    """Print one case: its figures, its measures and charges, and what happened to it."""
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    for name, value in case.items():
        if value and not isinstance(value, list) and name != "evidence":
            console.print(f"{name:12}{escape(_text(value))}")
    if case["evidence"]:
        console.print(escape(f"\n{block(from_table(case['evidence']), 'en')}"))
    for title in ("episodes", "notes", "measures", "charges", "record"):
        if case[title]:
            console.print(f"\n[bold]{title.capitalize()}[/bold]")
            for each in case[title]:
                said = ", ".join(f"{name} {_text(value)}" for name, value in each.items() if value)
                console.print(escape(f"  {said}"))


def case_table(rows: Sequence[Mapping[str, Any]], nothing: str) -> None:
    """Print rows as a table, or that there are none."""
    console = Console(highlight=False, emoji=False)
    if not rows:
        console.print(nothing)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]:
        # A name is typed into the next command, so it is never cut off.
        table.add_column(name.replace("_", " "), no_wrap=name in NAMES, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_text(value)) for value in row.values()))
    console.print(table)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)
