"""Calendar windows in any zone, from any billing day: they cut the time line, 2000 to 2100.

The expected dates are reckoned here by counting days, and a boundary is known by the wall clock
on both sides of it; neither is how the windows themselves are found.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from math import nextafter
from typing import NamedTuple, get_args
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairuse.rules.windows import (
    HOUR,
    BillingDay,
    Calendar,
    Unit,
    hour_of,
    months_before,
    same_day,
)

DAY = 86_400
APIA = ZoneInfo("Pacific/Apia")
ST_JOHNS = ZoneInfo("America/St_Johns")
HARD = (
    "Africa/Cairo",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Amsterdam",
    "Pacific/Apia",
)
SKIPPED = {"Pacific/Apia": date(2011, 12, 30), "Pacific/Fakaofo": date(2011, 12, 30)}

FIRST, LAST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2101))
MOMENTS = st.floats(FIRST, LAST, exclude_max=True)
BILLING_DAYS = st.builds(BillingDay, st.integers(1, 31), st.integers(1, 12))
WINDOWS = st.sampled_from([Calendar("day"), Calendar("month"), Calendar("year")])
ZONES = (st.sampled_from(HARD) | st.sampled_from(sorted(available_timezones()))).map(ZoneInfo)


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class Place(NamedTuple):
    """A moment in a zone, under a contract."""

    zone: ZoneInfo
    moment: float
    billing: BillingDay = BillingDay()


@st.composite
def _places(draw: st.DrawFn) -> Place:
    """Give a place: often near a change of clocks, and often on the billing day itself."""
    zone = draw(ZONES)
    near = st.tuples(st.sampled_from(_changes(zone) or [FIRST + DAY]), st.floats(-DAY, DAY))
    moment = draw(MOMENTS | near.map(sum))
    today = _local(moment, zone)
    return Place(zone, moment, draw(BILLING_DAYS | st.just(BillingDay(today.day, today.month))))


@cache
def _changes(zone: ZoneInfo) -> list[int]:
    """Give each second at which the clocks change; no zone changes and goes back in a week."""
    weeks = pairwise(range(FIRST, LAST, 7 * DAY))
    return [
        _change(*week, zone) for week in weeks if _offset(week[0], zone) != _offset(week[1], zone)
    ]


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    old = _offset(before, zone)
    return before + bisect_left(
        range(before, after), True, key=lambda second: _offset(second, zone) != old
    )


def _offset(second: int, zone: ZoneInfo) -> timedelta | None:
    return _local(second, zone).utcoffset()


def _local(moment: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(moment // 1, zone)  # floor: it rounds


def _clamped(year: int, month: int, day: int) -> date:
    """Give a day counted from the first of a month, which may be one of another year."""
    first, following = (
        date(year + (number - 1) // 12, (number - 1) % 12 + 1, 1) for number in (month, month + 1)
    )
    return min(first + timedelta(days=day - 1), following - timedelta(days=1))


def _dates(unit: Unit, day: date, billing: BillingDay) -> tuple[date, date]:
    """Give the dates on which the window that begins about a day begins and ends."""
    match unit:
        case "day":
            return day, day + timedelta(days=1)
        case "month":
            ends = _clamped(day.year, day.month + 1, billing.day)
            return _clamped(day.year, day.month, billing.day), ends
        case "year":
            ends = _clamped(day.year + 1, billing.month, billing.day)
            return _clamped(day.year, billing.month, billing.day), ends


def _assert_begins(day: date, second: int, zone: ZoneInfo) -> None:
    """Check that a day begins at a second: its first midnight, or where the clocks jump over it."""
    before, here = _local(second - 1, zone), _local(second, zone)
    midnight = datetime.combine(day, time.min)
    assert before.replace(tzinfo=None) < midnight <= here.replace(tzinfo=None)
    assert here.fold == 0
    jumps = here.replace(tzinfo=None) - before.replace(tzinfo=None) > timedelta(seconds=1)
    assert here.replace(tzinfo=None) == midnight or jumps


def _assert_whole(window: Calendar, place: Place) -> None:
    """Check that a moment's window holds it, and is one day, month or year from end to end."""
    zone, moment, billing = place
    span = window.span(moment, zone, billing)
    assert span.start <= moment < span.end
    begins, ends = _dates(window.unit, _local(span.start, zone).date(), billing)
    _assert_begins(begins, span.start, zone)
    _assert_begins(ends, span.end, zone)


