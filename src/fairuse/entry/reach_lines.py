"""Whom policies would have touched, as `fairuse check --usage` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from fairuse.base.errors import Finding
from fairuse.entry.reach import LAST
from fairuse.rules.reach import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairuse.rules.reach import LimitReach, PolicyReach


def reach_warnings(found: Iterable[PolicyReach]) -> list[Finding]:
    """Give a warning for each policy that touches more than it is expected to (A07)."""
    return [
        Finding(f"policies/{each.policy}.toml", "expected_share", each.problem)
        for each in found
        if each.problem is not None
    ]


def as_json(found: Sequence[PolicyReach]) -> list[dict[str, Any]]:
    """Give it for programs; shares are numbers from 0 to 1."""
    return [
        {
            "policy": each.policy,
            "accounts": each.accounts,
            "touched": each.touched,
            "share": float(each.share),
            "expected_share": float(each.expected),
            "limits": [
                {**limit._asdict(), "why_not": limit.why_not or None} for limit in each.limits
            ],
        }
        for each in found
    ]


def show_reach(found: Sequence[PolicyReach], month: str) -> None:
    """Print how many accounts each policy and each limit would have touched (A02)."""
    typer.echo(f"by the use of {'the latest month that is over' if month == LAST else month}:")
    for each in found:
        share = f" ({percent(each.share)})" if each.touched else ""
        typer.echo(
            f"{each.policy}: {each.touched:,} of {each.accounts:,} accounts would be touched{share}"
        )
        for limit in each.limits:
            if not limit.why_not:
                typer.echo(f"  {limit.limit}: {_limit(limit, each.accounts)}")
        if untold := [limit.limit for limit in each.limits if limit.why_not]:
            typer.echo(f"  recorded use can't tell: {', '.join(untold)}")


def _limit(limit: LimitReach, accounts: int) -> str:
    if not limit.recorded:
        return "no use is recorded"
    unknown = f", of {limit.unknown:,} more the amount is not known" if limit.unknown else ""
    return f"{limit.touched:,} of {accounts:,} ({limit.over}; {limit.looked_at}){unknown}"
