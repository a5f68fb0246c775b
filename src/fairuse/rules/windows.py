"""Windows of time: rolling ones, calendar days, months and years in a zone, and no end at all.

A calendar window is half-open, [start, end), and runs from one local midnight to another, both
kept as UTC instants. A midnight that does not exist (F-34) is the instant the clocks jump. Months
and years begin on the contract's billing day, which clamps to the month's end (F-33).
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from fairuse.rules.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo
    from zoneinfo import ZoneInfo

Unit = Literal["day", "month", "year"]

HOUR = 3_600
QUARTER = 900
"""Seconds of which every zone is a multiple off UTC."""


class Span(NamedTuple):
    """One calendar window: seconds since 1970, the end not included."""

    start: int
    end: int


class BillingDay(NamedTuple):
    """The day a contract's months begin on, and the month its years begin in."""

    day: int = 1
    month: int = 1


FIRST = BillingDay()


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last so many seconds, at any moment."""

    seconds: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Calendar:
    """The day, month or year of the tenant's zone."""

    unit: Unit

    def span(self, moment: float, zone: ZoneInfo, billing: BillingDay = FIRST) -> Span:
        """Give the window that holds the moment (seconds since 1970)."""
        name = (self.unit, zone.key, billing)
        known = _latest.get(name)
        if known is None or not known.start <= moment < known.end:
            known = _latest[name] = _span(self.unit, int(moment // 1), zone, billing)
        return known

    def __str__(self) -> str:
        return f"calendar {self.unit}"


@dataclass(frozen=True, slots=True)
class Always:
    """No window: what is counted stays until it is given back."""

    def __str__(self) -> str:
        return "always"


Window = Rolling | Calendar | Always

_latest: dict[tuple[Unit, str, BillingDay], Span] = {}
"""The last answer per unit and zone: almost every request falls in the same window."""


def parse_window(text: str) -> Window:
    """Read "calendar month", "24 hours" or "always". Raises ValueError for anything else."""
    if text == "always":
        return Always()
    kind, _, unit = text.partition(" ")
    if kind != "calendar":
        return Rolling(parse_duration(text), text)
    for known in get_args(Unit):
        if unit == known:
            return Calendar(known)
    raise ValueError(f'"{text}" is no window; a calendar window is a day, a month or a year')


def hour_of(moment: float, zone: tzinfo) -> int:
    """Give the start of the hour that holds a moment, by a zone's clocks.

    In zones half an hour off UTC hours begin at half past, so that no hour is in two windows.
    """
    return _hour_of(int(moment // QUARTER), zone)


@lru_cache(maxsize=4_096)
def _hour_of(quarter: int, zone: tzinfo) -> int:
    second = quarter * QUARTER
    offset = datetime.fromtimestamp(second, zone).utcoffset() or timedelta()
    off = int(offset.total_seconds()) % HOUR
    return (second + off) // HOUR * HOUR - off


def months_before(moment: float, months: int, zone: ZoneInfo, billing: BillingDay) -> list[Span]:
    """Give the latest `months` windows that are over at a moment, the latest first."""
    spans, end = [], Calendar("month").span(moment, zone, billing).start
    for _ in range(months):
        span = _span("month", end - 1, zone, billing)
        spans.append(span)
        end = span.start
    return spans


def same_day(moment: float, months: int, zone: ZoneInfo) -> float:
    """Give the local midnight that begins the day so many months after a moment's day."""
    today = _span("day", int(moment // 1), zone, FIRST).start
    day = datetime.fromtimestamp(today, zone).date()
    years, month = divmod(day.month - 1 + months, 12)
    return midnight(_clamped(day.year + years, month + 1, day.day), zone)


def _clamped(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


def _month_begins(day: date, billing: BillingDay) -> date:
    begins = _clamped(day.year, day.month, billing.day)
    if begins <= day:
        return begins
    last = day.replace(day=1) - timedelta(days=1)
    return _clamped(last.year, last.month, billing.day)


def _next_month(begins: date, billing: BillingDay) -> date:
    following = begins.replace(day=1) + timedelta(days=32)
    return _clamped(following.year, following.month, billing.day)


def _year_begins(day: date, billing: BillingDay) -> date:
    begins = _clamped(day.year, billing.month, billing.day)
    return begins if begins <= day else _clamped(day.year - 1, billing.month, billing.day)


def _next_year(begins: date, billing: BillingDay) -> date:
    return _clamped(begins.year + 1, billing.month, billing.day)


_BEGINS: dict[Unit, Callable[[date, BillingDay], date]] = {
    "day": lambda day, _: day,
    "month": _month_begins,
    "year": _year_begins,
}
_NEXT: dict[Unit, Callable[[date, BillingDay], date]] = {
    "day": lambda day, _: day + timedelta(days=1),
    "month": _next_month,
    "year": _next_year,
}


@lru_cache(maxsize=1_024)
def _span(unit: Unit, second: int, zone: ZoneInfo, billing: BillingDay) -> Span:
    begins = _BEGINS[unit](datetime.fromtimestamp(second, zone).date(), billing)
    end = midnight(_NEXT[unit](begins, billing), zone)
    if end <= second:
        # The clocks went back over midnight (St. John's, 00:01 to 23:01): the new day has begun.
        begins = _NEXT[unit](begins, billing)
        end = midnight(_NEXT[unit](begins, billing), zone)
    return Span(midnight(begins, zone), end)


def midnight(day: date, zone: tzinfo) -> int:
    """Give the moment a local day begins; a gap resolves to its edge (PEP 495, fold=0)."""
    return int(datetime.combine(day, time.min, zone).astimezone(UTC).timestamp())


def months_back(months: int, moment: float, zone: ZoneInfo, billing: BillingDay) -> float:
    """Give where so many calendar months begin, the one of a moment included."""
    if months == 1:
        return Calendar("month").span(moment, zone, billing).start
    return months_before(moment, months - 1, zone, billing)[-1].start
