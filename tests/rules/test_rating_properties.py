"""Rating, whatever the prices and the use: exact, never negative, and never less for more."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.money import to_minor_units
from fairuse.rules.rating import Line, Rated, Used, as_read, rate, units_above
from fairuse.rules.tariffs import Price, Tariff

MONTH = [date(2026, 10, day) for day in range(1, 32)]

prices = st.decimals(min_value=0, max_value=10**12, places=8).map(lambda value: Price("EUR", value))
pers = st.sampled_from([1, 3, 60, 1_000, 10**9])


@st.composite
def tiered(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw tiers, each of them after the one before."""
    ends = sorted(draw(st.sets(st.integers(1, 2_000), max_size=3)))
    return [{"price": draw(prices), "per": draw(pers), "up_to": end} for end in [*ends, None]]


def kinds() -> st.SearchStrategy[dict[str, Any]]:
    """Draw what a tariff may say, but its day."""
    return st.one_of(
        st.fixed_dictionaries({"price": prices, "per": pers}),
        st.fixed_dictionaries({"tiers": tiered()}),
        st.fixed_dictionaries({"flat": prices}),
    )


@st.composite
def price_lists(draw: st.DrawFn) -> list[Tariff]:
    """Draw the tariffs of a contract: one from the first day on, others later."""
    days = [date.min, *sorted(draw(st.sets(st.sampled_from(MONTH), max_size=3)))]
    return [Tariff.model_validate({**draw(kinds()), "from": day}) for day in days]


uses = st.lists(st.tuples(st.sampled_from(MONTH), st.integers(1, 3_000)), max_size=6).map(sorted)
ones = st.sampled_from([1, 100])


def cost(tariffs: list[Tariff], used: list[tuple[date, int]], one: int = 1) -> Fraction:
    """Give what units come to."""
    found = rate(tariffs, used, one)
    return found.total if found else Fraction(0)


@given(price_lists(), uses, ones, st.integers(0, 5_000))
def test_the_lines_are_the_sum(
    tariffs: list[Tariff], used: list[tuple[date, int]], one: int, before: int
) -> None:
    """A21, D15: every unit is in one line, each line is what it says, and their sum the total."""
    found = rate(tariffs, used, one, before)
    if not used:
        assert found is None
        return
    assert found is not None
    assert found.units == sum(units for _, units in used)
    assert found.total == sum(worked_out(line, one) for line in found.lines)
    assert found.total == sum(line.subtotal for line in found.lines)
    assert found.amount == to_minor_units(found.total, "EUR")
    assert found.total >= 0
    assert min(line.units for line in found.lines) > 0


def worked_out(line: Line, one: int) -> Fraction:
    """Work a line out again from what it shows."""
    price = Fraction(line.price)
    return price if line.per is None else price * line.units / one / line.per


@given(price_lists(), uses, ones)
def test_nothing_is_a_float(tariffs: list[Tariff], used: list[tuple[date, int]], one: int) -> None:
    """F-27: no part of a sum of money ever was a float."""
    found = rate(tariffs, used, one) or Rated("EUR", ())
    parts: list[object] = [found.total, found.amount, found.units]
    for line in found.lines:
        parts += [line.units, line.price, line.subtotal]
    assert {type(part) for part in parts} <= {int, Decimal, Fraction}


@given(price_lists(), uses, st.sampled_from(MONTH), st.integers(1, 3_000))
def test_more_use_never_costs_less(
    tariffs: list[Tariff], used: list[tuple[date, int]], day: date, more: int
) -> None:
    """D17: using more at the end of the window, in whichever tier, lowers no sum."""
    last = max([day, *(known for known, _ in used)])
    assert cost(tariffs, [*used, (last, more)]) >= cost(tariffs, used)


@given(tiered(), st.lists(st.integers(1, 4_000), min_size=2, max_size=5).map(sorted))
def test_tiers_only_go_up(tiers: list[dict[str, Any]], units: list[int]) -> None:
    """D17: a total never falls where a cheaper tier begins."""
    tariff = Tariff.model_validate({"tiers": tiers})
    totals = [cost([tariff], [(MONTH[0], number)]) for number in units]
    assert all(one <= other for one, other in pairwise(totals))


@given(price_lists(), uses, st.data())
def test_it_matters_not_how_a_days_use_is_cut(
    tariffs: list[Tariff], used: list[tuple[date, int]], data: st.DataObject
) -> None:
    """B19, P8: the same use told in more pieces comes to the same lines."""
    pieces = []
    for day, units in used:
        part = data.draw(st.integers(0, units))
        pieces += [(day, each) for each in (part, units - part) if each]
    assert rate(tariffs, pieces, 1) == rate(tariffs, used, 1)


@given(kinds(), uses, st.sampled_from(MONTH))
def test_a_tariff_that_goes_on_as_it_was_changes_nothing(
    table: dict[str, Any], used: list[tuple[date, int]], day: date
) -> None:
    """P7, E36: a new tariff with the old prices comes to the same sum, wherever it begins."""
    old = Tariff.model_validate(table)
    new = Tariff.model_validate({**table, "from": day})
    assert cost([old, new], used) == cost([old], used)


@given(price_lists(), kinds(), uses)
def test_a_tariff_changes_nothing_before_its_day(
    tariffs: list[Tariff], table: dict[str, Any], used: list[tuple[date, int]]
) -> None:
    """P7, B19: a tariff from the day after the last use on comes to nothing."""
    after = max([MONTH[0], *(day for day, _ in used)]) + timedelta(days=1)
    kept = [tariff for tariff in tariffs if tariff.from_ != after]
    later = Tariff.model_validate({**table, "from": after})
    assert rate([*kept, later], used, 1) == rate(kept, used, 1)


hours = st.lists(
    st.tuples(st.integers(0, 700), st.integers(0, 500)), max_size=8, unique_by=lambda hour: hour[0]
)


@given(hours, st.integers(0, 3_000), st.integers(0, 1_000), st.integers(0, 2_000))
def test_what_is_above_is_what_the_readings_say(
    used: list[tuple[int, int]], reading: int, amount: int, notice: int
) -> None:
    """P5, A09: in whichever hours, it is the reading less the larger of limit and notice."""
    known = as_read(used, reading, 0.0)
    assert sum(units for _, units in known) == reading
    above = list(units_above(known, lambda _: amount, notice))
    assert sum(each.units for each in above) == max(0, reading - max(amount, notice))


@given(hours, st.lists(st.integers(0, 1_500), min_size=2, max_size=2), st.integers(0, 700))
def test_an_amount_that_changes_charges_each_unit_once(
    used: list[tuple[int, int]], amounts: list[int], changed_at: int
) -> None:
    """E10, P7, P5: no hour charges more than was used in it, nor more than is above its amount."""
    before, after = amounts

    def amount(at: float) -> int:
        return before if at < changed_at else after

    known = [Used(float(hour), units) for hour, units in sorted(used)]
    above = {each.at: each for each in units_above(known, amount)}
    for hour in known:
        if hour.at in above:
            found = above[hour.at]
            assert found.units <= min(hour.units, found.reading - amount(hour.at))
    charged, reading = sum(each.units for each in above.values()), sum(units for _, units in known)
    assert charged <= max(0, reading - min(amounts))
    if after >= before:
        assert charged >= max(0, reading - after)
