"""Tariffs: what a unit costs, in which currency, and from which day on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import wrong

from fairuse.rules.tariffs import Price, Tariff, tariff_on

if TYPE_CHECKING:
    from collections.abc import Sequence


PRICES = {
    "EUR 0.05": Price("EUR", Decimal("0.05")),
    "EUR 0.00000001": Price("EUR", Decimal("0.00000001")),
    "USD 12": Price("USD", Decimal(12)),
    "CHF 0": Price("CHF", Decimal(0)),
    "JPY 123456789012.5": Price("JPY", Decimal("123456789012.5")),
}


@pytest.mark.parametrize(("text", "price"), PRICES.items(), ids=PRICES)
def test_prices_are_read(text: str, price: Price) -> None:
    """E36: a price is a currency and a decimal number, kept to the last digit and written so."""
    read = Tariff.model_validate({"price": text})
    assert (read.price, read.from_) == (price, date.min)
    assert str(read.price) == text


def test_a_price_that_is_read_stays() -> None:
    """E36: a price may be given as one, too, where a contract is built in code."""
    price = Price("EUR", Decimal("0.1"))
    assert Tariff.model_validate({"price": price}).price is price


NO_PRICE = '{!r} is no price; write it like "EUR 0.05"'
WRONG: dict[object, str] = {
    "": NO_PRICE,
    "0.05": NO_PRICE,
    "0.05 EUR": NO_PRICE,
    "EUR": NO_PRICE,
    "EUR 0,05": NO_PRICE,
    "EUR -0.05": NO_PRICE,
    "EUR .05": NO_PRICE,
    "EUR 5.": NO_PRICE,
    "EUR 1e3": NO_PRICE,
    "EUR nan": NO_PRICE,
    "EUR  5": NO_PRICE,
    "EUR 5\n": NO_PRICE,
    "eur 5": NO_PRICE,
    "\u20ac 5": NO_PRICE,
    "EUR \u0665": NO_PRICE,
    "EUR 0.000000001": NO_PRICE,
    0.05: NO_PRICE,
    5: NO_PRICE,
    "EUX 5": 'there is no currency "EUX"; write a code of ISO 4217, like EUR',
}


@pytest.mark.parametrize(("value", "message"), WRONG.items(), ids=map(repr, WRONG))
def test_what_is_no_price(value: object, message: str) -> None:
    """E36, F-27: money without a currency, in another notation or as a float is an error."""
    assert wrong(Tariff, {"price": value}) == [f"price: {message.format(value)}"]


def _price_on(tariffs: Sequence[Tariff], day: date) -> Price | None:
    """Give the price of the tariff in force on a day."""
    tariff = tariff_on(tariffs, day)
    return tariff.price if tariff is not None else None


def _tariff(price: str, day: date | None = None) -> Tariff:
    table: dict[str, Any] = {"price": price}
    return Tariff.model_validate(table | ({"from": day} if day else {}))


ORDER = [
    _tariff("EUR 0.06", date(2027, 1, 1)),
    _tariff("EUR 0.04", date(2025, 1, 1)),
    _tariff("USD 0.05", date(2026, 1, 1)),
]
DAYS = {
    date(2024, 12, 31): None,
    date(2025, 1, 1): "EUR 0.04",
    date(2025, 12, 31): "EUR 0.04",
    date(2026, 1, 1): "USD 0.05",
    date(2026, 12, 31): "USD 0.05",
    date(2027, 1, 1): "EUR 0.06",
    date(2099, 1, 1): "EUR 0.06",
}


@pytest.mark.parametrize(("day", "price"), DAYS.items(), ids=map(str, DAYS))
def test_a_price_holds_from_its_day(day: date, price: str | None) -> None:
    """E36, B19 (tariff at event time): each day has the price begun last, in any order written."""
    found = _price_on(ORDER, day)
    assert (found and str(found)) == price
    assert _price_on(ORDER[::-1], day) == found


def test_a_price_without_a_day_always_held() -> None:
    """E36: one price without a day holds from the first day there is; later ones replace it."""
    prices = [_tariff("EUR 0.05"), _tariff("EUR 0.07", date(2026, 7, 1))]
    assert str(_price_on(prices, date.min)) == "EUR 0.05"
    assert str(_price_on(prices, date(2026, 6, 30))) == "EUR 0.05"
    assert str(_price_on(prices, date(2026, 7, 1))) == "EUR 0.07"
    assert _price_on([], date(2026, 7, 1)) is None


def test_a_price_may_be_of_many_units() -> None:
    """E36 (storage): a price is one of a unit, or of as many as the order says."""
    assert _tariff("EUR 0.05").per == 1
    assert Tariff.model_validate({"price": "EUR 10", "per": 10**9}).per == 10**9
    for per in (0, -1):
        message = "per: Input should be greater than or equal to 1"
        assert wrong(Tariff, {"price": "EUR 10", "per": per}) == [message]


@given(st.lists(st.dates(), unique=True, max_size=10), st.dates(), st.dates())
def test_a_new_price_changes_no_earlier_day(begun: list[date], new: date, day: date) -> None:
    """P7, E36: a price added from a day on leaves the price of every earlier day as it was."""
    prices = [_tariff(f"EUR {number}", first) for number, first in enumerate(begun)]
    before, after = _price_on(prices, day), _price_on([*prices, _tariff("EUR 99", new)], day)
    later = [first for first in begun if new < first <= day]
    if day < new or later or new in begun:
        assert after == before
    else:
        assert str(after) == "EUR 99"


TIERS = [{"price": "EUR 0.05", "up_to": 1_000}, {"price": "EUR 0.04", "up_to": 5_000}]
LAST: dict[str, Any] = {"price": "EUR 0.03"}


def test_a_tariff_is_a_price_tiers_or_a_flat_amount() -> None:
    """D17: what is above costs so much each, by tiers, or one amount; all of one currency."""
    tiers = Tariff.model_validate({"tiers": [*TIERS, LAST], "from": date(2026, 1, 1)})
    assert [(str(tier.price), tier.up_to) for tier in tiers.graduated] == [
        ("EUR 0.05", 1_000),
        ("EUR 0.04", 5_000),
        ("EUR 0.03", None),
    ]
    [only] = Tariff.model_validate({"price": "USD 2", "per": 100}).graduated
    assert (str(only.price), only.per, only.up_to) == ("USD 2", 100, None)
    flat = Tariff.model_validate({"flat": "CHF 25"})
    assert (str(flat.flat), flat.graduated, flat.currency) == ("CHF 25", [], "CHF")
    assert (tiers.currency, _tariff("USD 1").currency) == ("EUR", "USD")


NOT_ONE = "needs one of price, tiers and flat"
ENDLESS = 'the last tier is for all that follow, so it has no "up_to"'
UNORDERED = 'each tier but the last needs an "up_to" above the one before it'
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, NOT_ONE),
    "a price and a flat amount": ({"price": "EUR 1", "flat": "EUR 1"}, NOT_ONE),
    "a price and tiers": ({"price": "EUR 1", "tiers": [LAST]}, NOT_ONE),
    "a flat amount per": ({"flat": "EUR 1", "per": 5}, '"per" belongs to a price'),
    "an end": ({"tiers": TIERS}, ENDLESS),
    "no order": ({"tiers": [*TIERS[::-1], LAST]}, UNORDERED),
    "the same end twice": ({"tiers": [TIERS[0], TIERS[0], LAST]}, UNORDERED),
    "no end within": ({"tiers": [LAST, *TIERS[:1], LAST]}, UNORDERED),
    "two currencies": (
        {"tiers": [TIERS[0], {"price": "USD 1"}]},
        "its tiers are in more than one currency",
    ),
}


@pytest.mark.parametrize(("table", "message"), MISTAKES.values(), ids=MISTAKES)
def test_what_is_no_tariff(table: dict[str, Any], message: str) -> None:
    """D17, F-27: what would leave a unit without a price, or with two, is an error."""
    assert wrong(Tariff, table) == [f": {message}"]
