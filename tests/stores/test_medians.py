"""An account's own median: what it used in half of its days with use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.stores.office import contract
from tests.stores.support import DAY
from tests.support import NOON

from fairuse.rules.agreed import MedianKey

if TYPE_CHECKING:
    from tests.stores.office import Office

pytestmark = pytest.mark.anyio


async def test_the_median_is_of_days_with_use_and_at_least_seven(office: Office) -> None:
    """A24: an account's own usual day is known after seven days with use, and renewed daily."""
    office.agree(a=contract("a"), b=contract("b"))
    key = MedianKey("a", "calls", "day")
    for day, units in enumerate((50, 10, 20, 90, 30, 40), start=1):
        await office.use("a", units, NOON - 3 * day * DAY)
    await office.renew(NOON)
    assert key not in office.averages.history.medians
    await office.use("a", 1_000, NOON)
    await office.renew(NOON + 3_600)
    assert key not in office.averages.history.medians
    tomorrow = NOON + DAY
    assert await office.renew(tomorrow)
    assert office.averages.history.medians == {key: 40}
    assert office.amount("a", tomorrow, "unlike-the-account") == 400
    assert office.amount("b", tomorrow, "unlike-the-account") is None


async def test_days_are_those_of_the_accounts_zone(office: Office) -> None:
    """A24, S18: use around local midnight is of two days, though it is of one in UTC."""
    office.agree(a=contract("a"))
    midnight = datetime(2026, 6, 1, 22, tzinfo=UTC).timestamp()
    for day in range(0, 16, 2):
        for hour in (midnight - 3_600, midnight):
            await office.use("a", 10, hour + day * DAY)
    await office.renew(NOON)
    assert office.averages.history.medians == {MedianKey("a", "calls", "day"): 10}
