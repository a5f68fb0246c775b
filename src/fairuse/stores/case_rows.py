"""Cases and their measures, as the ledger keeps them."""

from __future__ import annotations

import json
from typing import Any

from fairuse.rules.ladder import Case
from fairuse.rules.measures import Measure
from fairuse.stores.rows import parse_scope, scope_text


def case_values(case: Case) -> dict[str, object]:
    """Give a case's columns."""
    return {**case._asdict(), "scope": scope_text(case.scope)}


def case_of(row: Any) -> Case:
    """Read a case as the ledger keeps it."""
    case = Case(*(getattr(row, name) for name in Case._fields))
    return case._replace(scope=parse_scope(row.scope))


def measure_values(measure: Measure) -> dict[str, object]:
    """Give a measure's columns, but its number."""
    return {
        "case_id": measure.case,
        "account": measure.account,
        "kind": measure.kind,
        "scope": scope_text(measure.scope),
        "routes": json.dumps(measure.routes),
        "limit_name": measure.limit,
        "amount": measure.amount,
        "reason": measure.reason,
        "state": measure.state,
        "starts_at": measure.starts_at,
        "ends_at": measure.ends_at,
        "review_at": measure.review_at,
        "until_under": measure.until_under,
        "author": measure.by,
        "lasts": measure.lasts,
        "review_after": measure.review_after,
    }


def measure_of(row: Any) -> Measure:
    """Read a measure as the ledger keeps it."""
    return Measure(
        row.id,
        row.case_id,
        row.account,
        row.kind,
        parse_scope(row.scope),
        tuple(json.loads(row.routes)),
        row.limit_name,
        row.amount,
        row.reason,
        row.state,
        row.starts_at,
        row.ends_at,
        row.review_at,
        row.until_under,
        row.author,
        row.lasts,
        row.review_after,
    )
