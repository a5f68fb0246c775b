"""Where a tally stands against its amount, in words (A06)."""

from __future__ import annotations

from typing import Literal

Standing = Literal["within", "warning", "excessive"]

WARNING_SHARE = 0.8


def standing(used: int, amount: int) -> Standing:
    """Say where so many used units stand; the last allowed unit is within (A05: strictly over)."""
    if used > amount:
        return "excessive"
    return "warning" if used >= WARNING_SHARE * amount and used > 0 else "within"
