"""Items that stay open: when they count as finished, and from when the customer is warned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import utc, wrong

from fairuse.rules.ageing import counts_as_finished_at, warned_at
from fairuse.rules.meters import Ageing
from fairuse.rules.policy import DAY
from fairuse.rules.windows import FIRST, BillingDay

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
AGEING: dict[str, Any] = {"after": "12 months", "into": "pages"}


def _ageing(**changes: Any) -> Ageing:
    return Ageing.model_validate(AGEING | changes)


AGED: dict[str, tuple[str, dict[str, Any], str]] = {
    "the same day a year on": ("2025-03-10T13:00:00", {}, "2026-03-09T23:00:00"),
    "at its first moment": ("2025-03-09T23:00:00", {}, "2026-03-09T23:00:00"),
    "at the last of the day before": ("2025-03-09T22:59:59", {}, "2026-03-08T23:00:00"),
    "from winter into summer": ("2025-01-15T12:00:00", {"after": "6 months"}, "2025-07-14T22:00"),
    "a leap day": ("2024-02-29T12:00:00", {}, "2025-02-27T23:00:00"),
    "no 31st": ("2025-01-31T12:00:00", {"after": "1 month"}, "2025-02-27T23:00:00"),
    "over the turn of the year": ("2025-11-10T12:00", {"after": "3 months"}, "2026-02-09T23:00"),
    "two years": ("2025-03-10T13:00:00", {"after": "24 months"}, "2027-03-09T23:00:00"),
}


@pytest.mark.parametrize(("opened", "changes", "counts"), AGED.values(), ids=AGED)
def test_an_item_counts_the_same_day_months_on(
    opened: str, changes: dict[str, Any], counts: str
) -> None:
    """E29: a page opened on 2025-03-10 counts as finished when 2026-03-10 begins, local time."""
    found = counts_as_finished_at(utc(opened), _ageing(**changes), AMSTERDAM, FIRST)
    assert found == utc(counts)


YEARS = {
    "calendar year": (FIRST, "2025-03-10T13:00:00", "2025-12-31T23:00:00"),
    "the contract's own year": (BillingDay(1, 7), "2025-03-10T13:00:00", "2025-06-30T22:00:00"),
    "just begun": (BillingDay(1, 7), "2025-06-30T22:00:00", "2026-06-30T22:00:00"),
    "just over": (BillingDay(1, 7), "2025-06-30T21:59:59", "2025-06-30T22:00:00"),
}


@pytest.mark.parametrize(("billing", "opened", "counts"), YEARS.values(), ids=YEARS)
def test_items_count_at_the_end_of_the_contract_year(
    billing: BillingDay, opened: str, counts: str
) -> None:
    """E29, E (ambiguity 10a): or all open pages count when the contract's year is over."""
    ageing = _ageing(by="contract year")
    assert counts_as_finished_at(utc(opened), ageing, AMSTERDAM, billing) == utc(counts)


WARNED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a month before": ("2026-03-09T23:00:00", {}, "2026-02-09T23:00:00"),
    "three months before": ("2026-03-09T23:00:00", {"warn": "3 months"}, "2025-12-09T23:00:00"),
    "no 31st": ("2026-03-30T22:00:00", {}, "2026-02-27T23:00:00"),
    "in the year before": ("2026-01-09T23:00:00", {}, "2025-12-09T23:00:00"),
}


@pytest.mark.parametrize(("counts", "changes", "warned"), WARNED.values(), ids=WARNED)
def test_the_customer_is_warned_before(counts: str, changes: dict[str, Any], warned: str) -> None:
    """E29 (warned before): from the same day a month earlier, unless the policy says otherwise."""
    assert warned_at(utc(counts), _ageing(**changes), AMSTERDAM) == utc(warned)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001
    st.integers(1, 36),
    st.sampled_from(["Europe/Amsterdam", "America/St_Johns", "Pacific/Apia", "UTC"]),
)
def test_a_warning_comes_between(opened: datetime, months: int, name: str) -> None:
    """E29: a page counts after it was opened and warned of, and later ones never before it."""
    zone = ZoneInfo(name)
    moment = opened.replace(tzinfo=UTC).timestamp()
    ageing = _ageing(after=f"{months} months")
    counts = counts_as_finished_at(moment, ageing, zone, FIRST)
    warned = warned_at(counts, ageing, zone)
    assert moment < counts
    assert moment - 5 * DAY < warned < counts
    assert counts <= counts_as_finished_at(moment + DAY, ageing, zone, FIRST)


def test_an_ageing_says_when_and_where() -> None:
    """E29: unless told otherwise each page ages by itself, with a month's warning."""
    read = _ageing()
    assert (read.after, read.into, read.by, read.warn) == (12, "pages", "item", 1)
    assert wrong(Ageing, AGEING | {"after": 12}) == [
        'after: 12 is no number of months; write it like "12 months"'
    ]
