"""The record: everything that was done in a fair process, one entry each, in its order.

An entry carries all its figures, so that the promises can be proven from the record alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal[
    "case.opened",
    "case.moved",
    "case.extended",
    "case.noted",
    "case.unexplained",
    "notice.written",
    "notice.delivered",
    "choice.made",
    "measure.proposed",
    "measure.begun",
    "measure.rejected",
    "measure.due",
    "measure.reviewed",
    "measure.ended",
    "charge.made",
    "charge.waived",
    "charge.final",
    "grant.made",
    "window.forgiven",
    "policy.announced",
]

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
"""What JSON can hold. Money is written as text: a float would lose some of it."""

NO_CASE = 0

OURSELVES = "fairuse"
"""Who did what nobody decided: the process itself."""


class Entry(NamedTuple):
    """Something that was done: when (seconds since 1970), to which account, and by whom."""

    at: float
    kind: Kind
    account: str
    case: int
    by: str
    data: Mapping[str, Value]
