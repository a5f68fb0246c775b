"""Charging: what of a case's use is charged, from which unit on, and at which price."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support_charges import (
    NOVEMBER,
    OCTOBER,
    TOLD,
    ZONE,
    a_case,
    bill,
    booking,
    charged,
    in_hours,
    limit_of,
)

from fairuse.base.errors import ChargeError
from fairuse.rules.charges import Figures
from fairuse.rules.charging import cost_charge, usage_charge
from fairuse.rules.ladder import Facts, Move, next_move
from fairuse.rules.process import Ladder
from fairuse.rules.tariffs import Price

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case

BOOKING = booking()


def test_only_what_came_after_the_notice_is_charged() -> None:
    """A09, P5: of 6,500 units with the notice at 5,400, 1,100 are charged, and never 1,500."""
    found = charged(a_case(), 6_500)
    assert found is not None
    assert bill(found) == (1_100, "EUR 55.00")
    assert found.figures == Figures(5_000, 5_400, 5_400, 6_500)
    assert (found.basis, found.notified_at, found.zone) == ("notice", TOLD, ZONE.key)
    assert (found.starts_at, found.ends_at) == (OCTOBER, NOVEMBER)
    [line] = found.lines
    assert (line.units, line.per, line.price) == (1_100, 1, Decimal("0.05"))


def test_what_was_used_before_the_notice_and_told_after_it_is_free() -> None:
    """P5, A09: 700 units of hours before the notice, told after it, are above its 5,400 and free.

    Those of the notice's own hour are, too: nobody knows which of them came before it.
    """
    hours = in_hours(
        ("2026-10-10 09:00", 5_400),
        ("2026-10-19 23:00", 700),
        ("2026-10-20 12:00", 50),
        ("2026-10-20 13:00", 350),
    )
    found = charged(a_case(), 6_500, hourly=hours)
    assert found is not None
    assert bill(found) == (350, "EUR 17.50")
    assert found.figures == Figures(5_000, 6_150, 6_150, 6_500)
    assert bill(charged(a_case(), 6_500, hourly=hours, basis="limit")) == (1_500, "EUR 75.00")
    assert charged(a_case(notified_reading=None), 6_500, hourly=hours) is None


def test_a_notice_before_the_limit_charges_from_the_limit_on() -> None:
    """D10, D11, D15: told at 4,000 of what costs from 5,000 on, the units above 5,000 cost it."""
    found = charged(a_case(notified_reading=4_000), 6_500)
    assert found is not None
    assert bill(found) == (1_500, "EUR 75.00")
    assert found.figures == Figures(5_000, 4_000, 5_000, 6_500)


def test_from_the_limit_on_where_the_policy_says_so() -> None:
    """P5, B19, C20: a policy that charges backwards charges all above the limit, and says so."""
    found = charged(a_case(), 6_500, basis="limit")
    assert found is not None
    assert bill(found) == (1_500, "EUR 75.00")
    assert (found.basis, found.figures) == ("limit", Figures(5_000, 5_400, 5_000, 6_500))


NOTHING = {
    "untold": (a_case(notified_at=None, notified_reading=None), 6_500),
    "untold of the count": (a_case(notified_reading=None), 6_500),
    "no further use": (a_case(), 5_400),
    "less than at the notice": (a_case(), 5_100),
    "within the limit": (a_case(notified_reading=4_000), 5_000),
    "told after the window": (a_case(notified_at=NOVEMBER, notified_reading=6_500), 6_500),
}


@pytest.mark.parametrize(("case", "reading"), NOTHING.values(), ids=NOTHING)
def test_there_may_be_nothing_to_charge(case: Case, reading: int) -> None:
    """A21, A22, P1, P5: without a notice, or without use after it, there is no charge."""
    assert charged(case, reading) is None


def test_backwards_is_no_way_around_the_notice() -> None:
    """P1, B19: a policy that charges from the limit on charges nothing before the notice either."""
    assert charged(a_case(notified_at=None), 6_500, basis="limit") is None


def test_use_that_was_brought_back_costs_nothing() -> None:
    """A22: over at the notice and under at the end of the grace, the case ends without a charge."""
    ladder = Ladder.model_validate(
        {"steps": [{"on": "still over", "do": "charge", "tariff": "more", "approval": "none"}]}
    )
    case = a_case(answer_by=TOLD + 100)
    under, over = Facts(False, False), Facts(True, False)
    assert next_move(case, ladder, over, TOLD + 99) is None
    assert next_move(case, ladder, under, TOLD + 100) == Move("resolved")
    assert next_move(case, ladder, over, TOLD + 100) == Move("persisted")
    [step] = ladder.steps
    persisting = case._replace(state="persisting")
    ended = over._replace(window_over=True)
    assert next_move(persisting, ladder, ended, NOVEMBER) == Move("charged", step)
    assert next_move(persisting, ladder, under, NOVEMBER) == Move("resolved")


def test_an_amount_that_is_lowered_later_charges_nothing_that_was_told_otherwise() -> None:
    """P7, D22: the notice said 5,000, so a limit of 10 that came after it charges none of them."""
    assert bill(charged(a_case(), 6_500, booking(amount="10")))[0] == 1_100
    assert bill(charged(a_case(), 6_500, booking(amount="6000")))[0] == 500


@given(
    st.integers(0, 20_000),
    st.integers(0, 20_000),
    st.integers(0, 8_000),
    st.lists(st.tuples(st.integers(0, 744), st.integers(1, 4_000)), max_size=6),
)
def test_no_charge_is_more_than_came_after_limit_and_notice(
    reading: int, notice: int, promised: int, used: list[tuple[int, int]]
) -> None:
    """P1, P5: whatever was used and whenever, the figures of a charge prove that it keeps both."""
    hours = [(int(OCTOBER) + 3_600 * hour, units) for hour, units in used]
    case = a_case(amount=promised, notified_reading=notice)
    found = charged(case, reading, hourly=hours)
    late = max(0, sum(units for _, units in used) - reading)
    before = sum(units for hour, units in hours if hour <= TOLD) - late
    most = max(0, reading - max(promised, 5_000, notice, before))
    if found is None:
        assert most == 0
        return
    limit, told, first, last = found.figures
    assert found.units == last - first == most
    assert first >= max(limit, told)
    assert last == reading
    assert found.amount == Decimal(found.units * 5).scaleb(-2)
    assert charged(case._replace(notified_at=None), reading, hourly=hours) is None


def test_a_cost_has_a_text_and_an_amount() -> None:
    """C20: finding and mending is a line of its own, and no use."""
    found = cost_charge(a_case(), BOOKING, " Two hours of repair ", Price("EUR", Decimal(190)), 5.0)
    assert (found.kind, found.text, bill(found)) == (
        "cost",
        "Two hours of repair",
        (0, "EUR 190.00"),
    )
    assert (found.starts_at, found.ends_at, str(found.total)) == (5.0, 5.0, "190")


@pytest.mark.parametrize(
    ("text", "price", "message"),
    [
        (" ", "10", "a cost needs a text that says what it was for"),
        ("x", "0", "EUR 0 is no amount that can be paid"),
        ("x", "0.005", "EUR 0.005 is no amount that can be paid"),
    ],
)
def test_what_is_no_cost(text: str, price: str, message: str) -> None:
    """C20: a cost without a reason, or of nothing, is none."""
    with pytest.raises(ChargeError, match=message):
        cost_charge(a_case(), BOOKING, text, Price("EUR", Decimal(price)), 5.0)


def test_an_amount_that_is_not_known_any_more_is_the_notices() -> None:
    """P7: where nobody knows the amount now, the one that the notice said holds."""
    limit = limit_of(BOOKING)
    unknown = replace(limit, timeline=(limit.timeline[0]._replace(amount=None),))
    assert bill(usage_charge(a_case(), unknown, BOOKING, 6_500))[0] == 1_100
