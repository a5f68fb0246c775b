"""Amounts: how many units a limit allows, and where that number comes from."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_AMOUNT = 2**53 - 1
"""Every store counts exactly up to here: Lua's numbers are doubles (F-27)."""

_WHOLE = re.compile(r"[0-9]{1,100}")


class Amount(NamedTuple):
    """A limit's amount in force, and why it is that: `policy`, or an override with its end."""

    value: int
    source: str


def parse_amount(text: object) -> int:
    """Read a whole number of units, 0 or more. Raises ValueError for anything else."""
    written = str(text) if isinstance(text, str | int) and not isinstance(text, bool) else ""
    if not _WHOLE.fullmatch(written):
        raise ValueError(f"{text!r} is no amount; write a whole number of units, 0 or more")
    if int(written) > MAX_AMOUNT:
        raise ValueError(f"{written} is more than can be counted exactly ({MAX_AMOUNT})")
    return int(written)
