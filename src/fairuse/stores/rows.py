"""What the ledger keeps, row by row."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.evidence import EvidenceKey
    from fairuse.rules.meters import Measure
    from fairuse.rules.tally import ScopeKey, TallyKey


FOREVER = 253_402_300_800.0
"""The end of what has none: the year 10000, in seconds since 1970."""


class SlotRow(NamedTuple):
    """A slot as it is kept: `slot` its key, `ends_at` on wall time, `level` of levels alone."""

    key: TallyKey
    slot: int
    ends_at: float
    units: int
    measure: Measure = "requests"
    level: int = 0


class MemberRow(NamedTuple):
    """Somebody who was told apart in a slot."""

    key: TallyKey
    slot: int
    member: str


class EventRow(NamedTuple):
    """A usage event that was counted: told once, never again (P8)."""

    sender: str
    source: str
    id: str
    told_at: float
    happened_at: float
    adjusted: bool


class ItemRow(NamedTuple):
    """An item that is open, such as a page that is edited together and not finished (E28)."""

    account: str
    meter: str
    item: str
    units: int
    opened_at: float
    warned: bool = False


class ItemClosed(NamedTuple):
    """An item that is open no longer."""

    account: str
    meter: str
    item: str
    closed_at: float


class ItemAged(NamedTuple):
    """An item that is open still and has counted as finished (E29)."""

    account: str
    meter: str
    item: str
    units: int


ItemChange = ItemRow | ItemClosed | ItemAged


class BreachRow(NamedTuple):
    """A window over its limit, or an episode of consecutive ones of a short window."""

    tenant: str
    account: str
    rule: str
    scope: ScopeKey
    starts_at: float
    ends_at: float
    last_at: float
    reading: int
    amount: int


class UsageKey(NamedTuple):
    """What usage is kept by; `hour` is its start in seconds since 1970: see `hour_of`."""

    account: str
    location: str
    meter: str
    hour: int


class Batch(NamedTuple):
    """What one flush of the journal writes, in one transaction."""

    slots: Sequence[SlotRow] = ()
    usage: Sequence[tuple[UsageKey, int]] = ()
    blocks: Sequence[Block] = ()
    members: Sequence[MemberRow] = ()
    events: Sequence[EventRow] = ()
    items: Sequence[ItemChange] = ()
    breaches: Sequence[BreachRow] = ()
    evidence: Sequence[tuple[EvidenceKey, int]] = ()


class NoticeRow(NamedTuple):
    """A notice as it was written; it is never changed. `reading` is the count at that instant.

    `once` names what it tells of: of what was told already there is no second one. `must_by` is
    the moment by which it has to be delivered, where there is one (A16). `scope` is what a warning
    is about, and `prices` says that it named what more of it costs, and from which point on (D11).
    `evidence` is where the use came from, and the one part that is not kept for ever (C16).
    """

    tenant: str
    account: str
    rule: str
    written_at: float
    reading: int
    amount: int
    source: str
    language: str
    contact: tuple[str, ...]
    subject: str
    body: str
    kind: str = ""
    once: str | None = None
    must_by: float | None = None
    scope: ScopeKey | None = None
    prices: bool = False
    evidence: str = ""


@lru_cache(maxsize=65_536)
def scope_text(scope: ScopeKey) -> str:
    """Write a scope as the ledger keeps it."""
    return json.dumps(scope, separators=(",", ":"))


def parse_scope(text: str) -> ScopeKey:
    """Read a scope as the ledger keeps it."""
    return tuple((name, value) for name, value in json.loads(text))


def slot_values(row: SlotRow) -> dict[str, object]:
    """Give a slot's columns."""
    account, limit, window, scope = row.key
    return {
        "account": account,
        "limit_name": limit,
        "window_text": window,
        "scope": scope_text(scope),
        "slot": row.slot,
        "ends_at": row.ends_at,
        "units": row.units,
        "measure": row.measure,
        "level": row.level,
    }


def member_values(row: MemberRow) -> dict[str, object]:
    """Give a member's columns."""
    account, limit, window, scope = row.key
    return {
        "account": account,
        "limit_name": limit,
        "window_text": window,
        "scope": scope_text(scope),
        "slot": row.slot,
        "member": row.member,
    }


def breach_values(row: BreachRow) -> dict[str, object]:
    """Give a breach's columns."""
    return {**row._asdict(), "scope": scope_text(row.scope)}


def block_values(block: Block) -> dict[str, object]:
    """Give a block's columns."""
    return {name: getattr(block, name) for name in Block.__slots__}


def notice_values(notice: NoticeRow, case_id: int | None) -> dict[str, object]:
    """Give a notice's columns."""
    values = {**notice._asdict(), "contact": json.dumps(notice.contact), "case_id": case_id}
    for name in ("must_by", "scope", "prices"):
        del values[name]
    return values
