"""The document policy's storage, page views and stored pages: charged, or refused until it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support_documents import ACME, contract, event, office, write_contracts

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

GB = 10**9
PLAN = "/collaborations/plan"
COLLABORATE = "[packages.collaborate]\nusers = 10"
STANDARD = "[packages.standard]\npacks = 4\nparallel-generations = 5"
PROFESSIONAL = "[packages.professional]\nusers = 10"


@pytest.mark.parametrize(
    ("packages", "stored"),
    [
        ([STANDARD], GB // 2),
        ([COLLABORATE], GB),
        ([COLLABORATE, STANDARD, PROFESSIONAL], 2 * GB),
    ],
    ids=["without", "with", "one with and two without"],
)
async def test_each_solution_brings_its_storage(
    tmp_path: Path, clock: ManualClock, packages: list[str], stored: int
) -> None:
    """E22: 1 GB for a solution with collaboration and 500 MB for one without, added up."""
    config = write_contracts(tmp_path, acme=contract(ACME, "\n".join(packages)))
    async with office(config, clock) as desk:
        assert (await desk.limits())["stored-bytes"]["amount"] == stored


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/documents"),
        ("POST", "/correspondence"),
        ("PUT", PLAN),
        ("POST", f"{PLAN}/finish"),
        ("DELETE", PLAN),
        ("DELETE", "/documents/1"),
    ],
)
async def test_whatever_changes_storage_tells_it(
    tmp_path: Path, clock: ManualClock, method: str, path: str
) -> None:
    """E22: the answer to each request that writes or deletes says how much is stored now."""
    config = write_contracts(tmp_path, acme=contract(ACME, f"{STANDARD}\n{COLLABORATE}"))
    async with office(config, clock) as desk:
        await desk.send(method, path, user="ada", x_storage_bytes=123_456)
        assert (await desk.limits())["stored-bytes"]["used"] == 123_456


async def test_more_storage_is_charged_and_never_refused(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E22, E23, P4: the level is what was told last, the highest is kept, and writing goes on."""
    config = write_contracts(tmp_path, acme=contract(ACME, STANDARD))
    async with office(config, clock) as desk:
        shown = []
        for stored in (GB // 2, GB // 2 + 1, GB):
            clock.advance(60)
            assert await desk.make(1, x_storage_bytes=stored) == 201
            entry = (await desk.limits())["stored-bytes"]
            shown.append((entry["used"], entry["standing"]))
        assert shown == [(GB // 2, "warning"), (GB // 2 + 1, "excessive"), (GB, "excessive")]
        desk.api.status = 204
        await desk.send("DELETE", "/documents/1", x_storage_bytes=1_000)
        entry = (await desk.limits())["stored-bytes"]
        assert (entry["used"], entry["highest"], entry["over"]) == (1_000, GB, "charge")
        assert await desk.cases() == ["stored-bytes"]


async def test_storage_can_be_told_by_events(tmp_path: Path, clock: ManualClock) -> None:
    """E22, S16: of two measurements the later one holds, in whichever order they are told."""
    config = write_contracts(tmp_path, acme=contract(ACME, STANDARD))
    async with office(config, clock) as desk:
        await desk.tell(event("storage.measured", 2, "2026-11-02T12:30", bytes=300_000_000))
        await desk.tell(event("storage.measured", 1, "2026-11-02T12:00", bytes=400_000_000))
        entry = (await desk.limits())["stored-bytes"]
        assert (entry["used"], entry["highest"]) == (300_000_000, 400_000_000)


async def test_storage_bought_before_is_within(tmp_path: Path, clock: ManualClock) -> None:
    """E23: capacity that was bought from a day on is included from that day on."""
    bought = """
[override.stored-bytes]
amount = "sum(storage) + 1 GB"
from   = 2026-11-03
reason = "1 GB more bought on 2026-11-02"
"""
    config = write_contracts(tmp_path, acme=contract(ACME, STANDARD, bought))
    async with office(config, clock) as desk:
        assert (await desk.limits())["stored-bytes"]["amount"] == GB // 2
        desk.go_to("2026-11-03T00:00")
        assert await desk.make(1, x_storage_bytes=GB + GB // 2) == 201
        entry = (await desk.limits())["stored-bytes"]
        assert (entry["amount"], entry["standing"]) == (GB + GB // 2, "warning")
        assert await desk.cases() == []


async def test_views_are_refused_until_the_month_is_over(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E18, E24, E25: 20 views for each of 2,500 pages; then no views, and all else goes on."""
    config = write_contracts(tmp_path, acme=contract(ACME, COLLABORATE))
    async with office(config, clock) as desk:
        assert (await desk.limits())["collaborative-views"]["amount"] == 50_000
        for _ in range(100):
            view = await desk.send("GET", PLAN, user="ada", x_pages=500)
            assert view.status == 201
        clock.advance(3_600)
        refused = await desk.send("GET", PLAN, user="ada", x_pages=1)
        assert (refused.status, refused.json()["rule"]) == (429, "collaborative-views")
        assert refused.json()["until"] == "2026-12-01T00:00:00+01:00"
        wait = int(refused.headers["retry-after"])
        for method, path in (
            ("PUT", PLAN),
            ("POST", f"{PLAN}/finish"),
            ("POST", "/correspondence"),
        ):
            assert (await desk.send(method, path, user="ada", x_pages=1)).status == 201
        clock.advance(wait - 1)
        assert (await desk.send("GET", PLAN, user="ada", x_pages=1)).status == 429
        clock.advance(1)
        assert (await desk.send("GET", PLAN, user="ada", x_pages=1)).status == 201


async def test_stored_pages_are_refused_until_there_is_room(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E26, E27, P9: 10 stored pages for each of 2,500; when full no more, and deleting frees."""
    config = write_contracts(tmp_path, acme=contract(ACME, COLLABORATE))
    async with office(config, clock) as desk:

        async def write(stored: int, method: str = "PUT", path: str = PLAN) -> int:
            reply = await desk.send(method, path, user="ada", x_pages=1, x_stored_pages=stored)
            return reply.status

        assert (await desk.limits())["stored-pages"]["amount"] == 25_000
        assert [await write(24_999), await write(25_000)] == [201, 201]
        refused = await desk.send("PUT", PLAN, user="ada", x_pages=1, x_stored_pages=25_001)
        assert (refused.status, refused.json()["rule"]) == (429, "stored-pages")
        assert "retry-after" not in refused.headers
        clock.advance(400 * 86_400)
        assert await write(25_001) == 429
        assert (await desk.send("GET", PLAN, user="ada", x_pages=1)).status == 201
        assert await write(24_000, "DELETE") == 201
        assert await write(24_001) == 201
        assert await write(25_000) == 201
        assert await write(25_000) == 429
        assert await write(24_900, path=f"{PLAN}/finish", method="POST") == 201
        assert await write(24_950) == 201
