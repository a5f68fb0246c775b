"""Amounts as arithmetic: what they mean, and the exact words where they mean nothing."""

from __future__ import annotations

from fractions import Fraction

import pytest
from tests.rules.support import KNOWN, Known

from fairuse.rules.expression import Average, NotYet, OwnMedian, Percent, nodes
from fairuse.rules.grammar import BYTES, parse_expression

MEANS: dict[str, int | Fraction] = {
    "5000": 5_000,
    "0": 0,
    "007": 7,
    "5_000": 5_000,
    "2.5": Fraction(5, 2),
    "1_000.25": Fraction(4_001, 4),
    "users": 7,
    "on-demand-pages": 10,
    "1250 * users": 8_750,
    "1250*users": 8_750,
    " \t1250\n* users ": 8_750,
    "2 + 3 * 4": 14,
    "2 * 3 + 4": 10,
    "(2 + 3) * 4": 20,
    "10 - 3 - 2": 5,
    "10 - (3 - 2)": 9,
    "100 / 5 / 2": 10,
    "100 / 5 * 2": 40,
    "100 / (5)": 20,
    "1 / 3": Fraction(1, 3),
    "3 - 10": -7,
    "users - 3": 4,
    "users -3": 4,
    "15% of pages": 1_875,
    "15 % of pages": 1_875,
    "0.1% of pages": Fraction(25, 2),
    "15% of pages * 2": 3_750,
    "15% of (pages * 2)": 3_750,
    "15% of pages + 1": 1_876,
    "2 * 15% of pages": 3_750,
    "15% of 10% of pages": Fraction(375, 2),
    "5% of 100": 5,
    "200% of users": 14,
    "average": Fraction(100, 3),
    "5 * average": Fraction(500, 3),
    "own median": 42,
    "10 * own   median": 420,
    "sum(packs)": 7,
    "sum(included * packs)": 10_000,
    "sum(included * users)": 2_500,
    "2 * sum(packs) + users": 21,
    "sum(1)": 3,
    "sum(unheard-of)": 0,
    "sum(10% of packs)": Fraction(7, 10),
    "sum(max(packs, 2) - 1)": 6,
    "sum(ceil(packs / 2))": 4,
    "sum(average) / 10": 10,
    "ceil(5% of users)": 1,
    "ceil(7)": 7,
    "floor(average)": 33,
    "floor(1 - 1.5)": -1,
    "min(users, 5)": 5,
    "max(users, 5)": 7,
    "max(min(users, 5), 6) + 1": 7,
    "ceil(sum(included) / 100)": 28,
}


@pytest.mark.parametrize(("text", "value"), MEANS.items(), ids=map(repr, MEANS))
def test_what_amounts_mean(text: str, value: int | Fraction) -> None:
    """E04, E15-E17 (formulas): arithmetic with its usual precedence, exact to the last fraction."""
    amount = parse_expression(text)
    assert amount.evaluate(KNOWN) == value
    assert str(amount) == text


SIZES = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
         "TiB": 2**40}  # fmt: skip


@pytest.mark.parametrize(("unit", "size"), SIZES.items())
def test_bytes_have_units(unit: str, size: float) -> None:
    """E22: 1 GB is 10^9 bytes and 1 GiB is 2^30; a number with its unit is a number."""
    assert SIZES.keys() == BYTES.keys()
    assert parse_expression(f"1.5 {unit}").fixed == Fraction(3 * int(size), 2)
    assert parse_expression(f"2{unit} + 1").evaluate(KNOWN) == 2 * int(size) + 1


def test_storage_of_three_solutions() -> None:
    """E22: a solution with Collaborative has 1 GB and two without have 500 MB each: 2 GB."""
    packages = [{"storage": Fraction(10**9)}, *[{"storage": Fraction(5 * 10**8)}] * 2]
    assert parse_expression("sum(storage)").evaluate(Known(packages=packages)) == 2 * 10**9


def test_parallel_requests_of_the_users() -> None:
    """E11: 5 % of 100 aggregated users are 5 requests at the same time; of one user, 1."""
    for users, parallel in ((100, 5), (101, 6), (20, 1), (1, 1)):
        known = Known(packages=[{"users": Fraction(users - 1)}, {"users": Fraction(1)}])
        assert parse_expression("ceil(5% of sum(users))").evaluate(known) == parallel


