"""Amounts as a contract writes them, as trees: "1250 * users", "15% of pages", "5 * average".

`grammar.py` reads them, once, into exact fractions; nothing of them is ever run as code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class NotYet(Exception):
    """A figure is not known yet: an average before its first snapshot, a median of no days."""


class Figures(Protocol):
    """What the names in an amount stand for, for one account at one moment."""

    @property
    def packages(self) -> Sequence[Mapping[str, Fraction]]:
        """Give each package of the contract, with its figures and its counts."""
        ...

    def named(self, name: str) -> Fraction:
        """Give another limit's amount, or how many the contract has of something. Raises NotYet."""
        ...

    def average(self) -> Fraction:
        """Give the cohort's average. Raises NotYet."""
        ...

    def own_median(self) -> Fraction:
        """Give the account's own median. Raises NotYet."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """A number; `text` is how the policy writes it."""

    value: Fraction
    text: str


@dataclass(frozen=True, slots=True)
class Named:
    """A count of the contract, a figure of a package, or another limit's amount."""

    name: str


@dataclass(frozen=True, slots=True)
class Average:
    """What the accounts of a cohort use on average."""


@dataclass(frozen=True, slots=True)
class OwnMedian:
    """What the account itself used in half of its earlier windows."""


@dataclass(frozen=True, slots=True)
class Percent:
    """A percentage of something."""

    share: Number
    of: Node


@dataclass(frozen=True, slots=True)
class Operation:
    """Two parts and one of + - * /."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    """One of sum, ceil, floor, min and max."""

    function: str
    parts: tuple[Node, ...]


Node = Number | Named | Average | OwnMedian | Percent | Operation | Call

_SIGNS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Fraction]]] = {
    "ceil": (1, lambda value: Fraction(math.ceil(value))),
    "floor": (1, lambda value: Fraction(math.floor(value))),
    "min": (2, min),
    "max": (2, max),
}
ARGUMENTS = {"sum": 1, **{name: count for name, (count, _) in _FUNCTIONS.items()}}
"""How many arguments each function takes."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An amount as it is written, and the tree it was read into."""

    text: str
    root: Node

    def names(self, *, summed: bool) -> set[str]:
        """Give the names it uses, inside `sum(...)` or outside of it."""
        return {name for name, inside in _named(self.root, inside=False) if inside is summed}

    def uses(self, kind: type[Average | OwnMedian | Percent]) -> bool:
        """Say whether it depends on an average or a median, or holds a percentage."""
        return any(isinstance(node, kind) for node in nodes(self.root))

    @property
    def fixed(self) -> Fraction | None:
        """Give the number, where it is nothing but one."""
        return self.root.value if isinstance(self.root, Number) else None

    def evaluate(self, figures: Figures) -> Fraction:
        """Work it out. Raises NotYet where a figure is not known yet."""
        return _evaluate(self.root, figures, None)

    def __str__(self) -> str:
        return self.text


def nodes(root: Node) -> Iterator[Node]:
    """Give a tree's nodes."""
    yield root
    for part in _parts(root):
        yield from nodes(part)


def _parts(node: Node) -> tuple[Node, ...]:
    match node:
        case Percent():
            return (node.of,)
        case Operation():
            return (node.left, node.right)
        case Call():
            return node.parts
        case _:
            return ()


def _named(node: Node, *, inside: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, Named):
        yield node.name, inside
    inside = inside or (isinstance(node, Call) and node.function == "sum")
    for part in _parts(node):
        yield from _named(part, inside=inside)


def _evaluate(node: Node, figures: Figures, package: Mapping[str, Fraction] | None) -> Fraction:
    match node:
        case Number():
            return node.value
        case Named() if package is not None:
            return package.get(node.name, Fraction(0))
        case Named():
            return figures.named(node.name)
        case Average():
            return figures.average()
        case OwnMedian():
            return figures.own_median()
        case Percent():
            return node.share.value * _evaluate(node.of, figures, package) / 100
        case Operation():
            left = _evaluate(node.left, figures, package)
            return _SIGNS[node.sign](left, _evaluate(node.right, figures, package))
        case Call(function="sum"):
            each = (_evaluate(node.parts[0], figures, held) for held in figures.packages)
            return sum(each, Fraction(0))
    _, function = _FUNCTIONS[node.function]
    return function(*(_evaluate(part, figures, package) for part in node.parts))
