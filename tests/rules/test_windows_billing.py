"""Windows that begin on a contract's billing day, the months before, and the same day months on."""

from __future__ import annotations

from datetime import UTC, datetime
from math import nextafter
from zoneinfo import ZoneInfo

import pytest

from fairuse.rules.windows import BillingDay, Calendar, Span, Unit, months_before, same_day

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


BILLED = {
    "31: January's": (
        "Europe/Amsterdam", "month", (31, 1), "2026-02-27T22:59:59",
        "2026-01-30T23:00", "2026-02-27T23:00"),
    "31: February's last": (
        "Europe/Amsterdam", "month", (31, 1), "2026-02-27T23:00",
        "2026-02-27T23:00", "2026-03-30T22:00"),
    "31: leap year": (
        "Europe/Amsterdam", "month", (31, 1), "2024-02-28T22:59:59",
        "2024-01-30T23:00", "2024-02-28T23:00"),
    "31: no leap year 2100": (
        "Europe/Amsterdam", "month", (31, 1), "2100-02-27T23:00",
        "2100-02-27T23:00", "2100-03-30T22:00"),
    "31: 30 days": (
        "Europe/Amsterdam", "month", (31, 1), "2026-05-01T12:00",
        "2026-04-29T22:00", "2026-05-30T22:00"),
    "30: turn of the year": (
        "Europe/Amsterdam", "month", (30, 1), "2027-01-01T12:00",
        "2026-12-29T23:00", "2027-01-29T23:00"),
    "29 February: to the 28th": (
        "Europe/Amsterdam", "year", (29, 2), "2024-12-31T12:00",
        "2024-02-28T23:00", "2025-02-27T23:00"),
    "29 February: from 28th to 29th": (
        "Europe/Amsterdam", "year", (31, 2), "2028-02-28T22:59:59",
        "2027-02-27T23:00", "2028-02-28T23:00"),
    "a year from 31 April": (
        "Asia/Kathmandu", "year", (31, 4), "2026-04-29T18:14:59",
        "2025-04-29T18:15", "2026-04-29T18:15"),
    "Santiago: from no midnight": (
        "America/Santiago", "month", (8, 9), "2024-09-08T04:00",
        "2024-09-08T04:00", "2024-10-08T03:00"),
    "Sao Paulo: to no midnight": (
        "America/Sao_Paulo", "month", (4, 11), "2018-11-04T02:59:59",
        "2018-10-04T03:00", "2018-11-04T03:00"),
    "Cairo: a year from no midnight": (
        "Africa/Cairo", "year", (26, 4), "2024-04-25T22:00",
        "2024-04-25T22:00", "2025-04-25T21:00"),
    "Beirut: 31 has no midnight": (
        "Asia/Beirut", "month", (31, 1), "2024-03-30T22:00",
        "2024-03-30T22:00", "2024-04-29T21:00"),
    "Apia: to the skipped day": (
        "Pacific/Apia", "month", (30, 12), "2011-12-30T09:59:59",
        "2011-11-30T10:00", "2011-12-30T10:00"),
    "Apia: from the skipped day": (
        "Pacific/Apia", "month", (30, 12), "2011-12-30T10:00",
        "2011-12-30T10:00", "2012-01-29T10:00"),
    "Apia: a year from the day after": (
        "Pacific/Apia", "year", (31, 12), "2011-12-30T10:00",
        "2011-12-30T10:00", "2012-12-30T10:00"),
    "St. John's: 23:15 again": (
        "America/St_Johns", "month", (29, 1), "2006-10-29T02:45",
        "2006-10-29T02:30", "2006-11-29T03:30"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "unit", "billing", "moment", "start", "end"), BILLED.values(), ids=BILLED
)
def test_billing_days(
    zone: str, unit: Unit, billing: tuple[int, int], moment: str, start: str, end: str
) -> None:
    """F-33, F-34: a month or year begins on the contract's day, at the latest its month's last."""
    span = Calendar(unit).span(_utc(moment), ZoneInfo(zone), BillingDay(*billing))
    assert (span.start, span.end) == (_utc(start), _utc(end))


def test_months_that_are_over() -> None:
    """F-33: the months before this one come latest first, and begin on the contract's day."""
    now, last_day = _utc("2024-04-15"), BillingDay(31)
    begins = [int(_utc(f"2024-{day}T23:00")) for day in ("03-30", "02-28", "01-30")]
    assert months_before(now, 2, AMSTERDAM, last_day) == [
        Span(begins[1], begins[0]),
        Span(begins[2], begins[1]),
    ]
    assert months_before(now, 0, AMSTERDAM, last_day) == []


SAME_DAYS = {
    "a month on": ("Europe/Amsterdam", "2026-03-15T12:00", 1, "2026-04-14T22:00"),
    "the same day": ("Europe/Amsterdam", "2026-03-15T12:00", 0, "2026-03-14T23:00"),
    "31 January": ("Europe/Amsterdam", "2026-01-31T12:00", 1, "2026-02-27T23:00"),
    "31 January, leap year": ("Europe/Amsterdam", "2028-01-31T12:00", 1, "2028-02-28T23:00"),
    "29 February": ("Europe/Amsterdam", "2024-02-29T12:00", 12, "2025-02-27T23:00"),
    "29 February, 4 years": ("Europe/Amsterdam", "2024-02-29T12:00", 48, "2028-02-28T23:00"),
    "December": ("Europe/Amsterdam", "2026-11-30T23:00", 12, "2027-11-30T23:00"),
    "back over the year": ("Europe/Amsterdam", "2026-01-31T12:00", -2, "2025-11-29T23:00"),
    "no midnight": ("America/Santiago", "2024-08-08T12:00", 1, "2024-09-08T04:00"),
    "the skipped day": ("Pacific/Apia", "2011-11-30T12:00", 1, "2011-12-30T10:00"),
    "23:15 again": ("America/St_Johns", "2006-10-29T02:45", 1, "2006-11-29T03:30"),
}


@pytest.mark.parametrize(("zone", "moment", "months", "day"), SAME_DAYS.values(), ids=SAME_DAYS)
def test_the_same_day_of_another_month(zone: str, moment: str, months: int, day: str) -> None:
    """F-33, F-34: a day some months on is the same day, clamped, from its first instant."""
    assert same_day(_utc(moment), months, ZoneInfo(zone)) == _utc(day)


def test_the_last_instant_of_a_day() -> None:
    """F-33: the last moment a float can tell from midnight is still of the day that ends."""
    midnight = _utc("2026-03-31T22:00")
    assert same_day(nextafter(midnight, 0), 1, AMSTERDAM) == _utc("2026-04-29T22:00")
