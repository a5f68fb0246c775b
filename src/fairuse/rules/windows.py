"""Windows of time: rolling ones, and calendar days, months and years in a zone.

A calendar window is half-open, [start, end), and runs from one local midnight to another, both
kept as UTC instants. A midnight that does not exist (F-34) is the instant the clocks jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from fairuse.rules.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

Unit = Literal["day", "month", "year"]


class Span(NamedTuple):
    """One calendar window: seconds since 1970, the end not included."""

    start: int
    end: int


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

    def span(self, moment: float, zone: ZoneInfo) -> Span:
        """Give the window that holds the moment (seconds since 1970)."""
        known = _latest.get((self.unit, zone.key))
        if known is None or not known.start <= moment < known.end:
            known = _latest[self.unit, zone.key] = _span(self.unit, int(moment // 1), zone)
        return known

    def __str__(self) -> str:
        return f"calendar {self.unit}"


Window = Rolling | Calendar

_latest: dict[tuple[Unit, str], Span] = {}
"""The last answer per unit and zone: almost every request falls in the same window."""


def parse_window(text: str) -> Window:
    """Read "calendar month" or "24 hours". Raises ValueError for anything else."""
    kind, _, unit = text.partition(" ")
    if kind != "calendar":
        return Rolling(parse_duration(text), text)
    for known in get_args(Unit):
        if unit == known:
            return Calendar(known)
    raise ValueError(f'"{text}" is no window; a calendar window is a day, a month or a year')


def _next_day(day: date) -> date:
    return day + timedelta(days=1)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _next_year(day: date) -> date:
    return date(day.year + 1, 1, 1)


_FIRST: dict[Unit, Callable[[date], date]] = {
    "day": lambda day: day,
    "month": lambda day: day.replace(day=1),
    "year": lambda day: date(day.year, 1, 1),
}
_NEXT: dict[Unit, Callable[[date], date]] = {
    "day": _next_day,
    "month": _next_month,
    "year": _next_year,
}


@lru_cache(maxsize=1_024)
def _span(unit: Unit, second: int, zone: ZoneInfo) -> Span:
    first = _FIRST[unit](datetime.fromtimestamp(second, zone).date())
    end = _midnight(_NEXT[unit](first), zone)
    if end <= second:
        # The clocks went back over midnight (St. John's, 00:01 to 23:01): the new day has begun.
        first = _NEXT[unit](first)
        end = _midnight(_NEXT[unit](first), zone)
    return Span(_midnight(first, zone), end)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """Give the instant a local day begins; a gap resolves to its edge (PEP 495, fold=0)."""
    return int(datetime.combine(day, time.min, zone).astimezone(UTC).timestamp())
