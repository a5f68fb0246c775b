"""What the ledger keeps, row by row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.tally import ScopeKey, TallyKey


class SlotRow(NamedTuple):
    """A slot as it is kept: `slot` its key, `ends_at` on wall time."""

    key: TallyKey
    slot: int
    ends_at: float
    units: int


class UsageKey(NamedTuple):
    """What usage is kept by; `hour` is the UTC hour's start, in seconds since 1970."""

    account: str
    location: str
    meter: str
    hour: int


class Batch(NamedTuple):
    """What one flush of the journal writes: slots as they stand, usage and blocks to add."""

    slots: Sequence[SlotRow]
    usage: Sequence[tuple[UsageKey, int]]
    blocks: Sequence[Block]


class CaseRow(NamedTuple):
    """A case of one account under one rule, for one window and scope."""

    tenant: str
    account: str
    rule: str
    scope: ScopeKey
    starts_at: float
    ends_at: float
    opened_at: float
    state: str


class NoticeRow(NamedTuple):
    """A notice as it was written; it is never changed. `reading` is the count at that instant."""

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
    }


def block_values(block: Block) -> dict[str, object]:
    """Give a block's columns."""
    return {name: getattr(block, name) for name in Block.__slots__}


def notice_values(notice: NoticeRow, case_id: int | None) -> dict[str, object]:
    """Give a notice's columns."""
    return {**notice._asdict(), "contact": json.dumps(notice.contact), "case_id": case_id}
