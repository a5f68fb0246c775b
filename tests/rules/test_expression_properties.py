"""Amounts as arithmetic, of any shape and size: exact, bounded, and never run as code."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tests.rules.support import KNOWN

from fairuse.rules.amounts import MAX_AMOUNT, counted, parse_amount
from fairuse.rules.expression import (
    Average,
    Call,
    Named,
    Node,
    NotYet,
    Number,
    Operation,
    OwnMedian,
    Percent,
    nodes,
)
from fairuse.rules.grammar import BYTES, MAX_DEPTH, MAX_TEXT, parse_expression

if TYPE_CHECKING:
    from collections.abc import Callable

ZERO = Fraction(0)
COUNTS = {**KNOWN.names, "packs": Fraction(7), "included": Fraction(2_750)}
ALL_KNOWN = replace(KNOWN, names=COUNTS)
WHOLE = st.integers(0, 10**6).map(lambda number: Number(Fraction(number), str(number)))
PARTS = st.decimals(0, 1_000, places=3).map(lambda part: Number(Fraction(part), str(part)))
SIZED = st.builds(
    lambda number, unit: Number(Fraction(number) * BYTES[unit], f"{number} {unit}"),
    st.integers(0, 999),
    st.sampled_from(sorted(BYTES)),
)
SHARES = WHOLE | PARTS
NUMBERS = SHARES | SIZED
NAMES = st.sampled_from(sorted(COUNTS)).map(Named)
LEAVES = NUMBERS | NAMES | st.just(Average()) | st.just(OwnMedian())


def _deeper(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(Percent, SHARES, inner),
        st.builds(Operation, st.sampled_from("+-*"), inner, inner),
        st.builds(Operation, st.just("/"), inner, NUMBERS.filter(lambda number: number.value > 0)),
        st.builds(
            lambda name, one: Call(name, (one,)), st.sampled_from(["sum", "ceil", "floor"]), inner
        ),
        st.builds(
            lambda name, *two: Call(name, two), st.sampled_from(["min", "max"]), inner, inner
        ),
    )


TREES = st.recursive(LEAVES, _deeper, max_leaves=12)


def _written(node: Node, level: int = 1) -> str:
    """Write a tree with the brackets it needs: a sum is 1, a product 2, what binds closest 3."""
    match node:
        case Number():
            return node.text
        case Named():
            return node.name
        case Average():
            return "average"
        case OwnMedian():
            return "own median"
        case Percent():
            return f"{node.share.text}% of {_written(node.of, 3)}"
        case Call():
            return f"{node.function}({', '.join(map(_written, node.parts))})"
    own = 1 if node.sign in "+-" else 2
    text = f"{_written(node.left, own)} {node.sign} {_written(node.right, own + 1)}"
    return f"({text})" if own < level else text


PYTHONS: dict[str, Callable[..., Fraction]] = {
    "ceil": math.ceil,
    "floor": math.floor,
    "min": min,
    "max": max,
}


def _worth(node: Node, package: dict[str, Fraction] | None = None) -> Fraction:
    """Work a tree out with Python's own arithmetic."""
    match node:
        case Number():
            return node.value
        case Named():
            return (COUNTS if package is None else package).get(node.name, ZERO)
        case Average():
            return KNOWN.average()
        case OwnMedian():
            return KNOWN.own_median()
        case Percent():
            return _worth(node.of, package) * node.share.value / 100
        case Operation():
            operands = {"a": _worth(node.left, package), "b": _worth(node.right, package)}
            worth: Fraction = eval(f"a {node.sign} b", {}, operands)  # noqa: S307
            return worth
        case Call(function="sum"):
            return sum((_worth(node.parts[0], dict(held)) for held in KNOWN.packages), ZERO)
    worked_out = [_worth(part, package) for part in node.parts]
    return Fraction(PYTHONS[node.function](*worked_out))


