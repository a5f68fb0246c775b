"""Windows: how they read, and where the calendar's odd days, months and years begin and end."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from fairuse.rules.windows import Always, Calendar, Rolling, Unit, parse_window

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
HOUR, DAY = 3_600, 86_400


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


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
    span = Calendar(unit).span(_utc(moment), AMSTERDAM)
    assert (span.start, span.end) == (_utc(start), _utc(end))


@pytest.mark.parametrize(
    ("unit", "day", "hours"),
    [
        ("month", "2026-03-10", 743),
        ("month", "2026-10-10", 745),
        ("month", "2026-07-10", 744),
        ("day", "2026-03-29", 23),
        ("day", "2026-10-25", 25),
        ("year", "2026-07-10", 8_760),
    ],
)
def test_clocks_that_change_in_amsterdam(unit: Unit, day: str, hours: int) -> None:
    """F-34, S18: March misses an hour and October has one more; the year has all of its hours."""
    span = Calendar(unit).span(_utc(day), AMSTERDAM)
    assert span.end - span.start == hours * HOUR


@pytest.mark.parametrize("zone", ["Etc/UTC", "Europe/Amsterdam", "Asia/Kathmandu"])
@pytest.mark.parametrize("day", ["2005-12-31", "2012-06-30", "2015-06-30", "2016-12-31"])
def test_leap_seconds_are_not_counted(zone: str, day: str) -> None:
    """F-36: a day that ended with a leap second, and the next one, have 86,400 seconds."""
    span = Calendar("day").span(_utc(day), ZoneInfo(zone))
    following = Calendar("day").span(span.end, ZoneInfo(zone))
    assert span.end - span.start == following.end - following.start == DAY


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


def test_no_end_at_all_is_read() -> None:
    """What stays until it is given back has no window, and is written as "always"."""
    assert parse_window("always") == Always()
    assert str(Always()) == "always"


NO_WINDOW = '"{}" is no window; a calendar window is a day, a month or a year'
NO_SPAN = '"{}" is no span of time; write it like "15 minutes" or "24 hours"'
WRONG = {
    "calendar": NO_WINDOW,
    "calendar ": NO_WINDOW,
    "calendar always": NO_WINDOW,
    "calendar week": NO_WINDOW,
    "calendar  month": NO_WINDOW,
    "calendar months": NO_WINDOW,
    "calendar month\n": NO_WINDOW,
    "Calendar month": NO_SPAN,
    "month": NO_SPAN,
    "Always": NO_SPAN,
    "always ": NO_SPAN,
    "0 hours": NO_SPAN,
    "24 hours\n": NO_SPAN,
}


@pytest.mark.parametrize(("text", "message"), WRONG.items(), ids=map(repr, WRONG))
def test_what_is_no_window(text: str, message: str) -> None:
    """A text that is no window is an error that says what a window is."""
    with pytest.raises(ValueError, match="is no") as caught:
        parse_window(text)
    assert str(caught.value) == message.format(text)
