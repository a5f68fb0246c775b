"""Reading an entry of the record, whatever somebody may have made of it: nothing here raises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairuse.rules.record import Entry


def number(entry: Entry, name: str) -> float | None:
    """Give a figure of an entry; None where it says none."""
    value = entry.data.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return value


def count(entry: Entry, name: str) -> int:
    """Give a whole number of an entry; 0 where it says none."""
    return int(number(entry, name) or 0)


def text(entry: Entry, name: str) -> str:
    """Give a text of an entry; "" where it says none."""
    value = entry.data.get(name)
    return value if isinstance(value, str) else ""


def scope_of(entry: Entry) -> dict[str, str] | None:
    """Give the scope of an entry; None where it says none."""
    value = entry.data.get("scope")
    if not isinstance(value, dict):
        return None
    return {name: str(part) for name, part in value.items()}