@given(WINDOWS, _places())
@example(Calendar("day"), Place(ST_JOHNS, _utc("2006-10-29T02:45")))
@example(Calendar("day"), Place(APIA, _utc("2011-12-30T09:59:59")))
@example(Calendar("month"), Place(APIA, _utc("2011-12-30T10:00"), BillingDay(30, 12)))
@example(Calendar("year"), Place(APIA, _utc("2011-12-30T10:00"), BillingDay(31, 12)))
@settings(max_examples=600)
def test_windows_partition_the_time_line(window: Calendar, place: Place) -> None:
    """F-33: in every zone each moment of 2000-2100 is in one window, and windows meet exactly."""
    zone, moment, billing = place
    span = window.span(moment, zone, billing)
    assert span.start <= moment < span.end
    for inside in (span.start, (span.start + span.end) // 2, span.end - 1, span.end - 0.001):
        following = window.span(span.end, zone, billing)  # also replaces the answer it keeps
        assert following.start == span.end < following.end
        assert window.span(inside, zone, billing) == span
    for outside in (span.start - 1, span.start - 0.001):
        previous = window.span(outside, zone, billing)
        assert previous.start < previous.end == span.start


@given(WINDOWS, _places())
@example(Calendar("month"), Place(ST_JOHNS, _utc("2009-11-01T02:45")))
@example(Calendar("year"), Place(ST_JOHNS, _utc("2009-11-01T02:45"), BillingDay(1, 11)))
@settings(max_examples=600)
def test_a_window_is_one_unit_of_the_calendar(window: Calendar, place: Place) -> None:
    """F-33, F-34: a window runs from billing day to billing day, clamped, each from midnight."""
    _assert_whole(window, place)


@pytest.mark.parametrize("key", HARD)
def test_windows_about_every_change_of_clocks(key: str) -> None:
    """F-34: in the hard zones every window that begins about a change of clocks is whole."""
    zone = ZoneInfo(key)
    for change in _changes(zone) or [FIRST + DAY]:  # Kathmandu has none, but a quarter of an hour
        for at in (change - 1, change, change + DAY):
            day = _local(at, zone).date()
            for unit in get_args(Unit):
                _assert_whole(Calendar(unit), Place(zone, at, BillingDay(day.day, day.month)))


@given(_places())
@settings(max_examples=50)
def test_days_make_months_and_months_make_years(place: Place) -> None:
    """F-33: the days of a year, leap or not, add up to its months, and the months to the year."""
    zone, moment, billing = place
    year = Calendar("year").span(moment, zone, billing)
    starts: dict[Unit, set[int]] = {"day": set(), "month": set()}
    for unit, found in starts.items():
        second = year.start
        while second < year.end:
            found.add(second)
            second = Calendar(unit).span(second, zone, billing).end
        assert second == year.end
    assert starts["month"] < starts["day"]
    assert len(starts["month"]) == 12
    begins, ends = _dates("year", _local(year.start, zone).date(), billing)
    skipped = zone.key in SKIPPED and begins <= SKIPPED[zone.key] < ends
    assert len(starts["day"]) + skipped == (ends - begins).days


@given(_places(), st.integers(0, 24))
@settings(max_examples=200)
def test_months_that_are_over_come_one_after_another(place: Place, months: int) -> None:
    """F-33: the months before a moment are over, and run back from this one without a gap."""
    zone, moment, billing = place
    end = Calendar("month").span(moment, zone, billing).start
    spans = months_before(moment, months, zone, billing)
    assert len(spans) == months
    for span in spans:
        assert span.start < span.end == end <= moment
        assert span == Calendar("month").span(span.start, zone, billing)
        end = span.start


@given(_places(), st.integers(-12, 120))
@example(Place(ST_JOHNS, _utc("2006-10-29T02:45")), 0)
@example(Place(ST_JOHNS, nextafter(_utc("2026-03-31T02:30"), 0)), 1)
@settings(max_examples=500)
def test_the_same_day_is_clamped_and_begins_at_midnight(place: Place, months: int) -> None:
    """F-33, F-34: the same day months on is at most the month's last, from its first instant."""
    zone, moment, _ = place
    today = Calendar("day").span(moment, zone).start
    day = _local(today, zone).date()
    found = same_day(moment, months, zone)
    _assert_begins(_clamped(day.year, day.month + months, day.day), int(found), zone)
    assert same_day(moment, 0, zone) == today


@given(_places())
@settings(max_examples=500)
def test_a_day_of_unchanged_clocks_has_86400_seconds(place: Place) -> None:
    """F-36: no day but one of a change of clocks is longer or shorter, leap seconds or not."""
    span = Calendar("day").span(place.moment, place.zone)
    changed = any(span.start <= change <= span.end for change in _changes(place.zone))
    assert changed or span.end - span.start == DAY


@given(zone=ZONES, moment=st.floats(_utc("2020-01-01"), LAST, exclude_max=True))
@example(ZoneInfo("Asia/Kolkata"), _utc("2026-10-31T18:45:00"))
@example(ZoneInfo("Australia/Lord_Howe"), _utc("2026-10-03T15:15:00"))
def test_an_hour_is_in_one_day(zone: ZoneInfo, moment: float) -> None:
    """F-34, F-35: usage that is kept by the hour is kept in the day that it was used in."""
    hour, (start, end) = hour_of(moment, zone), Calendar("day").span(moment, zone)
    assert hour <= moment < hour + HOUR
    assert start <= hour
    assert hour + HOUR <= end
