"""Rating: which units are above the amount, and what they cost by the tariff of their day (B19).

Everything is exact: units are whole numbers, prices decimal, sums fractions. A charge is rounded
once, at its end.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.money import to_minor_units
from fairuse.rules.tariffs import tariff_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date
    from decimal import Decimal

    from fairuse.rules.tariffs import Tariff


class Used(NamedTuple):
    """Units that were used, as they are counted, and when (seconds since 1970)."""

    at: float
    units: int


class Above(NamedTuple):
    """Units above the amount; `reading` is the count once they were used."""

    at: float
    units: int
    reading: int


class Line(NamedTuple):
    """Some units at one price: for `per` units each, or once for all of them (None).

    `units` are counts, `from_` is the day the price holds from, `subtotal` is not rounded.
    """

    units: int
    per: int | None
    price: Decimal
    from_: date
    subtotal: Fraction


class Rated(NamedTuple):
    """What units come to, line by line."""

    currency: str
    lines: tuple[Line, ...]

    @property
    def units(self) -> int:
        """Give how many units have a price, as they are counted."""
        return sum(line.units for line in self.lines)

    @property
    def total(self) -> Fraction:
        """Give the exact sum."""
        return sum((line.subtotal for line in self.lines), Fraction(0))

    @property
    def amount(self) -> Decimal:
        """Give the sum as money: rounded half up, once."""
        return to_minor_units(self.total, self.currency)


def as_read(hourly: Iterable[tuple[float, int]], reading: int, starts_at: float) -> list[Used]:
    """Give the hours that make up a window's reading, oldest first.

    The reading says how much was used, the hours only when: what no hour knows of came first, and
    what they know beyond the reading, such as use from before a contract was measured, is left out.
    """
    left, found = reading, []
    for hour, units in sorted(hourly, reverse=True):
        taken = min(max(units, 0), left)
        left -= taken
        if taken:
            found.append(Used(max(hour, starts_at), taken))
    if left:
        found.append(Used(starts_at, left))
    return found[::-1]


def read_at(hourly: Iterable[tuple[float, int]], reading: int, moment: float) -> int:
    """Give the count at the end of the hour of a moment, by the hours of a window's reading.

    Usage may be told late: an hour knows more in the end than was counted when it was over (P5).
    What is left out of the reading is left out as in `as_read`: the oldest first.
    """
    used = [(hour, max(units, 0)) for hour, units in hourly]
    left_out = max(0, sum(units for _, units in used) - reading)
    return max(0, sum(units for hour, units in used if hour <= moment) - left_out)


def units_above(
    used: Iterable[Used], amount: Callable[[float], int], free_until: int = 0
) -> Iterator[Above]:
    """Give the units above the amount that was in force when they were used (E10).

    None of those up to the reading `free_until` is (P5). What was above an amount is charged once:
    it uses up nothing of a larger amount that was bought after it.
    """
    reading = charged = 0
    for at, units in used:
        before, reading = reading, reading + units
        fresh = reading - max(before, free_until)
        over = min(fresh, reading - charged - amount(at))
        if over > 0:
            charged += over
            yield Above(at, over, reading)


class _Priced(NamedTuple):
    """What tells one line from another."""

    price: Decimal
    per: int | None
    from_: date


def rate(
    tariffs: Sequence[Tariff], used: Iterable[tuple[date, int]], one: int, before: int = 0
) -> Rated | None:
    """Give what units above the amount come to, oldest first, each by the tariff of its day.

    `one` is how many counts make one unit, `before` how many units above the amount came before
    these: tiers count from the amount on. Units of days without a price cost nothing; None where
    none has one. A charge has one currency, so a price in another one waits for the next window.
    """
    currency, lines = "", dict[_Priced, int]()
    for day, units in used:
        tariff = tariff_on([each for each in tariffs if currency in ("", each.currency)], day)
        if tariff is not None:
            currency = tariff.currency
            for priced, part in _parts(tariff, before, units, one):
                known = _flat(lines) if priced.per is None else None
                lines[known or priced] = lines.get(known or priced, 0) + part
        before += units
    if not lines:
        return None
    return Rated(currency, tuple(_line(priced, units, one) for priced, units in lines.items()))


def _parts(tariff: Tariff, before: int, units: int, one: int) -> Iterator[tuple[_Priced, int]]:
    """Divide units by the tiers they fall in."""
    if tariff.flat is not None:
        yield _Priced(tariff.flat.value, None, tariff.from_), units
    for tier in tariff.graduated:
        part = units if tier.up_to is None else min(units, tier.up_to * one - before)
        if part > 0:
            yield _Priced(tier.price.value, tier.per, tariff.from_), part
            before += part
            units -= part


def _flat(lines: Iterable[_Priced]) -> _Priced | None:
    """Find the flat amount that is charged already: a window has one at most."""
    return next((priced for priced in lines if priced.per is None), None)


def _line(priced: _Priced, units: int, one: int) -> Line:
    price, per, from_ = priced
    subtotal = Fraction(price) if per is None else Fraction(units, one * per) * Fraction(price)
    return Line(units, per, price, from_, subtotal)
