"""Booking: whose contracts the policy is for, how many locations were bought, and usual days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.support import (
    contract,
    go_to,
    key_of,
    opened,
    pass_time,
    running,
    shipped,
    shown,
    signals,
    used_before,
    written,
)
from tests.support import Recorder, call

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

SECONDS_BETWEEN = 1.1
"""Just slow enough for the burst limit of 60 a minute."""
ONE_LOCATION = "[packages.standard]\nlocations = 1"
DAYS = [f"2026-10-{day:02}T10:00" for day in range(1, 11)]


async def book(
    fair: FairUse, clock: ManualClock, count: int, place: str = "centrum", **options: Any
) -> set[int]:
    """Make appointments at an ordinary pace, and give the statuses seen."""
    statuses = set()
    for _ in range(count):
        clock.advance(SECONDS_BETWEEN)
        path = f"/locations/{place}/appointments"
        statuses.add((await call(fair, path=path, key=key_of("salon"), **options)).status)
    return statuses


@pytest.mark.parametrize(
    ("dates", "applies"),
    [
        ("since = 2013-12-31", False),
        ("since = 2014-01-01", True),
        ("since = 2013-06-01\nchanged = 2013-12-31", False),
        ("since = 2013-06-01\nchanged = 2014-01-01", True),
        ("since = 2013-06-01\nrenewed = 2014-01-01", True),
    ],
)
async def test_the_policy_is_for_contracts_from_2014_on(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, dates: str, *, applies: bool
) -> None:
    """A01: made, changed or renewed on 2014-01-01 or later, and no earlier."""
    tenants = {"salon": contract("salon", "booking", ONE_LOCATION, dates=dates)}
    async with running(shipped(tmp_path, tenants), recorder, clock) as fair:
        assert await book(fair, clock, 5_001) == {201}
        [entry] = await shown(fair, "salon", "appointments-of-the-account")
        assert entry["amount"] == (5_000 if applies else None)
        assert len(await opened(fair, "salon")) == (2 if applies else 0)


async def test_an_older_contract_is_metered_and_measured_from_its_renewal_on(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A01: 6,000 units of a contract of 2013 open no case; those after its renewal count."""
    dates = "since = 2013-12-31\nrenewed = 2014-02-10"
    tenants = {"salon": contract("salon", "booking", ONE_LOCATION, dates=dates)}
    go_to(clock, "2014-02-02T09:00")
    async with running(shipped(tmp_path, tenants), recorder, clock) as fair:
        for _ in range(6_000):  # as fast as it likes: no limit is in force yet
            await call(fair, key=key_of("salon"))
        [entry] = await shown(fair, "salon", "appointments-per-month")
        assert entry["amount"] is None
        assert await opened(fair, "salon") == []
        go_to(clock, "2014-02-10T00:00")
        assert await book(fair, clock, 5_000) == {201}
        [entry] = await shown(fair, "salon", "appointments-per-month")
        assert (entry["used"], entry["amount"]) == (5_000, 5_000)
        assert await opened(fair, "salon") == []
        await book(fair, clock, 1)
        assert {case.rule for case in await opened(fair, "salon")} == {
            "appointments-per-month",
            "appointments-of-the-account",
        }
        assert fair.service.ledger is not None
        units = await fair.service.ledger.usage("salon")
        assert sum(n for key, n in units.items() if key.meter == "appointments") == 11_001


async def test_ten_locations_of_which_one_was_bought(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A25, A26: the account keeps the 5,000 of one, and is told how many locations were seen."""
    tenants = {"salon": contract("salon", "booking", ONE_LOCATION)}
    async with running(shipped(tmp_path, tenants), recorder, clock) as fair:
        for place in range(10):
            assert await book(fair, clock, 500, f"branch-{place}") == {201}
        [locations] = await shown(fair, "salon", "locations-in-use")
        assert (locations["used"], locations["amount"], locations["standing"]) == (
            10,
            1,
            "excessive",
        )
        [account] = await shown(fair, "salon", "appointments-of-the-account")
        assert (account["used"], account["amount"], account["standing"]) == (
            5_000,
            5_000,
            "warning",
        )
        assert [case.rule for case in await opened(fair, "salon")] == ["locations-in-use"]

        assert await book(fair, clock, 1, "branch-3") == {201}
        rules = [case.rule for case in await opened(fair, "salon")]
        assert rules == ["locations-in-use", "appointments-of-the-account"]
        first, second = await written(fair, "salon")
        assert "was used with 2 locations. Agreed: 1 location." in first.body
        assert "used 5,001 of 5,000 (appointment)" in second.body


async def test_each_purchased_location_brings_its_own_amount(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A05, A25, A26: two of two locations are no case, and one over is none of the other's."""
    tenants = {"salon": contract("salon", "booking", "[packages.standard]\nlocations = 2")}
    async with running(shipped(tmp_path, tenants), recorder, clock) as fair:
        assert await book(fair, clock, 4_999, "noord") == {201}
        assert await book(fair, clock, 5_001, "zuid") == {201}
        [case] = await opened(fair, "salon")
        assert (case.rule, case.scope) == ("appointments-per-month", (("location", "zuid"),))
        standings = {
            entry["scope"]["location"]: entry["standing"]
            for entry in await shown(fair, "salon", "appointments-per-month")
        }
        assert standings == {"noord": "warning", "zuid": "excessive"}
        await book(fair, clock, 1, "noord")
        rules = {case.rule for case in await opened(fair, "salon")}
        assert rules == {"appointments-per-month", "appointments-of-the-account"}


async def test_ten_times_the_usual_day_is_a_signal(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A24, P4: 500 instead of 50 in a day raise a signal, once, and nothing else."""
    config = shipped(tmp_path, {"salon": contract("salon", "booking", ONE_LOCATION)})
    await used_before(config, "appointments", {"salon": dict.fromkeys(DAYS, 50)})
    async with running(config, recorder, clock) as fair:
        assert await book(fair, clock, 499) == {201}
        assert (await opened(fair, "salon"), signals(caplog, "salon")) == ([], [])
        for more in (1, 20):
            assert await book(fair, clock, more) == {201}
            assert (await opened(fair, "salon"), await written(fair, "salon")) == ([], [])
            assert signals(caplog, "salon") == ["appointments-unlike-the-account"]
        assert await shown(fair, "salon", "appointments-unlike-the-account") == []


async def test_three_times_the_usual_use_is_nothing(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A03: from one time to three times the usual day nothing happens to the account."""
    config = shipped(tmp_path, {"salon": contract("salon", "booking", ONE_LOCATION)})
    await used_before(config, "appointments", {"salon": dict.fromkeys(DAYS, 50)})
    async with running(config, recorder, clock) as fair:
        for day in range(3, 23):
            await pass_time(fair, clock, f"2026-11-{day:02}T09:00")
            assert await book(fair, clock, 150) == {201}
        [entry] = await shown(fair, "salon", "appointments-of-the-account")
        assert (entry["used"], entry["standing"]) == (3_000, "within")
        assert (await opened(fair, "salon"), await written(fair, "salon")) == ([], [])
        assert signals(caplog, "salon") == []


async def test_a_usual_day_needs_a_week_of_days(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A24: of an account that is known for six days only, no day is called unusual."""
    config = shipped(tmp_path, {"salon": contract("salon", "booking", ONE_LOCATION)})
    await used_before(config, "appointments", {"salon": dict.fromkeys(DAYS[:6], 1)})
    async with running(config, recorder, clock) as fair:
        await book(fair, clock, 100)
        assert await opened(fair, "salon") == []
        assert signals(caplog, "salon") == []
