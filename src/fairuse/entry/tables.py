"""Writes what `fairuse explain` found, for people: narrow enough for any terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from fairuse.entry.rulings import ruling_lines

if TYPE_CHECKING:
    from collections.abc import Iterator


def show(found: dict[str, Any]) -> None:
    """Print who it is, what is counted, what is used, and what would happen."""
    console = Console(soft_wrap=True, highlight=False, emoji=False)  # addresses have :ab: in them
    for name in ("account", "tenant", "policy", "location", "user", "address"):
        if found.get(name):
            console.print(f"{name:10}{escape(str(found[name]))}")
    if found.get("in_force") is False:
        console.print("\nThe policy does not hold for this contract: nothing is limited.")
    for title, lines in (
        ("Meters it moves", map(_meter, found.get("meters", []))),
        ("Limits", map(_limit, found.get("limits", []))),
        ("What decides", map(ruling_lines, found.get("rulings", []))),
    ):
        _print_list(console, title, lines)
    if "outcome" in found:
        console.print(f"\n[bold]{escape(_outcome(found['outcome']))}[/bold]")


def _print_list(console: Console, title: str, lines: Iterator[str]) -> None:
    for number, line in enumerate(lines):
        if number == 0:
            console.print(f"\n[bold]{title}[/bold]")
        console.print(escape(line))


def _meter(meter: dict[str, Any]) -> str:
    cost = f"\n      cost by {meter['cost']}" if meter["cost"] else ""
    releases = ", lowers it" if meter["releases"] else ""
    return f"  {meter['meter']}: {meter['measure']}, {meter['counts']}{releases}{cost}"


def _limit(limit: dict[str, Any]) -> str:
    scope = f" ({', '.join(map(str, limit['scope'].values()))})" if limit["scope"] else ""
    asked = f" + {_number(limit['asks'])}" if "asks" in limit else ""
    used = f"{_number(limit['used'])}{asked} of {_number(limit['amount'])}"
    what = f"{limit['unit']}, {limit['window']}; over: {limit['over']}; {limit['standing']}"
    return f"  {limit['limit']}{scope}: {used} {what}\n      {limit['source']}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


def _outcome(outcome: dict[str, Any]) -> str:
    if outcome["served"]:
        return "It would be served."
    reason = f": {outcome['reason']}" if outcome["reason"] else ""
    by = f"{outcome['status']} by {outcome['rule']}"
    return f"It would be refused with {by}.\n{outcome['why']}{reason}."
