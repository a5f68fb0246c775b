"""The document policy's pages: how many an edition includes, and what is above them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support_documents import ACME, DAY, contract, office, write_contracts

from fairuse.stores.configuration import Configuration
from fairuse.stores.history import breaches_since

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

KINDS = ("on-demand-pages", "correspond-pages", "collaborative-pages")
EDITIONS = {
    "sales-standard": (2_500, 0, 0),
    "sales-professional": (0, 1_250, 0),
    "sales-advanced": (0, 1_250, 250),
    "collaborate-for-sales": (0, 1_250, 250),
    "standard": (2_500, 0, 0),
    "professional": (0, 1_250, 0),
    "advanced": (0, 1_250, 0),
    "collaborate": (0, 1_250, 250),
}
ONE_PACK = "[packages.standard]\npacks = 1\nparallel-generations = 1"


@pytest.mark.parametrize("edition", EDITIONS)
async def test_an_edition_includes_what_its_table_says(
    tmp_path: Path, clock: ManualClock, edition: str
) -> None:
    """E01, E04, E08, E22: one user and one pack bring what is printed for their edition."""
    tenant = contract(ACME, f"[packages.{edition}]\nusers = 1\npacks = 1")
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        amounts = {name: entry["amount"] for name, entry in (await desk.limits()).items()}
    collaborates = EDITIONS[edition][2] > 0
    assert tuple(amounts[kind] for kind in KINDS) == EDITIONS[edition]
    assert amounts["stored-bytes"] == (1_000_000_000 if collaborates else 500_000_000)
    assert amounts["collaborate-requests"] == int(collaborates)


@pytest.mark.parametrize(
    ("packages", "pages"),
    [
        ("[packages.standard]\npacks = 4", [10_000, 0, 0]),
        ("[packages.professional]\nusers = 10", [0, 12_500, 0]),
        ("[packages.collaborate]\nusers = 10", [0, 12_500, 2_500]),
        (
            "[packages.standard]\npacks = 4\n[packages.professional]\nusers = 3\n"
            "[packages.collaborate]\nusers = 10",
            [10_000, 16_250, 2_500],
        ),
    ],
    ids=["packs", "users", "collaborate", "all of it"],
)
async def test_pages_are_multiplied_and_added_up(
    tmp_path: Path, clock: ManualClock, packages: str, pages: list[int]
) -> None:
    """E04, E05, E06, E07: so many packs or users times the pages of each, over all solutions."""
    config = write_contracts(tmp_path, acme=contract(ACME, packages))
    async with office(config, clock) as desk:
        limits = await desk.limits()
    assert [limits[kind]["amount"] for kind in KINDS] == pages


async def test_only_the_solutions_of_the_table_can_be_bought(tmp_path: Path) -> None:
    """E01: a contract for anything else is no contract under this policy."""
    tenant = contract(ACME, "[packages.communicate]\nusers = 1")
    configuration = Configuration(write_contracts(tmp_path, acme=tenant))
    configuration.reload()
    [finding] = [found for found in configuration.findings if "communicate" in found.key]
    assert "there is no package" in finding.message


async def test_a_contract_with_a_policy_of_its_own_is_metered_only(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E02: no limit holds for it, however much it uses, and the ledger has every page."""
    config = write_contracts(tmp_path, acme=contract(ACME, ONE_PACK, own=True))
    async with office(config, clock) as desk:
        assert {await desk.make(500) for _ in range(10)} == {201}
        assert await desk.metered("on-demand-pages") == 5_000
        amounts = {name: entry["amount"] for name, entry in (await desk.limits()).items()}
        assert amounts == dict.fromkeys(amounts)
        assert await desk.cases() == []


