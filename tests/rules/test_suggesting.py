"""A suggested amount: from size, comparable customers and load, in steps that can be followed."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.suggesting import Comparable, Load, Size, suggest

SOLO = Size(1, "account", "basic")
TEAM = Size(4, "users", "basic")
OTHERS = Comparable(20, Fraction(100))


class Case(NamedTuple):
    """What is known, and what comes of it."""

    size: Size
    comparable: Comparable | None
    load: Load
    amount: int


CASES = {
    "it grows from its busiest month": Case(SOLO, None, Load((250, 100), (9_000, 9_900)), 300),
    "it may use what others like it do": Case(SOLO, OTHERS, Load((10,), (10_000,)), 100),
    "more users, more of it": Case(TEAM, OTHERS, Load((10,), (10_000,)), 400),
    "a full platform has no room to grow": Case(SOLO, OTHERS, Load((1_000,), (10_000,)), 1_000),
    "nor does it take what size alone gives": Case(TEAM, OTHERS, Load((300,), (10_000,)), 400),
    "nothing it used is taken away": Case(SOLO, None, Load((10, 1_000), (5_000, 5_000)), 1_000),
    "it is rounded up": Case(SOLO, None, Load((1_031,), (9_000, 19_000)), 1_300),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_amount_is_suggested_from_three_inputs(case: Case) -> None:
    """D09: from the size, the average of comparable customers, and the load."""
    found = suggest(case.size, case.comparable, case.load, 1)
    assert found is not None
    assert found.amount == case.amount


def test_each_step_can_be_followed() -> None:
    """D09: what size, need and room come to is said, and the load's figures are."""
    load = Load((200, 100), (1_000, 1_500))
    found = suggest(TEAM, OTHERS, load, 1)
    assert found == (400, 240, 150 + 500, 400)
    assert (load.busiest, int(load.usual), load.free) == (200, 150, 500)
    assert load.share == Fraction(300, 2_500)


def test_where_no_use_is_known_nothing_is_suggested() -> None:
    """D09: no amount is made up from nothing."""
    assert suggest(SOLO, None, Load((), ()), 1) is None
    assert suggest(SOLO, None, Load((0,), (500,)), 1) is None


def test_decimals_are_counted_and_whole_units_suggested() -> None:
    """D09: a meter of hundredths of a minute has whole minutes suggested."""
    found = suggest(SOLO, None, Load((12_345,), (50_000, 90_000)), 100)
    assert found is not None
    assert found.amount == 150 * 100  # 123.45 x 120% = 148.14 minutes


USE = st.lists(st.integers(0, 10**9), min_size=1, max_size=6)


@given(own=USE, others=USE, average=st.integers(0, 10**6), users=st.integers(0, 50))
def test_no_suggestion_is_below_what_is_used(
    own: list[int], others: list[int], average: int, users: int
) -> None:
    """D09: it is never less than the busiest month, nor than what size gives, where that is less.

    So nobody who takes the suggestion over is above the amount at once.
    """
    months = min(len(own), len(others))
    whole = tuple(a + b for a, b in zip(own, others, strict=False))
    load = Load(tuple(own[:months]), whole)
    comparable = Comparable(5, Fraction(average))
    found = suggest(Size(users, "users", ""), comparable, load, 1)
    if found is None:
        assert load.busiest == 0
    else:
        assert found.amount >= max(load.busiest, found.by_size)
        assert found.amount <= 2 * max(found.need, found.by_size)