@settings(max_examples=500)
@given(TREES, st.sampled_from([" ", "  ", "\n", "\t "]))
def test_an_amount_reads_as_it_is_written(tree: Node, gap: str) -> None:
    """E04, E15-E17 (formulas): whatever is written with the brackets it needs is read like that."""
    text = _written(tree).replace(" ", gap)
    assume(len(text) <= MAX_TEXT)
    amount = parse_expression(text)
    assert amount.root == tree
    assert amount.evaluate(ALL_KNOWN) == _worth(tree)


@given(TREES, st.integers(0, 6))
def test_any_amount_is_a_count(tree: Node, decimals: int) -> None:
    """F-27: whatever an amount comes to, negative or huge, it is counted exactly, from 0 up."""
    text = _written(tree)
    assume(len(text) <= MAX_TEXT)
    units = parse_expression(text).evaluate(ALL_KNOWN)
    count = counted(units, decimals)
    assert 0 <= count <= MAX_AMOUNT
    assert count == int(float(count))
    assert (count == 0) == (units <= 0)


TOKENS = [
    "5", "0", "2.5", "users", "own", "median", "own median", "average", "of", "% of", "%", "sum(",
    "min(", "ceil(", "(", ")", ",", "+", "-", "*", "/", " ", "GB", "kB", "_", ".", "\n", "sum",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(TOKENS), max_size=40).map("".join) | st.text()


@given(TEXTS)
@example("(" * MAX_TEXT)
@example("1% of " * 80)
@example("5-" * 250)
@example("sum(" * 125)
@example("\udc80")
@example("9" * MAX_TEXT + "\n")
def test_any_text_is_an_amount_or_an_error(text: str) -> None:
    """F-27, F-50: any text at all is an amount that can be worked out, or a ValueError."""
    try:
        amount = parse_amount(text)
    except ValueError:
        return
    assert str(amount) == text
    try:
        assert isinstance(amount.evaluate(KNOWN), Fraction)
    except NotYet:
        assert amount.names(summed=False) - KNOWN.names.keys()


@pytest.mark.parametrize(("text", "fixed"), {
    "5000": 5_000, "(5000)": 5_000, "1 GB": 10**9, "2 + 3": None, "users": None, "5% of 100": None,
}.items())  # fmt: skip
def test_what_is_nothing_but_a_number(text: str, fixed: int | None) -> None:
    """A fixed amount is a number as it is written; arithmetic is none, also of numbers alone."""
    assert parse_expression(text).fixed == fixed


def test_a_text_is_bounded() -> None:
    """F-27 (huge): an amount has 500 characters at most, however it is made up."""
    assert parse_expression("9" * MAX_TEXT).fixed == int("9" * MAX_TEXT)
    with pytest.raises(ValueError, match=r"^an amount may have 500 characters$"):
        parse_expression("9" * (MAX_TEXT + 1))


DEEP = {"brackets": ("(", ")"), "percentages": ("1% of ", ""), "calls": ("ceil(", ")")}


@pytest.mark.parametrize(("opened", "closed"), DEEP.values(), ids=DEEP)
def test_nesting_is_bounded(opened: str, closed: str) -> None:
    """F-27 (huge): an amount may be nested 20 deep; a deeper one is an error and no overflow."""
    most = MAX_DEPTH - 1
    assert parse_expression(opened * most + "users" + closed * most).evaluate(KNOWN) > 0
    with pytest.raises(ValueError, match=r"^an amount may be nested 20 deep$"):
        parse_expression(opened * MAX_DEPTH + "users" + closed * MAX_DEPTH)


def test_a_long_row_is_no_nesting() -> None:
    """F-27 (huge): the longest row of sums that fits is worked out, compared and shown."""
    text = "+".join("1" * (MAX_TEXT // 2))
    amount = parse_expression(text)
    assert amount.evaluate(KNOWN) == MAX_TEXT // 2
    assert len(list(nodes(amount.root))) == MAX_TEXT - 1 < sys.getrecursionlimit()
    assert amount == parse_expression(text)
    assert hash(amount) == hash(parse_expression(text))
