"""Spans of time as a contract writes them: "15 minutes", "24 hours", "14 days", "12 months"."""

from __future__ import annotations

import re

from fairuse.base.spans import SECONDS

LENGTHS: dict[str, int] = {
    unit: seconds for unit, seconds in SECONDS.items() if unit not in {"month", "year"}
}
"""The units that always have the same length; months and years are calendar windows."""

_SPAN = re.compile(rf"([0-9]{{1,9}}) ({'|'.join(LENGTHS)})s?")
_MONTHS = re.compile(r"([0-9]{1,3}) months?")


def parse_duration(text: str) -> int:
    """Read a span of time, in seconds. Raises ValueError for anything but a positive span."""
    found = _SPAN.fullmatch(text)
    if not found or int(found[1]) == 0:
        raise ValueError(f'"{text}" is no span of time; write it like "15 minutes" or "24 hours"')
    return int(found[1]) * LENGTHS[found[2]]


def parse_months(value: object) -> int:
    """Read a number of calendar months. Raises ValueError for anything but a positive one."""
    found = _MONTHS.fullmatch(value) if isinstance(value, str) else None
    if not found or int(found[1]) == 0:
        raise ValueError(f'{value!r} is no number of months; write it like "12 months"')
    return int(found[1])