@pytest.mark.parametrize("text", ["average", "own median", "pages", "min(1, 2 * average)"])
def test_what_is_not_known_yet(text: str) -> None:
    """B21: an amount of which a figure is not known yet is no number, and not 0."""
    with pytest.raises(NotYet):
        parse_expression(text).evaluate(Known())
    assert parse_expression("sum(packs)").evaluate(Known()) == 0


def test_an_amount_knows_what_it_uses() -> None:
    """An amount says which names it uses, inside a sum or outside, and what it depends on."""
    amount = parse_expression("min(15% of pages, sum(included * packs) + users) - average")
    assert amount.names(summed=False) == {"pages", "users"}
    assert amount.names(summed=True) == {"included", "packs"}
    assert [amount.uses(kind) for kind in (Average, OwnMedian, Percent)] == [True, False, True]
    assert len(list(nodes(amount.root))) == 11
    assert parse_expression("own median").uses(OwnMedian)


VALUE = "a number or a name"
END = "the end"
WRONG = {
    "": (END, VALUE),
    "  ": (END, VALUE),
    "-1": ('"-"', VALUE),
    "* 5": ('"*"', VALUE),
    "5 *": (END, VALUE),
    "5 + + 5": ('"+"', VALUE),
    "5 5": ('"5"', END),
    "5 users": ('"users"', END),
    "5 kb": ('"kb"', END),
    "1e3": ('"e3"', END),
    "users 5": ('"5"', END),
    "5,000": ('","', END),
    "5)": ('")"', END),
    "(5": (END, '")"'),
    "()": ('")"', VALUE),
    "15%": (END, '"of"'),
    "15% pages": ('"pages"', '"of"'),
    "15% of": (END, VALUE),
    "15 % % of pages": ('"%"', '"of"'),
    "users % of pages": ('"%"', END),
    "5 MB % of pages": ('"%"', END),
    "own": (END, '"median"'),
    "own average": ('"average"', '"median"'),
    "median": ('"median"', VALUE),
    "of": ('"of"', VALUE),
    "average users": ('"users"', END),
    "sum": (END, '"("'),
    "sum packs": ('"packs"', '"("'),
    "sum()": ('")"', VALUE),
    "sum(1, 2)": ('","', '")"'),
    "ceil(": (END, VALUE),
    "min(1)": ('")"', '","'),
    "max(1, 2, 3)": ('","', '")"'),
    "users()": ('"("', END),
    "2(3)": ('"("', END),
    "users - ": (END, VALUE),
    "-a": ('"-"', VALUE),
    "a--b": ('"-"', VALUE),
    "2 ** 3": ('"*"', VALUE),
    "5 // 2": ('"/"', VALUE),
}


@pytest.mark.parametrize(
    ("text", "found", "wanted"), [(text, *said) for text, said in WRONG.items()]
)
def test_what_is_no_amount(text: str, found: str, wanted: str) -> None:
    """F-50 (words): an amount that can't be read says what it found, and what was expected."""
    with pytest.raises(ValueError, match="is no amount") as caught:
        parse_expression(text)
    assert str(caught.value) == f'"{text}" is no amount: found {found} where {wanted} was expected'


LETTERS = {
    "5 & 3": "'&'",
    "5.": "'.'",
    ".5": "'.'",
    "users!": "'!'",
    "a__b": "'_'",
    "__import__('os')": "'_'",
    "\u0661": "'\u0661'",
    "5\x00": "'\\x00'",
    "5 \u2212 3": "'\u2212'",
}


@pytest.mark.parametrize(("text", "letter"), LETTERS.items(), ids=map(repr, LETTERS))
def test_letters_that_mean_nothing(text: str, letter: str) -> None:
    """F-50 (words): letters that are no part of the language are shown, and nothing is run."""
    with pytest.raises(ValueError, match="means nothing") as caught:
        parse_expression(text)
    assert str(caught.value) == f'"{text}" is no amount: {letter} means nothing in it'


@pytest.mark.parametrize("text", ["5 / 0", "5 / users", "5 / (2 - 2)", "5 / average", "5 / 0.0"])
def test_only_numbers_divide(text: str) -> None:
    """An amount can't become infinite: only a number other than 0 divides."""
    with pytest.raises(ValueError, match="may divide") as caught:
        parse_expression(text)
    assert str(caught.value) == f'"{text}" may divide by a number that is not 0 only'
