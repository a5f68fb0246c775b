"""Spans of time as a contract writes them: "15 minutes", "24 hours", "14 days"."""

from __future__ import annotations

import re

SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}

_SPAN = re.compile(r"([0-9]{1,9}) (second|minute|hour|day|week)s?")


def parse_duration(text: str) -> int:
    """Read a span of time, in seconds. Raises ValueError for anything but a positive span."""
    found = _SPAN.fullmatch(text)
    if not found or int(found[1]) == 0:
        raise ValueError(f'"{text}" is no span of time; write it like "15 minutes" or "24 hours"')
    return int(found[1]) * SECONDS[found[2]]
