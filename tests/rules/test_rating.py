"""Rating: which units are above the amount, and what they cost by the tariff of their day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from fairuse.rules.rating import Above, Line, Rated, Used, as_read, rate, units_above
from fairuse.rules.tariffs import Tariff

FIRST, SECOND = date(2026, 10, 1), date(2026, 10, 2)


def a_tariff(**table: Any) -> Tariff:
    """Give a tariff."""
    return Tariff.model_validate(table)


def rated(*used: tuple[date, int], before: int = 0, one: int = 1, **table: Any) -> Rated:
    """Rate units by one tariff."""
    found = rate([a_tariff(**table)], used, one, before)
    assert found is not None
    return found


def test_units_cost_their_price() -> None:
    """D15: 1,100 units above the limit at EUR 0.05 are EUR 55.00, in one line that says so."""
    found = rated((FIRST, 600), (SECOND, 500), price="EUR 0.05")
    assert found.lines == (Line(1_100, 1, Decimal("0.05"), date.min, Fraction(55)),)
    assert found.units == 1_100
    assert found.total == 55
    assert f"{found.currency} {found.amount}" == "EUR 55.00"


def test_a_price_for_many_is_shared_out() -> None:
    """D17, E36: a price for a thousand is charged by the unit, and rounded once at the end."""
    found = rated((FIRST, 1), (SECOND, 2), price="EUR 10", per=1_000)
    assert (found.total, found.amount) == (Fraction(3, 100), Decimal("0.03"))
    thirds = rated((FIRST, 100), price="EUR 1", per=3)
    assert (thirds.total, thirds.amount) == (Fraction(100, 3), Decimal("33.33"))


def test_decimals_of_a_meter_are_parts_of_a_unit() -> None:
    """B19: 150 hundredths of a minute at EUR 0.10 are EUR 0.15."""
    found = rated((FIRST, 150), one=100, price="EUR 0.10")
    assert (found.units, found.total) == (150, Fraction(15, 100))


TIERS = [
    {"price": "EUR 0.05", "up_to": 1_000},
    {"price": "EUR 0.04", "up_to": 1_500},
    {"price": "EUR 0.03"},
]


@pytest.mark.parametrize(
    ("units", "total"),
    [(1, "0.05"), (1_000, "50"), (1_001, "50.04"), (1_500, "70"), (2_500, "100")],
)
def test_tiers_are_graduated(units: int, total: str) -> None:
    """D17: the first 1,000 cost one price, the next another; none changes the ones before."""
    found = rated((FIRST, units), tiers=TIERS)
    assert found.total == Fraction(total)
    assert found.units == units


def test_tiers_count_from_the_limit_on() -> None:
    """D17, P5: the tier of a unit is how far above the limit it is, also after a late notice."""
    found = rated((FIRST, 600), (SECOND, 200), before=400, tiers=TIERS)
    assert [(line.units, line.price) for line in found.lines] == [
        (600, Decimal("0.05")),
        (200, Decimal("0.04")),
    ]
    assert rated((FIRST, 100), before=5_000, tiers=TIERS).total == 3


def test_a_flat_amount_is_charged_once() -> None:
    """D17: however many units and days, a flat amount is one amount; the first one that holds."""
    flats = [a_tariff(flat="EUR 25"), a_tariff(flat="EUR 40", **{"from": SECOND})]
    found = rate(flats, [(FIRST, 3), (SECOND, 7)], 1)
    assert found is not None
    assert found.lines == (Line(10, None, Decimal(25), date.min, Fraction(25)),)
    second = rate(flats, [(SECOND, 7)], 1)
    assert second is not None
    assert second.total == 40


def test_each_unit_costs_what_it_did_on_its_day() -> None:
    """B19, P7: a price that changes within the window changes no unit before it."""
    prices = [a_tariff(price="EUR 0.05"), a_tariff(price="EUR 0.07", **{"from": SECOND})]
    found = rate(prices, [(FIRST, 10), (SECOND, 20)], 1)
    assert found is not None
    assert found.lines == (
        Line(10, 1, Decimal("0.05"), date.min, Fraction(1, 2)),
        Line(20, 1, Decimal("0.07"), SECOND, Fraction(14, 10)),
    )


def test_a_day_without_a_price_costs_nothing() -> None:
    """P1, E36: what was used before the first price is free, and counts in the tiers."""
    late = a_tariff(tiers=[{"price": "EUR 1", "up_to": 10}, {"price": "EUR 2"}], **{"from": SECOND})
    assert rate([late], [(FIRST, 10)], 1) is None
    assert rate([], [(FIRST, 10)], 1) is None
    found = rate([late], [(FIRST, 10), (SECOND, 1)], 1)
    assert found is not None
    assert (found.units, str(found.total)) == (1, "2")


def test_a_charge_has_one_currency() -> None:
    """F-27: a price in another currency waits for the next window; it is never added up."""
    prices = [a_tariff(price="EUR 1"), a_tariff(price="USD 5", **{"from": SECOND})]
    found = rate(prices, [(FIRST, 1), (SECOND, 1)], 1)
    assert found is not None
    assert (found.currency, str(found.amount)) == ("EUR", "2.00")
    dollars = rate(prices, [(SECOND, 1)], 1)
    assert dollars is not None
    assert (dollars.currency, str(dollars.amount)) == ("USD", "5.00")


def above(*used: tuple[float, int], amount: dict[float, int], free_until: int = 0) -> list[Above]:
    """Give the units above amounts that hold from a moment on each."""

    def in_force(at: float) -> int:
        return amount[max(since for since in amount if since <= at)]

    hours = [Used(at, units) for at, units in used]
    return list(units_above(hours, in_force, free_until))


def test_the_last_units_are_those_above() -> None:
    """B19: what is above the limit was used last, and in those hours."""
    assert above((1, 60), (2, 30), (3, 20), amount={0: 100}) == [Above(3, 10, 110)]
    assert above((1, 60), (2, 50), (3, 20), amount={0: 100}) == [(2, 10, 110), (3, 20, 130)]
    assert above((1, 60), (2, 40), amount={0: 100}) == []


def test_what_was_bought_before_it_was_used_is_within() -> None:
    """E10: bought before unit 2,501, nothing is above; after unit 2,700, the 200 between are."""
    assert above((1, 2_500), (2, 400), amount={0: 2_500, 2: 5_000}) == []
    assert above((1, 2_700), (2, 400), amount={0: 2_500, 2: 5_000}) == [(1, 200, 2_700)]


def test_what_was_charged_uses_up_no_amount() -> None:
    """E10: who bought late pays for the 200 before, and then has all that was bought."""
    assert above((1, 2_700), (2, 2_500), (3, 10), amount={0: 2_500, 2: 5_000}) == [
        (1, 200, 2_700),
        (3, 10, 5_210),
    ]


def test_a_lowered_amount_charges_no_past_unit() -> None:
    """D22, P7: an amount that is lowered below the use charges only what comes after."""
    assert above((1, 4_000), (2, 5), amount={0: 5_000, 2: 3_000}) == [(2, 5, 4_005)]


def test_what_came_before_the_notice_is_free() -> None:
    """A09, P5: of units up to the notice's reading none is charged, whatever the hour."""
    used = [(1, 5_300), (2, 200), (3, 1_000)]
    assert above(*used, amount={0: 5_000}, free_until=5_400) == [(2, 100, 5_500), (3, 1_000, 6_500)]


def test_the_hours_of_a_window_make_up_its_reading() -> None:
    """B19, S16: the reading says how much; the hours say when, and the latest of them count."""
    hours = [(7_200, 30), (3_600, 10), (10_800, -5)]
    assert as_read(hours, 40, 0.0) == [(3_600, 10), (7_200, 30)]
    assert as_read(hours, 35, 0.0) == [(3_600, 5), (7_200, 30)]
    assert as_read(hours, 50, 0.0) == [(0.0, 10), (3_600, 10), (7_200, 30)]
    assert as_read(hours, 40, 5_400.0) == [(5_400.0, 10), (7_200, 30)]
    assert as_read([], 0, 0.0) == []
