"""Money: worked out exactly, and rounded once, to what its currency has coins for."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

from babel.numbers import get_currency_precision

ROUNDING = "half up"
"""How an exact total becomes an amount of money: once for a charge, and never for its lines."""


def to_minor_units(exact: Fraction, currency: str) -> Decimal:
    """Round an exact sum, which is not negative, half up to its currency's minor units.

    EUR has two digits, JPY none, BHD three (ISO 4217).
    """
    digits = get_currency_precision(currency)
    # From text: arithmetic on decimals would round to the context's 28 digits.
    return Decimal(f"{math.floor(exact * 10**digits + Fraction(1, 2))}e-{digits}")


def is_in_minor_units(value: Decimal, currency: str) -> bool:
    """Say whether there are coins for an amount."""
    minor = Fraction(value) * Fraction(10) ** get_currency_precision(currency)
    return minor.denominator == 1


def exact_text(value: Fraction) -> str:
    """Write a number that is not negative to its last digit, or as 7/3 where it has none.

    `Fraction` reads either again.
    """
    digits = max(_times(2, value.denominator), _times(5, value.denominator))
    whole = value * 10**digits
    if whole.denominator != 1:
        return str(value)
    return f"{Decimal(f'{whole.numerator}e-{digits}'):f}"


def _times(factor: int, number: int) -> int:
    """Count how often a number can be divided by a factor."""
    times = 0
    while number % factor == 0:
        number //= factor
        times += 1
    return times
