"""When items that stay open count as finished (E29)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.windows import Calendar, same_day

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from fairuse.rules.meters import Ageing
    from fairuse.rules.windows import BillingDay


def counts_as_finished_at(
    opened_at: float, ageing: Ageing, zone: ZoneInfo, billing: BillingDay
) -> float:
    """Give the moment: so many months after the item was opened, or at the contract year's end."""
    if ageing.by == "contract year":
        return Calendar("year").span(opened_at, zone, billing).end
    return same_day(opened_at, ageing.after, zone)


def warned_at(counts_at: float, ageing: Ageing, zone: ZoneInfo) -> float:
    """Give the moment from which the customer is warned."""
    return same_day(counts_at, -ageing.warn, zone)
