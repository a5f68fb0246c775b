"""The document policy's parallel requests: served however many, and their peak is recorded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support_documents import ACME, contract, office, write_contracts

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

HUNDRED = "[packages.professional]\nusers = 50\n[packages.collaborate]\nusers = 50"
MEASURES = {
    "on-demand-generations": {"path": "/documents"},
    "user-generations": {"path": "/collaborations/plan/finish"},
    "user-requests": {"path": "/correspondence"},
    "collaborate-requests": {"method": "PUT", "path": "/collaborations/plan"},
}


async def test_parallel_use_is_a_share_of_the_users(tmp_path: Path, clock: ManualClock) -> None:
    """E11, E13: 5 % and 10 % of all 100 users, and 20 % of the 50 who can collaborate."""
    order = "[packages.standard]\npacks = 1\nparallel-generations = 3\n"
    async with office(
        write_contracts(tmp_path, acme=contract(ACME, order + HUNDRED)), clock
    ) as desk:
        limits = await desk.limits()
    amounts = {name: limits[name]["amount"] for name in MEASURES}
    assert amounts == {
        "on-demand-generations": 3,
        "user-generations": 5,
        "user-requests": 10,
        "collaborate-requests": 10,
    }


@pytest.mark.parametrize(("users", "amounts"), [(1, (1, 1, 1)), (21, (2, 3, 5)), (40, (2, 4, 8))])
async def test_a_share_of_few_users_is_rounded_up(
    tmp_path: Path, clock: ManualClock, users: int, amounts: tuple[int, int, int]
) -> None:
    """E11, E13: whoever has a user at all can do one thing at a time."""
    tenant = contract(ACME, f"[packages.collaborate]\nusers = {users}")
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        limits = await desk.limits()
    names = ("user-generations", "user-requests", "collaborate-requests")
    assert tuple(limits[name]["amount"] for name in names) == amounts


@pytest.mark.parametrize(("limit", "count"), [("user-generations", 5), ("user-requests", 10)])
async def test_as_many_as_agreed_are_within(
    tmp_path: Path, clock: ManualClock, limit: str, count: int
) -> None:
    """E11, E13: the fifth generation and the tenth request at the same time are within."""
    config = write_contracts(tmp_path, acme=contract(ACME, HUNDRED))
    async with office(config, clock) as desk:
        assert await desk.together(count, **MEASURES[limit], user="ada", x_pages=1) == {201}
        entry = (await desk.limits())[limit]
        assert (entry["used"], entry["highest"], entry["amount"]) == (0, count, count)
        assert limit not in await desk.cases()


@pytest.mark.parametrize("limit", MEASURES)
async def test_more_at_the_same_time_are_served_and_their_peak_is_kept(
    tmp_path: Path, clock: ManualClock, limit: str
) -> None:
    """S9, E12, E14, P4: two more than agreed are served; the peak is two over and is told once."""
    order = "[packages.standard]\npacks = 40\nparallel-generations = 5\n"
    config = write_contracts(tmp_path, acme=contract(ACME, order + HUNDRED))
    async with office(config, clock) as desk:
        agreed = (await desk.limits())[limit]["amount"]
        for _ in range(2):
            assert await desk.together(agreed + 2, **MEASURES[limit], user="ada", x_pages=1) == {
                201
            }
        entry = (await desk.limits())[limit]
        assert (entry["used"], entry["highest"], entry["over"]) == (0, agreed + 2, "charge")
        assert (await desk.cases()).count(limit) == 1
        [notice] = [notice for notice in await desk.notices() if notice.rule == limit]
        assert (notice.reading, notice.amount) == (agreed + 2, agreed)


async def test_letters_and_finished_pages_are_generations_too(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E11: what users have generated at the same time is summed, and on-demand pages are not."""
    config = write_contracts(tmp_path, acme=contract(ACME, HUNDRED))
    async with office(config, clock) as desk:
        desk.api.meeting = asyncio.Barrier(3)
        async with asyncio.timeout(20):
            await asyncio.gather(
                desk.make(1, "/correspondence", user="ada"),
                desk.make(1, "/collaborations/plan/finish", user="ada"),
                desk.make(1, "/documents"),
            )
        assert (await desk.limits())["user-generations"]["highest"] == 2


async def test_one_after_another_is_never_parallel(tmp_path: Path, clock: ManualClock) -> None:
    """E11: twenty generations in a row are one at a time, also where the API fails some."""
    tenant = contract(ACME, "[packages.standard]\npacks = 40\nparallel-generations = 1")
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        for number in range(20):
            desk.api.status = 500 if number % 3 else 201
            await desk.make(1)
        entry = (await desk.limits())["on-demand-generations"]
        assert (entry["used"], entry["highest"], entry["amount"]) == (0, 1, 1)
        assert await desk.cases() == []


async def test_the_peak_is_one_of_the_month(tmp_path: Path, clock: ManualClock) -> None:
    """E12: the next month begins with no peak."""
    tenant = contract(ACME, "[packages.standard]\npacks = 40\nparallel-generations = 2")
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        await desk.together(4, x_pages=1)
        desk.go_to("2026-12-01T00:00")
        await desk.make(1)
        assert (await desk.limits())["on-demand-generations"]["highest"] == 1
        assert await desk.cases() == ["on-demand-generations"]


MORE = {
    "on-demand-generations": """
[[purchases]]
package = "standard"
adds    = { parallel-generations = 2 }
from    = 2026-11-03
""",
    "user-requests": """
[override.user-requests]
amount = "ceil(10% of sum(users)) + 2"
from   = 2026-11-03
reason = "two more bought on 2026-11-02"
""",
}


@pytest.mark.parametrize("limit", MORE)
async def test_what_is_bought_before_is_within(
    tmp_path: Path, clock: ManualClock, limit: str
) -> None:
    """E12, E14: of two more that were bought from a day on, none is over from that day on."""
    order = "[packages.standard]\npacks = 40\nparallel-generations = 5\n"
    tenant = contract(ACME, order + HUNDRED, MORE[limit])
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        agreed = (await desk.limits())[limit]["amount"]
        desk.go_to("2026-11-03T00:00")
        await desk.together(agreed + 2, **MEASURES[limit], user="ada", x_pages=1)
        entry = (await desk.limits())[limit]
        assert (entry["highest"], entry["amount"]) == (agreed + 2, agreed + 2)
        assert limit not in await desk.cases()
        await desk.together(agreed + 3, **MEASURES[limit], user="ada", x_pages=1)
        assert limit in await desk.cases()
