"""Reads amounts.

sum     = product { ("+" | "-") product }
product = factor { ("*" | "/") factor }
factor  = number "%" "of" factor | number [bytes] | "average" | "own median" | name
| ("sum" | "ceil" | "floor") "(" sum ")" | ("min" | "max") "(" sum "," sum ")"
| "(" sum ")"
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from fairuse.rules.expression import (
    ARGUMENTS,
    Average,
    Call,
    Expression,
    Named,
    Number,
    Operation,
    OwnMedian,
    Percent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairuse.rules.expression import Node

MAX_TEXT = 500
MAX_DEPTH = 20

BYTES = {
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
WORDS = ("average", "own", "median", "of", "sum", "ceil", "floor", "min", "max")
"""Words of the language, which no count and no limit may be called."""

_TOKEN = re.compile(
    r"(?P<number>[0-9][0-9_]*(?:\.[0-9]+)?)|(?P<name>[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)"
    r"|(?P<sign>[-+*/%(),])"
)


def parse_expression(text: str) -> Expression:
    """Read an amount. Raises ValueError that says what was expected where."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"an amount may have {MAX_TEXT} characters")
    return Expression(text, _Reader(text).whole())


class _Reader:
    """Reads words from the left, one method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._depth = 0

    def whole(self) -> Node:
        root = self._sum()
        if self._tokens:
            raise self._unexpected("the end")
        return root

    def _sum(self) -> Node:
        return self._chain("+-", self._product)

    def _product(self) -> Node:
        return self._chain("*/", self._factor)

    def _chain(self, signs: str, part: Callable[[], Node]) -> Node:
        left = part()
        while self._next() and self._next() in signs:
            sign = self._tokens.pop(0)
            right = part()
            if sign == "/" and not (isinstance(right, Number) and right.value):
                raise ValueError(f'"{self._text}" may divide by a number that is not 0 only')
            left = Operation(sign, left, right)
        return left

    def _factor(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"an amount may be nested {MAX_DEPTH} deep")
        try:
            return self._one()
        finally:
            self._depth -= 1

    def _one(self) -> Node:
        word = self._take("a number or a name")
        if word[0].isdigit():
            return self._number(word)
        if word == "(":
            return self._until_closed(self._sum())
        if word == "average":
            return Average()
        if word == "own":
            self._expect("median")
            return OwnMedian()
        if word in ARGUMENTS:
            return self._call(word)
        if word in WORDS or not word[0].isalpha():
            self._tokens.insert(0, word)
            raise self._unexpected("a number or a name")
        return Named(word)

    def _number(self, text: str) -> Node:
        value = Fraction(text.replace("_", ""))
        if self._next() == "%":
            self._tokens.pop(0)
            self._expect("of")
            return Percent(Number(value, text), self._factor())
        if (unit := self._next()) in BYTES:
            self._tokens.pop(0)
            return Number(value * BYTES[unit], f"{text} {unit}")
        return Number(value, text)

    def _call(self, function: str) -> Node:
        self._expect("(")
        wanted = ARGUMENTS[function]
        parts = [self._sum()]
        while len(parts) < wanted:
            self._expect(",")
            parts.append(self._sum())
        return self._until_closed(Call(function, tuple(parts)))

    def _until_closed(self, node: Node) -> Node:
        self._expect(")")
        return node

    def _expect(self, word: str) -> None:
        if self._next() != word:
            raise self._unexpected(f'"{word}"')
        self._tokens.pop(0)

    def _take(self, wanted: str) -> str:
        if not self._tokens:
            raise self._unexpected(wanted)
        return self._tokens.pop(0)

    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _unexpected(self, wanted: str) -> ValueError:
        found = f'"{self._tokens[0]}"' if self._tokens else "the end"
        return ValueError(f'"{self._text}" is no amount: found {found} where {wanted} was expected')


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _TOKEN.match(text, position)
        if not found:
            raise ValueError(f'"{text}" is no amount: {text[position]!r} means nothing in it')
        yield found[0]
        position = found.end()
