"""A suggestion of an amount, from three inputs: size, comparable customers, system load (D09).

It is arithmetic that a person looks at, and nothing takes it up by itself. What the account needs
is its busiest month with some room to grow, or what customers like it use, whichever is more. The
platform has room for as much more than the account uses as it has carried before; what customers
of that size use anyway is never held against it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

GROWTH = Fraction(120, 100)
"""How much more than its busiest month an account may need."""
DIGITS = 2
"""An amount is rounded up to so many digits: nobody agrees on 1,237."""


class Size(NamedTuple):
    """How large an account is: how many of what (1 account, 4 users), and its packages."""

    number: int
    of: str
    packages: str


class Comparable(NamedTuple):
    """What `n` other customers with the same packages use a month, for each one of the size."""

    n: int
    average: Fraction


class Load(NamedTuple):
    """What the account and everybody together used, in counted units, the latest month first."""

    own: tuple[int, ...]
    whole: tuple[int, ...]

    @property
    def busiest(self) -> int:
        """Give the account's own busiest month."""
        return max(self.own, default=0)

    @property
    def usual(self) -> Fraction:
        """Give what the account uses in a month on average."""
        return _mean(self.own)

    @property
    def share(self) -> Fraction:
        """Give the share of the whole that the account takes."""
        return Fraction(sum(self.own), sum(self.whole)) if any(self.whole) else Fraction(0)

    @property
    def free(self) -> int:
        """Give how far below its busiest month the whole was in the latest one."""
        return max(self.whole, default=0) - (self.whole[0] if self.whole else 0)


class Suggestion(NamedTuple):
    """An amount to agree on, in counted units, with the steps to it."""

    by_size: int
    need: int
    room: int
    amount: int


def suggest(size: Size, comparable: Comparable | None, load: Load, one: int) -> Suggestion | None:
    """Work out an amount; `one` is how many counts make a unit. None where no use is known."""
    by_size = math.ceil(comparable.average * size.number) if comparable is not None else 0
    need = math.ceil(load.busiest * GROWTH)
    room = math.ceil(load.usual) + load.free
    amount = min(max(need, by_size), max(room, by_size, load.busiest))
    return Suggestion(by_size, need, room, _round_up(amount, one)) if amount > 0 else None


def _round_up(amount: int, one: int) -> int:
    """Round up to a whole number of units with few digits."""
    units = math.ceil(Fraction(amount, one))
    step: int = 10 ** max(0, len(str(units)) - DIGITS)
    return math.ceil(Fraction(units, step)) * step * one


def _mean(values: Sequence[int]) -> Fraction:
    return Fraction(sum(values), len(values)) if values else Fraction(0)
