"""The forecast of a window: an even pace, never too early, never before now."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.forecast import forecast
from fairuse.rules.windows import Span

DAY = 86_400
MONTH = Span(1_793_488_000, 1_793_488_000 + 30 * DAY)
COUNTS = st.integers(1, 10**12)
MOMENTS = st.floats(MONTH.start + 3 * DAY, MONTH.end, exclude_max=True)


def _at(days: float) -> float:
    return MONTH.start + days * DAY


def test_an_even_pace_goes_on() -> None:
    """D18: 400 of 1,000 after ten of thirty days come to 1,200, and to 1,000 after 25 days."""
    found = forecast("flow", MONTH, 400, 1_000, _at(10))
    assert found is not None
    assert found.total == 1_200
    assert found.reached_at == pytest.approx(_at(25))


def test_what_stays_within_has_no_day() -> None:
    """D18: a pace that comes to exactly the amount does not go above it."""
    assert forecast("flow", MONTH, 400, 1_200, _at(10)) == (1_200, None)


@pytest.mark.parametrize(("days", "known"), [(0, False), (2.9, False), (3, True), (30, False)])
def test_an_early_burst_is_no_forecast(days: float, known: bool) -> None:
    """D18, A04: before a tenth of the window is over nothing is forecast, nor once it is over."""
    assert (forecast("flow", MONTH, 900, 1_000, _at(days)) is not None) is known


@pytest.mark.parametrize("kind", ["level", "members", "items"])
def test_a_level_has_no_pace(kind: str) -> None:
    """D18: what is stored today, or who was seen, says nothing of the end of the month."""
    assert forecast(kind, MONTH, 900, 1_000, _at(10)) is None  # type: ignore[arg-type]


@given(first=COUNTS, second=COUNTS, amount=COUNTS, moment=MOMENTS)
def test_more_use_is_never_forecast_as_less(
    first: int, second: int, amount: int, moment: float
) -> None:
    """D18: whoever used more ends with more, and not later."""
    less, more = sorted((first, second))
    low = forecast("flow", MONTH, less, amount, moment)
    high = forecast("flow", MONTH, more, amount, moment)
    assert low is not None
    assert high is not None
    assert less <= low.total <= high.total
    if low.reached_at is not None:
        assert high.reached_at is not None
        assert high.reached_at <= low.reached_at


@given(reading=COUNTS, amount=COUNTS, moment=MOMENTS)
def test_the_day_lies_between_now_and_the_end(reading: int, amount: int, moment: float) -> None:
    """D18: there is a day exactly where it comes to more, never before now or after the window."""
    found = forecast("flow", MONTH, reading, amount, moment)
    assert found is not None
    assert (found.reached_at is not None) == (found.total > amount)
    if found.reached_at is not None:
        assert moment <= found.reached_at <= MONTH.end


@given(reading=COUNTS, earlier=MOMENTS, later=MOMENTS)
def test_who_pauses_slows_down(reading: int, earlier: float, later: float) -> None:
    """D18: the same count at a later moment comes to no more."""
    first, second = sorted((earlier, later))
    before = forecast("flow", MONTH, reading, 1, first)
    after = forecast("flow", MONTH, reading, 1, second)
    assert before is not None
    assert after is not None
    assert after.total <= before.total
