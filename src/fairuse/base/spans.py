"""How long the units of time are, as policies, rates and people write them."""

from __future__ import annotations

from typing import Literal

Unit = Literal["second", "minute", "hour", "day", "week", "month", "year"]

SECONDS: dict[Unit, int] = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "week": 604_800,
    "month": 30 * 86_400,  # as the rates of `limits` mean it, and Babel
    "year": 365 * 86_400,
}
