"""The document policy's unfinished pages: open until finished, or until a year has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support_documents import ACME, contract, event, office, write_contracts

from fairuse.base.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.support_documents import Office

pytestmark = pytest.mark.anyio

PLAN = "/collaborations/plan"


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock at 10 March 2025, 15:00 in Berlin."""
    return ManualClock(1_741_615_200.0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the contract of a customer whose ten users collaborate."""
    tenant = contract(ACME, "[packages.collaborate]\nusers = 10")
    return write_contracts(tmp_path, acme=tenant)


async def opened(desk: Office) -> dict[str, int]:
    """Give the open items, with their pages."""
    return {item.item: item.units for item in await (await desk.told()).items()}


async def counted(desk: Office) -> tuple[int, int]:
    """Give the collaborative pages of this month, and of all times."""
    entry = (await desk.limits())["collaborative-pages"]
    return entry["used"], await desk.metered("collaborative-pages")


async def test_pages_are_open_until_they_are_finished(config: Path, clock: ManualClock) -> None:
    """E28: what is edited together is open with its latest pages, until finished or deleted."""
    async with office(config, clock) as desk:
        for item, pages in (("plan", 4), ("memo", 3), ("plan", 6)):
            await desk.send("PUT", f"/collaborations/{item}", user="ada", x_pages=pages)
        assert await opened(desk) == {"plan": 6, "memo": 3}
        assert await counted(desk) == (0, 0)
        await desk.send("POST", f"{PLAN}/finish", user="ada", x_pages=6)
        assert await opened(desk) == {"memo": 3}
        assert await counted(desk) == (6, 6)
        await desk.send("DELETE", "/collaborations/memo", user="ada")
        assert await opened(desk) == {}
        assert await counted(desk) == (6, 6)


async def test_what_the_api_refused_opens_and_closes_nothing(
    config: Path, clock: ManualClock
) -> None:
    """E28: an edit or an end that failed leaves everything as it was."""
    async with office(config, clock) as desk:
        await desk.send("PUT", PLAN, user="ada", x_pages=4)
        desk.api.status = 409
        await desk.send("PUT", PLAN, user="ada", x_pages=9)
        await desk.send("PUT", "/collaborations/memo", user="ada", x_pages=9)
        await desk.send("POST", f"{PLAN}/finish", user="ada", x_pages=9)
        assert await opened(desk) == {"plan": 4}


async def test_pages_can_be_opened_and_finished_by_events(config: Path, clock: ManualClock) -> None:
    """E28, E37, P8: an editor elsewhere tells what it opened and finished; told twice is once."""
    async with office(config, clock) as desk:
        memo = event("page.opened", 1, "2025-03-10T14:00", item="memo", pages=3)
        assert (await desk.tell(memo, memo))["known"] == 1
        await desk.tell(event("page.opened", 2, "2025-03-10T14:00", item="plan", pages=4))
        assert await opened(desk) == {"memo": 3, "plan": 4}
        finished = event("page.finished", 3, "2025-03-10T14:30", item="memo", pages=3)
        await desk.tell(finished, finished)
        assert await opened(desk) == {"plan": 4}
        assert await counted(desk) == (3, 3)
        assert (await desk.limits())["pages-per-day"]["used"] == 3


async def test_events_about_a_page_may_come_in_any_order(config: Path, clock: ManualClock) -> None:
    """E28, S16: a page that is told to be finished before it is told to be opened is not open."""
    async with office(config, clock) as desk:
        await desk.tell(event("page.finished", 2, "2025-03-10T14:30", item="memo", pages=3))
        await desk.tell(event("page.opened", 1, "2025-03-10T14:00", item="memo", pages=3))
        assert await opened(desk) == {}
        await desk.tell(event("page.opened", 3, "2025-03-10T14:45", item="memo", pages=2))
        assert await opened(desk) == {"memo": 2}


async def test_an_open_page_counts_after_twelve_months_once(
    config: Path, clock: ManualClock
) -> None:
    """E29, S11, P8: opened on 10 March 2025, it counts on 10 March 2026, and never again."""
    async with office(config, clock) as desk:
        await desk.send("PUT", PLAN, user="ada", x_pages=4)
        desk.go_to("2025-09-01T12:00")
        await desk.send("PUT", PLAN, user="ada", x_pages=6)
        await desk.upkeep("2026-03-09T23:59:59")
        assert await counted(desk) == (0, 0)
        await desk.upkeep("2026-03-10T00:00:00")
        assert await counted(desk) == (6, 6)
        for local in ("2026-03-10T00:01:00", "2026-03-11T00:00", "2027-03-10T00:00"):
            await desk.upkeep(local)
        assert await counted(desk) == (0, 6)


async def test_the_customer_is_warned_a_month_before(config: Path, clock: ManualClock) -> None:
    """E29: on 10 February 2026, once, with the item, since when it is open and until when."""
    async with office(config, clock) as desk:
        await desk.send("PUT", PLAN, user="ada", x_pages=4)
        await desk.upkeep("2026-02-09T23:59:59")
        assert await desk.notices() == []
        for local in ("2026-02-10T00:00:00", "2026-02-10T00:01:00", "2026-03-09T12:00"):
            await desk.upkeep(local)
        [notice] = await desk.notices()
        assert notice.body.startswith("plan of account acme has been open since March 10, 2025")
        assert "March 10, 2026, 12:00:00" in notice.body
        assert "mailto:support@documents.example" in notice.body


async def test_a_page_finished_in_time_counts_as_finished_only(
    config: Path, clock: ManualClock
) -> None:
    """E29: finished before its year is over it counts when it is finished, and not again."""
    async with office(config, clock) as desk:
        await desk.send("PUT", PLAN, user="ada", x_pages=4)
        desk.go_to("2026-03-09T12:00")
        await desk.send("POST", f"{PLAN}/finish", user="ada", x_pages=4)
        await desk.upkeep("2026-03-10T00:00")
        assert await counted(desk) == (4, 4)


@pytest.mark.parametrize("told", [False, True], ids=["request", "event"])
@pytest.mark.parametrize(("pages", "more"), [(3, 0), (4, 0), (6, 2)])
async def test_a_page_that_counted_counts_no_second_time(
    config: Path, clock: ManualClock, pages: int, more: int, *, told: bool
) -> None:
    """E29, P8: of what is edited and finished after its year, only pages it got since count."""
    async with office(config, clock) as desk:
        await desk.send("PUT", PLAN, user="ada", x_pages=4)
        await desk.upkeep("2026-03-10T00:00")
        assert await counted(desk) == (4, 4)
        await desk.send("PUT", PLAN, user="ada", x_pages=pages)
    async with office(config, clock) as desk:
        await desk.upkeep("2027-03-10T00:00")
        assert await counted(desk) == (0, 4)
        for expected in (more, more + pages):
            if told:
                local = "2027-03-10T00:00"
                await desk.tell(event("page.finished", expected, local, item="plan", pages=pages))
            else:
                await desk.send("POST", f"{PLAN}/finish", user="ada", x_pages=pages)
            assert await counted(desk) == (expected, 4 + expected)


async def test_the_year_survives_a_restart(config: Path, clock: ManualClock) -> None:
    """E29, S15: a gateway that was down on the day counts what is due when it starts, once."""
    async with office(config, clock) as desk:
        await desk.send("PUT", PLAN, user="ada", x_pages=4)
    for local in ("2026-03-10T09:00", "2026-03-10T10:00"):
        async with office(config, clock) as desk:
            await desk.upkeep(local)
            assert await counted(desk) == (4, 4)


async def test_aged_pages_are_measured_like_finished_ones(config: Path, clock: ManualClock) -> None:
    """E29, E10: pages that age above the month's allowance are over it, and take no throughput."""
    async with office(config, clock) as desk:
        for number in range(6):
            await desk.send("PUT", f"/collaborations/{number}", user="ada", x_pages=500)
        await desk.upkeep("2026-03-10T00:00")
        limits = await desk.limits()
        assert (limits["collaborative-pages"]["used"], limits["pages-per-day"]["used"]) == (
            3_000,
            0,
        )
        assert await desk.cases() == ["collaborative-pages"]
