"""A suggestion as `fairuse suggest` shows it: the three inputs, the arithmetic, the command."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import typer

from fairuse.rules.amounts import rounded
from fairuse.rules.reach import percent
from fairuse.rules.suggesting import GROWTH

if TYPE_CHECKING:
    from fairuse.entry.suggest import Suggested
    from fairuse.rules.suggesting import Suggestion

Json = dict[str, Any]


def as_json(account: str, suggested: Suggested, moment: float) -> Json:
    """Give a suggestion for programs; numbers of units."""
    limit, size, comparable, load, found = suggested
    units = limit.unit.units
    amount = limit.amount(moment)
    return {
        "account": account,
        "limit": limit.name,
        "unit": limit.unit.one,
        "amount": None if amount is None else units(amount.value),
        "source": None if amount is None else amount.source,
        "size": {"number": size.number, "of": size.of, "packages": size.packages},
        "comparable": None
        if comparable is None
        else {"n": comparable.n, "average": float(comparable.average) / 10**limit.unit.decimals},
        "load": {
            "own": [units(each) for each in load.own],
            "whole": [units(each) for each in load.whole],
            "share": float(load.share),
        },
        "suggested": None
        if found is None
        else {name: units(value) for name, value in found._asdict().items()},
    }


def show_suggestion(account: str, suggested: Suggested, moment: float) -> None:
    """Print what is suggested, from what, and how to agree on it; nothing is changed by it."""
    limit, size, load = suggested.limit, suggested.size, suggested.load
    months, by = len(load.whole), "location" if limit.scope else "account"
    packages = f" on {size.packages}" if size.packages else ""
    lines = [
        f"{limit.name} of {account}, {limit.window_text} by {by}: {_now(suggested, moment)}",
        f"  size         {size.number:,} {size.of}{packages}",
        f"  comparable   {_comparable(suggested)}",
    ]
    if suggested.found is None:
        lines.append("  no use of a month that is over is recorded, so nothing is suggested")
    else:
        lines += [
            f"  own use      {_units(suggested, load.busiest)} in the busiest of {months} months,"
            f" {_units(suggested, load.usual)} on average",
            f"  system load  {percent(load.share)} of all use; the latest month of all was"
            f" {_units(suggested, load.free)} below the busiest",
            *_arithmetic(suggested, suggested.found),
            "  nothing is changed; to agree on it:",
            f"  {_command(account, suggested, suggested.found)}",
        ]
    for line in lines:
        typer.echo(line)


def _now(suggested: Suggested, moment: float) -> str:
    amount = suggested.limit.amount(moment)
    if amount is None:
        return "not known yet"
    return f"{_units(suggested, amount.value)} ({amount.source})"


def _comparable(suggested: Suggested) -> str:
    comparable, size = suggested.comparable, suggested.size
    if comparable is None:
        return "nobody else has the same packages"
    average = _units(suggested, comparable.average)
    each = size.of if size.of in {"account", "location"} else f"of their {size.of}"
    return f"{comparable.n:,} others use {average} a month for each {each}"


def _arithmetic(suggested: Suggested, found: Suggestion) -> list[str]:
    def units(counted: Fraction | int) -> str:
        return _units(suggested, counted)

    load, size, comparable = suggested.load, suggested.size, suggested.comparable
    average = units(comparable.average) if comparable is not None else "0"
    return [
        f"  need         {units(load.busiest)} x {percent(GROWTH)} = {units(found.need)}",
        f"  by size      {average} x {size.number:,} = {units(found.by_size)}",
        f"  room         {units(load.usual)} + {units(load.free)} = {units(found.room)}",
        f"  suggested    {units(found.amount)}: the larger of need and size, but no more than the"
        f" largest of room, size and {units(load.busiest)}; rounded up",
    ]


def _command(account: str, suggested: Suggested, found: Suggestion) -> str:
    limit = suggested.limit
    amount = rounded(Fraction(found.amount, 10**limit.unit.decimals))
    where = " --location LOCATION" if limit.scope else ""
    return f"fairuse override {account} {limit.name} {amount}{where} --by NAME --reason REASON"


def _units(suggested: Suggested, counted: Fraction | int) -> str:
    """Write counted units in units, with at most two decimals."""
    units = Fraction(counted) / 10**suggested.limit.unit.decimals
    return f"{float(units):,.2f}".rstrip("0").rstrip(".")
