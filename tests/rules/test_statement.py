"""Statements: a month's charges as CSV, JSON and CloudEvents, the same bytes every time."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support_charges import NOVEMBER, a_case, booking, limit_of

from fairuse.rules.charging import cost_charge, usage_charge
from fairuse.rules.statement import (
    charges_csv,
    events_json,
    in_order,
    lines_csv,
    parse_month,
    statement_json,
)
from fairuse.rules.tariffs import Price

if TYPE_CHECKING:
    from fairuse.rules.charges import Charge

TERMS = booking([{"tiers": [{"price": "EUR 1", "per": 3, "up_to": 1_400}, {"price": "EUR 0.04"}]}])
OCTOBER = date(2026, 10, 1)
found = usage_charge(a_case(id=7), limit_of(TERMS), TERMS, 6_500)
assert found is not None
USAGE: Charge = found._replace(
    id=1,
    made_at=NOVEMBER,
    final_at=NOVEMBER + 86_400,
    final=True,
    waived=Decimal("37.33"),
    reason="a good customer",
)
COST = cost_charge(
    a_case(id=8, account="bakker", rule="burst"),
    TERMS,
    "=1+1",
    Price("EUR", Decimal("190.00")),
    NOVEMBER - 60,
)._replace(id=2, made_at=NOVEMBER, final_at=NOVEMBER + 86_400)
CHARGES = [COST, USAGE]


def rows(written: bytes) -> list[dict[str, str]]:
    """Read a CSV."""
    return list(csv.DictReader(io.StringIO(written.decode(), newline="")))


def test_a_month_is_read() -> None:
    """E36: a month is a year and a month; anything else is an error that says so."""
    assert parse_month("2026-10") == OCTOBER
    for text in ("2026-13", "2026-00", "0000-10", "26-10", "2026-10-01", "2026-1", "\u0662026-10"):
        with pytest.raises(ValueError, match='is no month; write it like "2026-10"'):
            parse_month(text)


def test_a_charge_is_a_row() -> None:
    """A21, D15: a row says what was charged, by which figures, and what is left to pay."""
    usage, cost = rows(charges_csv(in_order(CHARGES)[::-1]))
    assert usage == {
        "charge": "1",
        "case": "7",
        "tenant": "salon-anna",
        "account": "salon",
        "rule": "per-month",
        "scope": "location=centrum",
        "kind": "usage",
        "state": "final",
        "from": "2026-10-01T00:00:00+02:00",
        "until": "2026-11-01T00:00:00+01:00",
        "basis": "notice",
        "limit": "5000",
        "notified_at": "2026-10-20T12:00:00+02:00",
        "notice_reading": "5400",
        "from_reading": "5400",
        "to_reading": "6500",
        "units": "1100",
        "currency": "EUR",
        "amount": "337.33",
        "waived": "37.33",
        "due": "300.00",
        "made_at": "2026-11-01T00:00:00+01:00",
        "final_at": "2026-11-02T00:00:00+01:00",
        "text": "",
        "reason": "a good customer",
    }
    some = ("kind", "state", "units", "amount", "waived", "due", "text")
    assert [cost[name] for name in some] == [
        "cost",
        "open",
        "0",
        "190.00",
        "0.00",
        "190.00",
        "'=1+1",
    ]


def test_a_line_of_the_arithmetic_is_a_row() -> None:
    """A21, D17: units, price and sum of each line; a spreadsheet can add them up."""
    first, second, cost = rows(lines_csv([USAGE, COST]))
    assert first == {
        "charge": "1",
        "line": "1",
        "units": "1000",
        "per": "3",
        "currency": "EUR",
        "price": "1",
        "from": "",
        "subtotal": "333.333333333333",
    }
    assert (second["line"], second["units"], second["subtotal"]) == ("2", "100", "4")
    assert (cost["charge"], cost["subtotal"]) == ("2", "190")


def test_lines_say_from_when_their_price_is_and_how_many_units() -> None:
    """E36, B19: the day a price holds from, and parts of a unit, are written as people do."""
    line = USAGE.lines[0]._replace(from_=date(2026, 10, 25), per=None, units=150)
    [row] = rows(lines_csv([USAGE._replace(lines=(line,), decimals=2)]))
    assert (row["from"], row["per"], row["units"]) == ("2026-10-25", "", "1.5")


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0d1"]


@pytest.mark.parametrize("text", FORMULAS, ids=map(repr, FORMULAS))
def test_no_cell_is_a_formula(text: str) -> None:
    """A21: what somebody named a location or gave as a reason is never calculated."""
    charge = COST._replace(text=text, reason=text, account=text, scope=((text, text),))
    [row] = rows(charges_csv([charge]))
    assert row["text"] == row["reason"] == row["account"] == f"'{text}"
    assert row["scope"].startswith(f"'{text}")


def test_the_statement_is_by_account_and_rule() -> None:
    """A21: each account has its rules, each rule its charges, and each their sums."""
    other = USAGE._replace(id=3, rule="month", currency="USD")
    whole: dict[str, Any] = json.loads(
        statement_json(OCTOBER, in_order([*CHARGES, other]), complete=True)
    )
    assert whole["month"] == "2026-10"
    assert [
        (each["account"], [rule["rule"] for rule in each["rules"]]) for each in whole["accounts"]
    ] == [
        ("bakker", ["burst"]),
        ("salon", ["month", "per-month"]),
    ]
    euros = {"currency": "EUR", "amount": "527.33", "waived": "37.33", "due": "490.00"}
    dollars = {"currency": "USD", "amount": "337.33", "waived": "37.33", "due": "300.00"}
    assert whole["sums"] == [euros, dollars]
    [charge] = whole["accounts"][1]["rules"][1]["charges"]
    assert charge["scope"] == {"location": "centrum"}
    assert charge["arithmetic"]["total"] == "1012/3"
    assert whole["accounts"][1]["rules"][0]["sums"] == [dollars]


def test_a_month_without_charges_has_a_statement() -> None:
    """A21: that there is nothing to pay is said, too."""
    assert json.loads(statement_json(OCTOBER, [], complete=True)) == {
        "complete": True,
        "month": "2026-10",
        "accounts": [],
        "sums": [],
    }
    assert rows(charges_csv([])) == rows(lines_csv([])) == json.loads(events_json([])) == []


def test_a_final_charge_is_an_event() -> None:
    """E36: a CloudEvents 1.0 batch has what is final, told once; the rest may be waived still."""
    [event] = json.loads(events_json(CHARGES))
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": "charge-1",
        "source": "/fairuse/charges",
        "type": "fairuse.charge.final",
        "subject": "salon",
        "time": "2026-11-01T23:00:00+00:00",
        "datacontenttype": "application/json",
    }
    assert (data["charge"], data["due"], data["arithmetic"]["rounding"]) == (1, "300.00", "half up")


@given(st.permutations([COST, USAGE, USAGE._replace(id=3, starts_at=0.0), COST._replace(id=4)]))
def test_a_statement_is_the_same_bytes_every_time(charges: list[Charge]) -> None:
    """A21: however the charges were found, the files are the same."""
    ordered = in_order(charges)
    assert [charge.id for charge in ordered] == [2, 4, 3, 1]
    for write in (charges_csv, lines_csv, events_json):
        assert write(ordered) == write(in_order(CHARGES + ordered[1:3]))


@given(st.fractions(min_value=0, max_value=10**12))
def test_what_a_spreadsheet_adds_up_is_right_to_the_last_coin(total: Fraction) -> None:
    """D15: where a sum has no last digit, what the CSV says of it is off by less than a coin."""
    line = USAGE.lines[0]._replace(subtotal=total)
    [row] = rows(lines_csv([USAGE._replace(lines=(line,))]))
    assert "/" not in row["subtotal"]
    assert abs(Fraction(row["subtotal"]) - total) <= Fraction(1, 10**12)
