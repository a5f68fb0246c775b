"""Amounts: whole numbers of units that every store counts exactly."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.amounts import MAX_AMOUNT, parse_amount

NO_AMOUNT = "{!r} is no amount; write a whole number of units, 0 or more"
TOO_MUCH = "{} is more than can be counted exactly (9007199254740991)"
AMOUNTS = {
    "5000": 5_000,
    "0": 0,
    "007": 7,
    str(MAX_AMOUNT): MAX_AMOUNT,
    "7".zfill(100): 7,
}
WRONG: dict[str, tuple[object, str]] = {
    "negative": (-1, NO_AMOUNT),
    "negative text": ("-1", NO_AMOUNT),
    "signed": ("+1", NO_AMOUNT),
    "empty": ("", NO_AMOUNT),
    "words": ("many", NO_AMOUNT),
    "unlimited": (math.inf, NO_AMOUNT),
    "not a number": (math.nan, NO_AMOUNT),
    "nan as text": ("nan", NO_AMOUNT),
    "fraction": (2.5, NO_AMOUNT),
    "whole float": (5.0, NO_AMOUNT),
    "fraction as text": ("2.5", NO_AMOUNT),
    "thousands": ("5,000", NO_AMOUNT),
    "underscore": ("5_000", NO_AMOUNT),
    "exponent": ("1e3", NO_AMOUNT),
    "hexadecimal": ("0x10", NO_AMOUNT),
    "spaces": (" 5", NO_AMOUNT),
    "line feed": ("5000\n", NO_AMOUNT),
    "other digits": ("\u0661\u0665", NO_AMOUNT),
    "true": (True, NO_AMOUNT),
    "nothing": (None, NO_AMOUNT),
    "list": ([5], NO_AMOUNT),
    "bytes": (b"5", NO_AMOUNT),
    "one too many": (MAX_AMOUNT + 1, TOO_MUCH),
    "one too many as text": (str(MAX_AMOUNT + 1), TOO_MUCH),
    "10^18": (10**18, TOO_MUCH),
    "10^18 as text": (str(10**18), TOO_MUCH),
    "100 digits": (10**99, TOO_MUCH),
    "100 digits as text": (str(10**99), TOO_MUCH),
    "101 digits": (10**100, NO_AMOUNT),
    "101 digits as text": ("7".zfill(101), NO_AMOUNT),
}


@pytest.mark.parametrize(("text", "value"), AMOUNTS.items(), ids=AMOUNTS)
def test_amounts_are_read(text: str, value: int) -> None:
    """An amount is the same as a number and as text, zero and the largest included."""
    assert parse_amount(text) == parse_amount(value) == value


@pytest.mark.parametrize(("value", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_amount(value: object, message: str) -> None:
    """F-27: negative, NaN, fractional and inexact amounts stop at the door, and are shown."""
    with pytest.raises(ValueError, match=r"is no amount|is more than") as caught:
        parse_amount(value)
    assert str(caught.value) == message.format(value)


@given(st.integers(0, MAX_AMOUNT))
def test_amounts_survive_a_double(value: int) -> None:
    """F-27: every amount that is read is the same number as a double (Lua's numbers)."""
    assert int(float(parse_amount(str(value)))) == value
