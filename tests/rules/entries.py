"""Entries of a record, for the tests of the promises: one case of anna's and what is done in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support import NOON

from fairuse.rules.promises import broken_by
from fairuse.rules.record import Entry
from fairuse.rules.recorded import SoFar

if TYPE_CHECKING:
    from fairuse.rules.record import Kind

HOUR = 3_600
AT_X = {"location": "x"}


def entry(kind: Kind, hours: float = 0, case: int = 1, /, **data: Any) -> Entry:
    """Give an entry of anna's, some hours after noon."""
    account = data.pop("account", "anna")
    return Entry(NOON + hours * HOUR, kind, account, case, "fairuse", data)


def opened(**data: Any) -> Entry:
    """Give the opening of a case at one location, in a window that began two hours ago."""
    return entry("case.opened", **{"rule": "month", "scope": AT_X} | data)


def told(hours: float = 1, case: int = 1, reading: int | None = 5_400, **data: Any) -> Entry:
    """Give a delivery, of notice 1 by mail."""
    told_of = {"notice": 1, "channel": "mailto:a@b.example", "rule": "month", "reading": reading}
    return entry("notice.delivered", hours, case, **told_of | data)


def charge(**data: Any) -> Entry:
    """Give the charge of a window that ends in 50 hours: 1,100 units after the notice."""
    figures = {
        "charge": 1,
        "kind": "usage",
        "rule": "month",
        "scope": AT_X,
        "from": NOON - 2 * HOUR,
        "until": NOON + 50 * HOUR,
        "limit": 5_000,
        "notice_reading": 5_400,
        "to_reading": 6_500,
        "basis": "notice",
        "units": 1_100,
    }
    return entry("charge.made", 51, **figures | data)


def begun(what: str = "suspend", **data: Any) -> Entry:
    """Give the beginning of a measure at the location, for a day."""
    figures = {
        "measure": 1,
        "do": what,
        "rule": "month",
        "scope": AT_X,
        "routes": ["GET /exports"],
        "limit": "month",
        "amount": "80% of month",
        "from": NOON + 2 * HOUR,
        "until": NOON + 26 * HOUR,
    }
    return entry("measure.begun", 2, **figures | data)


def talk_failed() -> Entry:
    """Give the end of a talk about the terms, without an agreement."""
    return entry("case.moved", 3, **{"from": "renegotiating", "to": "failed", "on": "failed"})


def ended_contract() -> Entry:
    """Give the end of a contract, which olga decided."""
    moved = {"from": "proposed", "to": "closed", "on": "terminated"}
    return entry("case.moved", 4, **moved)._replace(by="olga")


def broken(*entries: Entry) -> list[str]:
    """Give which promises the last of some entries breaks, and that those before break none."""
    so_far = SoFar()
    for before in entries[:-1]:
        assert broken_by(before, so_far) == []
        so_far.add(before)
    return [found.promise for found in broken_by(entries[-1], so_far)]
