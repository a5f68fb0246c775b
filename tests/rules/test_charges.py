"""Charges: what is waived of them, which month they are for, and how they were worked out."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support_charges import NOVEMBER, OCTOBER, a_case, booking, limit_of

from fairuse.base.errors import ChargeError
from fairuse.rules.charges import Charge, arithmetic, line_of, measured, waived_by
from fairuse.rules.charging import usage_charge
from fairuse.rules.money import is_in_minor_units

TERMS = booking([{"tiers": [{"price": "EUR 1", "per": 3, "up_to": 1_000}, {"price": "EUR 0.04"}]}])
found = usage_charge(a_case(id=7), limit_of(TERMS), TERMS, 6_500)
assert found is not None
CHARGE: Charge = found._replace(id=12)


def test_the_arithmetic_is_there_for_everybody() -> None:
    """A21, D15: a charge shows its lines, their exact sum, and how that was rounded."""
    shown = arithmetic(CHARGE)
    assert shown == {
        "decimals": 0,
        "zone": "Europe/Amsterdam",
        "lines": [
            {"units": 600, "per": 3, "price": "1", "from": None, "subtotal": "200"},
            {"units": 500, "per": 1, "price": "0.04", "from": None, "subtotal": "20"},
        ],
        "total": "220",
        "rounding": "half up",
    }
    assert measured(CHARGE) == {
        "basis": "notice",
        "notified_at": CHARGE.notified_at,
        "limit": 5_000,
        "notice_reading": 5_400,
        "from_reading": 5_400,
        "to_reading": 6_500,
    }


def test_lines_are_read_as_they_were_written() -> None:
    """E36: what is kept of a charge is what was worked out, to the last digit."""
    thirds = CHARGE.lines[0]._replace(subtotal=Fraction(7, 3), per=None)
    for lines in ((thirds,), CHARGE.lines):
        kept = json.loads(json.dumps(arithmetic(CHARGE._replace(lines=lines))))
        assert tuple(map(line_of, kept["lines"])) == lines


WAIVED = {"all": "220.00", "50%": "110.00", "EUR 5": "5.00", "EUR 5.50": "5.50", "1%": "2.20"}


@pytest.mark.parametrize(("what", "money"), WAIVED.items(), ids=WAIVED)
def test_a_charge_is_waived_wholly_or_in_part(what: str, money: str) -> None:
    """D23: all of it, a share of it, or so much of it."""
    assert str(waived_by(CHARGE, what)) == money


def test_all_is_what_is_left() -> None:
    """D23: what was waived before is not waived again, and a share is one of the whole amount."""
    part = CHARGE._replace(waived=Decimal("150.00"))
    assert part.due == Decimal("70.00")
    assert (waived_by(part, "all"), waived_by(part, "10%")) == (Decimal("70.00"), Decimal("22.00"))


WRONG = {
    "0%": "charge 12 has EUR 220.00 left to waive, and not 0%",
    "101%": "charge 12 has EUR 220.00 left to waive, and not 101%",
    "EUR 0": "charge 12 has EUR 220.00 left to waive, and not EUR 0",
    "EUR 220.01": "charge 12 has EUR 220.00 left to waive, and not EUR 220.01",
    "-5%": '"-5%" is no share; write it like "50%"',
    "5.5%": '"5.5%" is no share; write it like "50%"',
    "\u0665%": '"\u0665%" is no share; write it like "50%"',
    "half": "'half' is no price; write it like \"EUR 0.05\"",
    "USD 5": "charge 12 is in EUR; USD 5 can't be part of it",
    "EUR 0.001": "charge 12 is in EUR; EUR 0.001 can't be part of it",
}


@pytest.mark.parametrize(("what", "message"), WRONG.items(), ids=WRONG)
def test_what_cant_be_waived(what: str, message: str) -> None:
    """D23, F-27: nothing, more than there is, another currency and what is no amount are errors."""
    with pytest.raises(ChargeError) as caught:
        waived_by(CHARGE, what)
    assert str(caught.value) == message


def test_nothing_is_left_of_what_was_waived() -> None:
    """D23: what was waived whole can't be waived once more."""
    with pytest.raises(ChargeError, match=r"EUR 0\.00 left"):
        waived_by(CHARGE._replace(waived=Decimal("220.00")), "all")


@given(st.integers(1, 10**9), st.integers(1, 100), st.integers(0, 100))
def test_what_is_due_is_never_negative(cents: int, share: int, before: int) -> None:
    """D23: whatever is waived, what is due is what was charged less what was waived."""
    amount = Decimal(cents).scaleb(-2)
    charge = CHARGE._replace(amount=amount, waived=Decimal(cents * before // 100).scaleb(-2))
    try:
        part = waived_by(charge, f"{share}%")
    except ChargeError:
        assert share + before > 99 or amount * share < Decimal("0.5")
        return
    left = charge._replace(waived=charge.waived + part)
    assert left.due == charge.due - part >= 0
    assert is_in_minor_units(part, "EUR")


def test_a_charge_is_billed_in_the_month_it_is_final_in() -> None:
    """E36: the month is the customer's own, whichever window the charge is for."""
    final = CHARGE._replace(final_at=NOVEMBER)
    assert f"{final.month:%Y-%m-%d}" == "2026-11-01"
    assert f"{final._replace(ends_at=OCTOBER).month:%Y-%m}" == "2026-11"
    assert f"{final._replace(final_at=NOVEMBER - 1).month:%Y-%m}" == "2026-10"
    assert f"{final._replace(zone='America/Lima').month:%Y-%m}" == "2026-10"
