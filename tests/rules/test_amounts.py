"""Amounts: arithmetic that is read once, and whole counts that every store counts exactly."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.amounts import MAX_AMOUNT, counted, parse_amount, parse_units, shown
from fairuse.rules.expression import Expression
from fairuse.rules.grammar import parse_expression

KIND = '{!r} is no amount; write a number of units, or "1250 * users"'
FOUND = '"{}" is no amount: found {} where a number or a name was expected'
END = '"{}" is no amount: found {} where the end was expected'
NOTHING = '"{}" is no amount: {} means nothing in it'
TOO_MUCH = "{} is more than can be counted exactly (9007199254740991)"
TOO_LONG = "an amount may have 500 characters"
AMOUNTS = {
    "5000": 5_000,
    "0": 0,
    "007": 7,
    " 5 ": 5,
    "5_000": 5_000,
    str(MAX_AMOUNT): MAX_AMOUNT,
    "7".zfill(500): 7,
}
WRONG: dict[str, tuple[object, str]] = {
    "negative": (-1, FOUND.format("-1", '"-"')),
    "negative text": ("-1", FOUND.format("-1", '"-"')),
    "signed": ("+1", FOUND.format("+1", '"+"')),
    "empty": ("", FOUND.format("", "the end")),
    "unlimited": (math.inf, KIND.format(math.inf)),
    "not a number": (math.nan, KIND.format(math.nan)),
    "fraction": (2.5, KIND.format(2.5)),
    "whole float": (5.0, KIND.format(5.0)),
    "decimal": (Decimal(5), KIND.format(Decimal(5))),
    "thousands": ("5,000", END.format("5,000", '","')),
    "spaces inside": ("5 000", END.format("5 000", '"000"')),
    "exponent": ("1e3", END.format("1e3", '"e3"')),
    "hexadecimal": ("0x10", END.format("0x10", '"x10"')),
    "other digits": ("\u0661\u0665", NOTHING.format("\u0661\u0665", "'\u0661'")),
    "true": (True, KIND.format(True)),
    "nothing": (None, KIND.format(None)),
    "list": ([5], KIND.format([5])),
    "bytes": (b"5", KIND.format(b"5")),
    "one too many": (MAX_AMOUNT + 1, TOO_MUCH.format(MAX_AMOUNT + 1)),
    "one too many as text": (str(MAX_AMOUNT + 1), TOO_MUCH.format(MAX_AMOUNT + 1)),
    "a little too much": (f"{MAX_AMOUNT}.5", TOO_MUCH.format(f"{MAX_AMOUNT}.5")),
    "too many bytes": ("9008 TiB", TOO_MUCH.format("9008 TiB")),
    "10^18": (10**18, TOO_MUCH.format(10**18)),
    "10^18 as text": (str(10**18), TOO_MUCH.format(10**18)),
    "500 digits": (10**499, TOO_MUCH.format(10**499)),
    "501 digits": (10**500, TOO_LONG),
    "501 digits as text": ("7".zfill(501), TOO_LONG),
}


@pytest.mark.parametrize(("text", "value"), AMOUNTS.items(), ids=AMOUNTS)
def test_amounts_are_read(text: str, value: int) -> None:
    """An amount is the same as a number and as text, zero and the largest included."""
    assert parse_amount(text).fixed == parse_amount(value).fixed == value


def test_an_amount_may_be_arithmetic() -> None:
    """An amount that is more than a number is no fixed one, and stays as it is written."""
    amount = parse_amount("1250 * users")
    assert (amount.fixed, str(amount)) == (None, "1250 * users")
    assert amount == parse_expression("1250 * users")
    assert parse_amount("2.5").fixed == Fraction(5, 2)


def test_an_amount_that_is_read_stays() -> None:
    """An amount may be given as one, too, where a policy is built in code."""
    amount = parse_expression("1250 * users")
    assert parse_amount(amount) is amount
    assert isinstance(parse_amount(5_000), Expression)


@pytest.mark.parametrize(("value", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_amount(value: object, message: str) -> None:
    """F-27: negative, NaN and inexact amounts stop at the door, and are shown."""
    with pytest.raises(ValueError, match=r"is no amount|is more than|may have") as caught:
        parse_amount(value)
    assert str(caught.value) == message


@given(st.integers(0, MAX_AMOUNT))
def test_amounts_survive_a_double(value: int) -> None:
    """F-27: every amount that is read is the same number as a double (Lua's numbers)."""
    fixed = parse_amount(str(value)).fixed
    assert fixed is not None
    assert int(float(counted(fixed, 0))) == value


COUNTED = {
    "whole": (Fraction(5_000), 0, 5_000),
    "a little less": (Fraction(24_999, 10), 0, 2_499),
    "with decimals": (Fraction(24_999, 10), 1, 24_999),
    "rounded with decimals": (Fraction(1, 3), 2, 33),
    "less than one": (Fraction(1, 4), 0, 1),
    "less than one with decimals": (Fraction(1, 1_000), 2, 1),
    "none": (Fraction(0), 2, 0),
    "less than none": (Fraction(-5), 0, 0),
    "the most": (Fraction(MAX_AMOUNT), 0, MAX_AMOUNT),
    "more than the most": (Fraction(10**400), 6, MAX_AMOUNT),
    "the most with decimals": (Fraction(MAX_AMOUNT), 6, MAX_AMOUNT),
}


@pytest.mark.parametrize(("units", "decimals", "count"), COUNTED.values(), ids=COUNTED)
def test_amounts_are_counted_whole(units: Fraction, decimals: int, count: int) -> None:
    """E17, F-27: an amount is rounded down, something stays something, and no more than fits."""
    assert counted(units, decimals) == count


UNITS: dict[str, tuple[object, int, int]] = {
    "whole": (7, 0, 7),
    "none": (0, 2, 0),
    "text": (" 7 ", 0, 7),
    "float": (2.5, 1, 25),
    "a float that is no binary fraction": (0.1, 1, 1),
    "decimal": (Decimal("2.25"), 2, 225),
    "rounded up": ("2.251", 2, 226),
    "something stays something": ("1e-30", 6, 1),
    "exponent": ("1.5e3", 0, 1_500),
    "the most": (MAX_AMOUNT, 0, MAX_AMOUNT),
    "no less than none": ("-0.0", 0, 0),
}
NO_UNITS: dict[str, object] = {
    "negative": -1,
    "a little negative": "-1e-30",
    "not a number": math.nan,
    "not a number as text": "nan",
    "signalling": "sNaN",
    "unlimited": math.inf,
    "unlimited as text": "-Infinity",
    "one too many": MAX_AMOUNT + 1,
    "a little too many": f"{MAX_AMOUNT}.5",
    "10^18": 10**18,
    "10^18 as float": 1e18,
    "an exponent that overflows": "1e999999",
    "an exponent beyond all": "1e9999999999",
    "words": "many",
    "empty": "",
    "hexadecimal": "0x10",
    "two numbers": "1, 2",
}
NO_NUMBERS: dict[str, object] = {
    "true": True,
    "nothing": None,
    "list": [5],
    "bytes": b"5",
    "a long list": [5] * 100,
}


@pytest.mark.parametrize(("value", "decimals", "count"), UNITS.values(), ids=UNITS)
def test_reported_units_are_read(value: object, decimals: int, count: int) -> None:
    """E37, F-27 (cost 0): what a program says something came to is counted whole, rounded up."""
    assert parse_units(value, decimals) == count


@pytest.mark.parametrize("decimals", [0, 2, 6])
@pytest.mark.parametrize("value", NO_UNITS.values(), ids=NO_UNITS)
def test_what_is_no_number_of_units(value: object, decimals: int) -> None:
    """F-27: negative, NaN and inexact units are refused, and shown."""
    with pytest.raises(ValueError, match="is no number of units") as caught:
        parse_units(value, decimals)
    message = f"{value!r:.40} is no number of units from 0 to 9007199254740991"
    assert str(caught.value) == message


@pytest.mark.parametrize("value", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_is_no_number_at_all(value: object) -> None:
    """F-27: what is neither a number nor a text is no number of units; 40 letters of it show."""
    with pytest.raises(ValueError, match=r"is no number of units$") as caught:
        parse_units(value, 0)
    assert str(caught.value) == f"{repr(value)[:40]} is no number of units"


NUMBERISH = st.text("0123456789.eE+-_ nNaAiIfF") | st.text() | st.floats() | st.integers()


@given(NUMBERISH, st.integers(0, 6))
def test_any_units_are_a_count_or_an_error(value: object, decimals: int) -> None:
    """F-27: whatever a program says, it is an exact count from 0 up or a ValueError."""
    try:
        count = parse_units(value, decimals)
    except ValueError:
        return
    assert 0 <= count == int(float(count))


@given(st.integers(0, MAX_AMOUNT), st.integers(0, 6))
def test_counts_are_shown_as_units(count: int, decimals: int) -> None:
    """What is counted in hundredths is shown in units; whole units stay whole numbers."""
    units = shown(count, decimals)
    assert isinstance(units, float if decimals else int)
    assert units * 10**decimals == pytest.approx(count)
