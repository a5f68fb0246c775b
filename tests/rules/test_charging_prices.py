"""Charging: each unit at the price and above the amount that held when it was used."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from tests.rules.support import policy, tenant
from tests.rules.support_charges import (
    CENTS,
    NOVEMBER,
    RULE,
    ZONE,
    a_case,
    bill,
    booking,
    charged,
    documents,
    in_hours,
    local,
)

from fairuse.rules.agreed import History
from fairuse.rules.charges import Figures
from fairuse.rules.charging import usage_charge
from fairuse.rules.terms import Terms

FROM_MID_MONTH: list[dict[str, Any]] = [*CENTS, {"price": "EUR 0.07", "from": date(2026, 10, 25)}]
HOURS = in_hours(
    ("2026-10-19 09:00", 5_300),
    ("2026-10-22 09:00", 500),
    ("2026-10-24 23:00", 100),
    ("2026-10-25 00:00", 600),
)


def test_each_unit_costs_what_it_did_when_it_was_used() -> None:
    """B19, E36: a price from the 25th is for what was used from that local midnight on."""
    found = charged(a_case(), 6_500, booking(FROM_MID_MONTH), hourly=HOURS)
    assert found is not None
    assert [(line.units, str(line.price), line.from_) for line in found.lines] == [
        (500, "0.05", date.min),
        (600, "0.07", date(2026, 10, 25)),
    ]
    assert bill(found) == (1_100, "EUR 67.00")


def test_without_hours_the_price_is_the_one_of_the_notice() -> None:
    """D11, D16: where nobody knows when it was used, it costs what the notice said."""
    prices = booking(FROM_MID_MONTH)
    assert bill(charged(a_case(), 6_500, prices)) == (1_100, "EUR 55.00")
    late = a_case(notified_at=local("2026-10-25"))
    assert bill(charged(late, 6_500, prices)) == (1_100, "EUR 77.00")
    assert bill(charged(late, 6_500, prices, basis="limit")) == (1_500, "EUR 75.00")


def test_months_before_the_notice_are_rated_at_their_own_prices() -> None:
    """B19: each breached month is charged above its limit by its tariffs; the same one every time.

    Only the units above the limit: not all of the month.
    """
    prices: list[dict[str, Any]] = [
        {"price": "EUR 0.10"},
        {"price": "EUR 0.20", "from": date(2026, 9, 1)},
    ]
    told = a_case(notified_at=local("2026-11-02"), notified_reading=3)
    months = {
        ("2026-08-01", "2026-09-01"): "EUR 5.00",
        ("2026-09-01", "2026-10-01"): "EUR 10.00",
    }
    for (begins, ends), money in months.items():
        case = told._replace(starts_at=local(begins), ends_at=local(ends))
        hours = in_hours((f"{begins} 10:00", 5_000), (f"{begins[:8]}30 10:00", 50))
        found = charged(case, 5_050, booking(prices), hourly=hours, basis="limit")
        assert bill(found) == (50, money)
        assert found == charged(case, 5_050, booking(prices), hourly=hours[::-1], basis="limit")
        assert found is not None
        assert found.figures == Figures(5_000, 0, 5_000, 5_050)
        assert charged(case, 5_050, booking(prices), hourly=hours) is None


def test_a_month_after_the_notice_is_charged_from_its_limit_on() -> None:
    """P5: a case that goes on into the next month has told of it before its first unit."""
    case = a_case(starts_at=NOVEMBER, ends_at=local("2026-12-01"))
    found = charged(case, 5_100)
    assert found is not None
    assert (found.units, found.figures) == (100, Figures(5_000, 0, 5_000, 5_100))


@pytest.mark.parametrize(
    ("tariff", "money"),
    [
        ({"price": "EUR 0.05"}, "EUR 55.00"),
        ({"price": "EUR 3", "per": 100}, "EUR 33.00"),
        ({"flat": "EUR 25"}, "EUR 25.00"),
        (
            {"tiers": [{"price": "EUR 0.05", "up_to": 1_000}, {"price": "EUR 0.02"}]},
            "EUR 40.00",
        ),
    ],
    ids=["each", "per hundred", "flat", "tiers"],
)
def test_the_price_is_the_contracts_own(tariff: dict[str, Any], money: str) -> None:
    """D15, D17: each account has its own price, flat or by how far above the limit it is."""
    assert bill(charged(a_case(), 6_500, booking([tariff]))) == (1_100, money)


def test_another_price_list_than_the_limits_own() -> None:
    """D17, E36: a step of the policy names the tariff; a limit without one is charged by it."""
    tariffs = {"appointment": [{"price": "EUR 9"}], "more": CENTS}
    terms = Terms("salon-anna", "salon", tenant(tariffs=tariffs), policy(), History())
    limit = terms.limit(RULE)
    assert limit is not None
    assert usage_charge(a_case(), limit, terms, 6_500) is None
    assert bill(usage_charge(a_case(), limit, terms, 6_500, tariff="more")) == (
        1_100,
        "EUR 55.00",
    )
    assert usage_charge(a_case(), limit, terms, 6_500, tariff="unknown") is None


def test_a_price_of_nothing_is_no_charge() -> None:
    """D15: what comes to less than half a cent is no bill."""
    assert charged(a_case(), 6_500, booking([{"price": "EUR 0"}])) is None
    assert charged(a_case(), 5_401, booking([{"price": "EUR 0.004"}])) is None


PAGES = a_case(rule="pages", scope=(), reading=2_501, amount=2_500, notified_reading=2_500)
PACK = {"package": "standard", "adds": {"packs": 1}}


def bought(moment: str) -> Terms:
    """Give the terms with another 2,500 pages from a moment on."""
    return documents({**PACK, "at": datetime.fromisoformat(moment).replace(tzinfo=ZONE)})


def test_what_was_not_bought_before_it_was_used_is_charged() -> None:
    """E10: bought before page 2,501, none is charged; bought after page 2,700, 200 are."""
    hours = in_hours(
        ("2026-10-10 09:00", 2_500), ("2026-10-21 09:00", 200), ("2026-10-25 09:00", 900)
    )
    before, after = bought("2026-10-21 08:30"), bought("2026-10-23 14:00")
    assert charged(PAGES, 3_600, before, hourly=hours) is None
    found = charged(PAGES, 3_600, after, hourly=hours)
    assert found is not None
    assert bill(found) == (200, "EUR 8.00")
    assert found.figures == Figures(2_500, 2_500, 2_500, 2_700)
    never = charged(PAGES, 3_600, documents(), hourly=hours)
    assert bill(never) == (1_100, "EUR 44.00")


def test_what_is_bought_within_an_hour_is_for_all_of_it() -> None:
    """E10: nobody knows what was used before it in that hour, so it is the customer's."""
    hours = in_hours(("2026-10-10 09:00", 2_500), ("2026-10-21 09:00", 200))
    assert charged(PAGES, 2_700, bought("2026-10-21 09:59"), hourly=hours) is None
    assert bill(charged(PAGES, 2_700, bought("2026-10-21 10:00"), hourly=hours))[0] == 200


def test_units_with_decimals_cost_their_part() -> None:
    """B19: 150 hundredths above the limit cost one and a half."""
    terms = documents(decimals=2)
    case = PAGES._replace(amount=250_000, reading=250_001, notified_reading=250_000)
    found = charged(case, 250_150, terms)
    assert found is not None
    assert (found.units, found.decimals, str(found.amount)) == (150, 2, "0.06")