async def test_what_is_not_included_is_over_from_the_first_page(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E09: of what an edition includes none of, the first page is over, served and told."""
    tenant = contract(ACME, ONE_PACK + "\nusers = 5")
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        assert await desk.make(1) == 201
        assert await desk.cases() == []
        assert await desk.make(1, "/correspondence", user="ada") == 201
        [notice] = await desk.notices()
        assert (notice.rule, notice.reading, notice.amount) == ("correspond-pages", 1, 0)
        assert (await desk.limits())["correspond-pages"]["standing"] == "excessive"


async def test_views_of_what_is_not_included_are_refused(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E09, E24: without collaborative pages there are no views, and no time to wait for them."""
    tenant = contract(ACME, "[packages.professional]\nusers = 5")
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        refused = await desk.send("GET", "/collaborations/plan", user="ada", x_pages=1)
        assert (refused.status, refused.json()["rule"]) == (429, "collaborative-views")
        assert "retry-after" not in refused.headers
        assert await desk.make(1, "/correspondence", user="ada") == 201


@pytest.mark.parametrize("used_before", [2_500, 2_700])
async def test_only_what_is_bought_before_is_included(
    tmp_path: Path, clock: ManualClock, used_before: int
) -> None:
    """E10: bought before page 2,501 nothing is over; bought after page 2,700, 200 pages were."""
    purchase = """
[[purchases]]
package = "standard"
adds    = { packs = 1 }
at      = 2026-11-10T14:00:00+01:00
"""
    config = write_contracts(tmp_path, acme=contract(ACME, ONE_PACK, purchase))
    async with office(config, clock) as desk:
        for _ in range(5):
            assert await desk.make(500) == 201
            clock.advance(DAY)
        if used_before > 2_500:
            assert await desk.make(used_before - 2_500) == 201
        entry = (await desk.limits())["on-demand-pages"]
        assert (entry["used"], entry["amount"]) == (used_before, 2_500)

        desk.go_to("2026-11-10T14:00")
        assert await desk.make(300) == 201
        entry = (await desk.limits())["on-demand-pages"]
        assert (entry["used"], entry["amount"]) == (used_before + 300, 5_000)
        breaches = await breaches_since(await desk.told(), 0, ACME)
        over = [(breach.rule, breach.reading - breach.amount) for breach in breaches]
        assert over == [("on-demand-pages", 200)] * (used_before > 2_500)


async def test_a_purchase_is_no_earlier_than_it_was(tmp_path: Path, clock: ManualClock) -> None:
    """E10: one second before the moment of a purchase nothing of it counts, at it all does."""
    purchase = """
[[purchases]]
package = "standard"
adds    = { packs = 3 }
at      = 2026-11-10T14:00:00+01:00
"""
    config = write_contracts(tmp_path, acme=contract(ACME, ONE_PACK, purchase))
    async with office(config, clock) as desk:
        amounts = []
        for local in ("2026-11-10T13:59:59", "2026-11-10T14:00:00"):
            desk.go_to(local)
            limits = await desk.limits()
            amounts.append(
                [limits[name]["amount"] for name in ("on-demand-pages", "pages-per-day")]
            )
    assert amounts == [[2_500, 375], [10_000, 1_500]]


async def test_a_price_is_the_one_of_its_day(tmp_path: Path, clock: ManualClock) -> None:
    """E36: the order's price holds until its next one begins, and the notice names it."""
    later = '[[tariffs.on-demand-page]]\nprice = "EUR 0.05"\nfrom = 2026-12-01'
    tenant = contract(ACME, ONE_PACK, later)
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        for month, price in ((11, "€0.04"), (12, "€0.05")):
            for day in range(3, 9):
                desk.go_to(f"2026-{month}-{day:02}T10:00")
                assert await desk.make(500) == 201
            newest, *_ = await desk.notices()
            assert f"charged at {price} per on-demand page" in newest.body


@pytest.mark.parametrize(
    ("path", "meter"),
    [
        ("/documents", "on-demand-pages"),
        ("/correspondence", "correspond-pages"),
        ("/collaborations/plan/finish", "collaborative-pages"),
    ],
)
async def test_a_request_costs_the_pages_it_generated(
    tmp_path: Path, clock: ManualClock, path: str, meter: str
) -> None:
    """E37: seven generated pages cost seven, of their own kind; a failed generation costs none."""
    tenant = contract(ACME, "[packages.standard]\npacks = 4\n[packages.collaborate]\nusers = 10")
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        desk.api.status = 500
        assert await desk.make(7, path, user="ada") == 500
        desk.api.status = 201
        assert await desk.make(7, path, user="ada") == 201
        limits = await desk.limits()
        assert {name: limits[name]["used"] for name in (*KINDS, "pages-per-day")} == {
            **dict.fromkeys(KINDS, 0),
            meter: 7,
            "pages-per-day": 7,
        }
        assert await desk.metered(meter) == 7
