"""Amounts: how many units a limit allows, and where that number comes from.

Units are counted as whole numbers. A meter with `decimals = 2` counts hundredths of its unit.
"""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.expression import Expression
from fairuse.rules.grammar import parse_expression

if TYPE_CHECKING:
    from fractions import Fraction

_PLAIN = re.compile(
    r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?(e[+-]?[0-9]{1,4})?", re.ASCII | re.IGNORECASE
)
"""A number as programs write it, not as people group its digits."""
MAX_AMOUNT = 2**53 - 1
"""Every store counts exactly up to here: Lua's numbers are doubles (F-27)."""


class Amount(NamedTuple):
    """A limit's amount in force, and why it is that: `policy`, or an override with its end."""

    value: int
    source: str


def parse_amount(value: object) -> Expression:
    """Read an amount: a whole number, or arithmetic as a text. Raises ValueError."""
    if isinstance(value, Expression):
        return value
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f'{value!r} is no amount; write a number of units, or "1250 * users"')
    expression = parse_expression(str(value))
    fixed = expression.fixed
    if fixed is not None and fixed > MAX_AMOUNT:
        raise ValueError(f"{value} is more than can be counted exactly ({MAX_AMOUNT})")
    return expression


def counted(units: Fraction, decimals: int) -> int:
    """Turn an amount of units into what is counted: rounded down, but something stays something.

    0.25 pages a minute would never let a page through, so it becomes 1; none stays none.
    """
    if units <= 0:
        return 0
    return min(max(int(units * 10**decimals), 1), MAX_AMOUNT)


def parse_units(value: object, decimals: int) -> int:
    """Read how many units something came to, as a program reports them; rounded up.

    Raises ValueError for what is no number of units: negative, not a number, more than can be
    counted exactly (F-27).
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError(f"{value!r:.40} is no number of units")
    whole = -1
    if not isinstance(value, str) or _PLAIN.fullmatch(value.strip()):
        with suppress(ArithmeticError):
            units = Decimal(str(value).strip()).scaleb(decimals)
            if 0 <= units <= MAX_AMOUNT:
                whole = int(units.to_integral_value(ROUND_CEILING))
    if whole < 0:
        raise ValueError(f"{value!r:.40} is no number of units from 0 to {MAX_AMOUNT}")
    return whole


def shown(counted_units: int, decimals: int) -> int | float:
    """Turn what is counted into units, as they are shown."""
    return counted_units if not decimals else counted_units / 10**decimals


def rounded(units: Fraction | float) -> str:
    """Write a number that was worked out, to two decimals at most."""
    return f"{float(units):.2f}".rstrip("0").rstrip(".")
