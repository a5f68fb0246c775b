"""The tables of docs/fair-process.md that follow from the code, as the page has to show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from fairuse.rules.ladder import LADDER, TRIGGERS
from fairuse.rules.process import ALLOWED, BY_OPERATOR, Action, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.rules.ladder import State


def row_of(state: State) -> str:
    """Write what a state's row ends with: its points, and what leads to which state."""
    moves: dict[str, list[str]] = {}
    for happening, to in LADDER[state].items():
        moves.setdefault(to, []).append(happening)
    led = (
        _names(found) if found == [to] else f"{_names(found)} → `{to}`"
        for to, found in moves.items()
    )
    return f"| {_names(TRIGGERS.get(state, ()))} | {'; '.join(led)} |"


def allowed_on(trigger: Trigger) -> str:
    """Write what a step may do at a point."""
    first = tuple(each for each in get_args(Action) if each != "terminate")
    allowed = ALLOWED.get(trigger, first)
    return "any but `terminate`" if allowed == first else _names(allowed)


def decided_by_people() -> str:
    """Write what no step may do by itself."""
    return " and ".join(f"`{action}`" for action in sorted(BY_OPERATOR))


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
