"""Windows: calendar ones cut the time line of a zone without a gap or an overlap."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fairuse.rules.windows import Calendar, Rolling, Unit, parse_window

ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
UNITS = st.sampled_from([Calendar("day"), Calendar("month"), Calendar("year")])
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2000, 2101))
MOMENTS = st.floats(FIRST, LAST, exclude_max=True)
ST_JOHNS = ZoneInfo("America/St_Johns")


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _unit_of(window: Calendar, moment: float, zone: ZoneInfo) -> tuple[int, ...]:
    day = datetime.fromtimestamp(moment // 1, zone).date()  # floor: it rounds
    return (day.year, day.month, day.day)[: {"day": 3, "month": 2, "year": 1}[window.unit]]


@given(UNITS, ZONES, MOMENTS)
@example(Calendar("day"), ST_JOHNS, _utc("2006-10-29T02:45"))
@example(Calendar("day"), ZoneInfo("Pacific/Apia"), _utc("2011-12-30T09:59:59"))
@settings(max_examples=1_000, deadline=None)
def test_windows_partition_the_time_line(window: Calendar, zone: ZoneInfo, moment: float) -> None:
    """F-33: in every zone each moment of 2000-2100 is in one window, and windows meet exactly."""
    span = window.span(moment, zone)
    assert span.start <= moment < span.end
    assert window.span(span.start, zone) == window.span(span.end - 0.001, zone) == span
    assert window.span(span.end, zone).start == span.end
    assert window.span(span.start - 0.001, zone).end == span.start


@given(UNITS, ZONES, MOMENTS)
@example(Calendar("month"), ST_JOHNS, _utc("2009-11-01T02:45"))
@settings(max_examples=300, deadline=None)
def test_a_window_is_one_unit_of_the_calendar(
    window: Calendar, zone: ZoneInfo, moment: float
) -> None:
    """F-33, F-34: a window begins at the first instant of its day, month or year and is whole."""
    span = window.span(moment, zone)
    unit = _unit_of(window, span.start, zone)
    assert _unit_of(window, span.start - 1, zone) < unit < _unit_of(window, span.end, zone)
    assert unit == _unit_of(window, (span.start + span.end) / 2, zone)
    # Where the clocks go back over midnight, a moment of the new day has the old day's date again.
    assert _unit_of(window, moment, zone) <= unit


@given(ZONES, st.integers(2000, 2099))
@settings(max_examples=25, deadline=None)
def test_days_make_months_and_months_make_years(zone: ZoneInfo, year: int) -> None:
    """F-33: the days of a year, leap or not, add up to its months, and the months to the year."""
    whole = Calendar("year").span(datetime(year, 7, 1, tzinfo=UTC).timestamp(), zone)
    starts: dict[Unit, set[int]] = {"day": set(), "month": set()}
    for unit, found in starts.items():
        moment = whole.start
        while moment < whole.end:
            found.add(moment)
            moment = Calendar(unit).span(moment, zone).end
        assert moment == whole.end
    assert starts["month"] < starts["day"]
    assert len(starts["month"]) == 12
    skipped = zone.key in {"Pacific/Apia", "Pacific/Fakaofo"} and year == 2011
    assert len(starts["day"]) + skipped == date(year, 12, 31).timetuple().tm_yday


VECTORS = {
    "Santiago: no midnight": (
        "America/Santiago", "2024-09-08T12:00", "2024-09-08T04:00", "2024-09-09T03:00"),
    "Santiago: the day before": (
        "America/Santiago", "2024-09-08T03:59:59", "2024-09-07T04:00", "2024-09-08T04:00"),
    "Sao Paulo: no midnight": (
        "America/Sao_Paulo", "2018-11-04T12:00", "2018-11-04T03:00", "2018-11-05T02:00"),
    "Cairo: no midnight": (
        "Africa/Cairo", "2024-04-26T12:00", "2024-04-25T22:00", "2024-04-26T21:00"),
    "Beirut: no midnight": (
        "Asia/Beirut", "2024-03-31T12:00", "2024-03-30T22:00", "2024-03-31T21:00"),
    "Apia: before the skipped day": (
        "Pacific/Apia", "2011-12-30T09:59", "2011-12-29T10:00", "2011-12-30T10:00"),
    "Apia: after the skipped day": (
        "Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00", "2011-12-31T10:00"),
    "Lord Howe: half an hour back": (
        "Australia/Lord_Howe", "2024-04-07T00:00", "2024-04-06T13:00", "2024-04-07T13:30"),
    "Lord Howe: half an hour forward": (
        "Australia/Lord_Howe", "2024-10-06T00:00", "2024-10-05T13:30", "2024-10-06T13:00"),
    "Amsterdam: 23 hours": (
        "Europe/Amsterdam", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
    "Amsterdam: 25 hours": (
        "Europe/Amsterdam", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    "Havana: midnight twice": (
        "America/Havana", "2024-11-03T05:30", "2024-11-03T04:00", "2024-11-04T05:00"),
    "St. John's: first 00:00": (
        "America/St_Johns", "2006-10-29T02:30", "2006-10-29T02:30", "2006-10-30T03:30"),
    "St. John's: 23:15 again": (
        "America/St_Johns", "2006-10-29T02:45", "2006-10-29T02:30", "2006-10-30T03:30"),
    "St. John's: second 00:00": (
        "America/St_Johns", "2006-10-29T03:30", "2006-10-29T02:30", "2006-10-30T03:30"),
    "St. John's: the evening before": (
        "America/St_Johns", "2006-10-29T02:29:59", "2006-10-28T02:30", "2006-10-29T02:30"),
}  # fmt: skip


@pytest.mark.parametrize(("zone", "moment", "start", "end"), VECTORS.values(), ids=VECTORS)
def test_odd_days(zone: str, moment: str, start: str, end: str) -> None:
    """F-34: days of 23, 24.5 and 25 hours, without midnight, with two, and next to none."""
    span = Calendar("day").span(_utc(moment), ZoneInfo(zone))
    assert (span.start, span.end) == (_utc(start), _utc(end))


MONTHS = {
    "29 February": ("month", "2024-02-29T22:59:59", "2024-01-31T23:00", "2024-02-29T23:00"),
    "no 29 February": ("month", "2026-02-28T22:59:59", "2026-01-31T23:00", "2026-02-28T23:00"),
    "no 29 February 2100": ("month", "2100-02-20T00:00", "2100-01-31T23:00", "2100-02-28T23:00"),
    "the clocks change": ("month", "2026-10-31T22:59:59", "2026-09-30T22:00", "2026-10-31T23:00"),
    "turn of the year": ("month", "2026-12-31T22:59:59", "2026-11-30T23:00", "2026-12-31T23:00"),
    "leap year": ("year", "2024-02-29T12:00", "2023-12-31T23:00", "2024-12-31T23:00"),
    "last second of a year": (
        "year",
        "2026-12-31T22:59:59",
        "2025-12-31T23:00",
        "2026-12-31T23:00",
    ),
}


@pytest.mark.parametrize(("unit", "moment", "start", "end"), MONTHS.values(), ids=MONTHS)
def test_months_and_years(unit: Unit, moment: str, start: str, end: str) -> None:
    """F-33, A05 (the month is the tenant's own): months end at local midnight, leap or not."""
    span = Calendar(unit).span(_utc(moment), ZoneInfo("Europe/Amsterdam"))
    assert (span.start, span.end) == (_utc(start), _utc(end))


@pytest.mark.parametrize("unit", ["day", "month", "year"])
def test_calendar_windows_are_read(unit: Unit) -> None:
    """A calendar window reads as it is written."""
    window = parse_window(f"calendar {unit}")
    assert window == Calendar(unit)
    assert str(window) == f"calendar {unit}"


@pytest.mark.parametrize(("text", "seconds"), [("1 minute", 60), ("24 hours", 86_400)])
def test_rolling_windows_are_read(text: str, seconds: int) -> None:
    """A rolling window reads as it is written."""
    window = parse_window(text)
    assert window == Rolling(seconds, text)
    assert str(window) == text


NO_WINDOW = '"{}" is no window; a calendar window is a day, a month or a year'
NO_SPAN = '"{}" is no span of time; write it like "15 minutes" or "24 hours"'
WRONG = {
    "calendar": NO_WINDOW,
    "calendar ": NO_WINDOW,
    "calendar week": NO_WINDOW,
    "calendar  month": NO_WINDOW,
    "calendar months": NO_WINDOW,
    "calendar month\n": NO_WINDOW,
    "Calendar month": NO_SPAN,
    "month": NO_SPAN,
    "0 hours": NO_SPAN,
    "24 hours\n": NO_SPAN,
}


@pytest.mark.parametrize(("text", "message"), WRONG.items(), ids=map(repr, WRONG))
def test_what_is_no_window(text: str, message: str) -> None:
    """A text that is no window is an error that says what a window is."""
    with pytest.raises(ValueError, match="is no") as caught:
        parse_window(text)
    assert str(caught.value) == message.format(text)
