"""Money: exact until the end, and then rounded half up to what there are coins for."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.money import exact_text, is_in_minor_units, to_minor_units

ROUNDED = {
    ("EUR", "0.005"): "0.01",
    ("EUR", "0.0049999"): "0.00",
    ("EUR", "2.675"): "2.68",
    ("EUR", "1/3"): "0.33",
    ("EUR", "2/3"): "0.67",
    ("JPY", "0.5"): "1",
    ("JPY", "1234.4"): "1234",
    ("BHD", "0.0005"): "0.001",
    ("EUR", "12345678901234567890123456789012.345"): "12345678901234567890123456789012.35",
}


@pytest.mark.parametrize(("exact", "money"), ROUNDED.items(), ids=map(" ".join, ROUNDED))
def test_money_is_rounded_half_up_to_its_coins(exact: tuple[str, str], money: str) -> None:
    """D15, E36: two digits for the euro, none for the yen, three for the dinar, of any size."""
    currency, value = exact
    assert f"{to_minor_units(Fraction(value), currency):f}" == money


def test_what_there_are_coins_for() -> None:
    """C20: an amount to be paid has no smaller part than its currency."""
    assert is_in_minor_units(Decimal("12.50"), "EUR")
    assert is_in_minor_units(Decimal("12.500"), "EUR")
    assert not is_in_minor_units(Decimal("12.505"), "EUR")
    assert not is_in_minor_units(Decimal("12.5"), "JPY")


EXACT = {
    Fraction(0): "0",
    Fraction(55): "55",
    Fraction(1, 20): "0.05",
    Fraction(11, 200_000_000): "0.000000055",
    Fraction(7, 3): "7/3",
    Fraction(10**40 + 1, 8): "1250000000000000000000000000000000000000.125",
}


@pytest.mark.parametrize(("value", "text"), EXACT.items(), ids=map(str, EXACT))
def test_a_number_is_written_to_its_last_digit(value: Fraction, text: str) -> None:
    """A21: a sum is written as decimals where they end, and as a fraction where they don't."""
    assert exact_text(value) == text


@given(st.fractions(min_value=0))
def test_nothing_is_lost_in_writing(value: Fraction) -> None:
    """A21: what is written of a sum is read as the same sum again."""
    assert Fraction(exact_text(value)) == value


@given(st.fractions(min_value=0, max_value=10**40), st.sampled_from(["EUR", "JPY", "BHD"]))
def test_rounding_moves_by_half_a_coin_at_most(value: Fraction, currency: str) -> None:
    """D15: an amount is within half of the smallest coin of its sum, and never negative."""
    money = to_minor_units(value, currency)
    coin = {"EUR": Fraction(1, 100), "JPY": Fraction(1), "BHD": Fraction(1, 1_000)}[currency]
    assert -coin / 2 < Fraction(money) - value <= coin / 2
    assert money >= 0
    assert is_in_minor_units(money, currency)
