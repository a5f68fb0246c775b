"""The document policy's users: as many as the order says, and who comes after them is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support_documents import ACME, contract, office, write_contracts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.support_documents import Office

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

TEN = "[packages.collaborate]\nusers = 10"
LETTER = "/correspondence"


async def ten_users(desk: Office) -> None:
    """Have ten users write a letter each."""
    assert {await desk.make(1, LETTER, user=f"user-{number}") for number in range(10)} == {201}


@pytest.mark.parametrize(
    ("packages", "users"),
    [
        (TEN, 10),
        (TEN + "\n[packages.professional]\nusers = 7", 17),
        ("[packages.standard]\npacks = 4\nusers = 2", 2),
    ],
)
async def test_users_are_as_many_as_the_order_says(
    tmp_path: Path, clock: ManualClock, packages: str, users: int
) -> None:
    """E19: the order's users, of all its solutions together, are shown as what is agreed."""
    config = write_contracts(tmp_path, acme=contract(ACME, packages))
    async with office(config, clock) as desk:
        entry = (await desk.limits())["active-users"]
        assert (entry["used"], entry["amount"], entry["over"]) == (0, users, "deny user")
        await desk.make(1, LETTER, user="ada")
        await desk.send("PUT", "/collaborations/plan", user="ada", x_pages=1)
        assert (await desk.limits())["active-users"]["used"] == 1


async def test_only_the_user_above_the_order_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    """E21, P9, P10: the eleventh of ten users is refused and told why; the ten go on."""
    config = write_contracts(tmp_path, acme=contract(ACME, TEN))
    async with office(config, clock) as desk:
        await ten_users(desk)
        for path in (LETTER, "/collaborations/plan"):
            refused = await desk.send("POST", path, user="user-11", x_pages=1)
            problem = refused.json()
            assert (refused.status, problem["rule"]) == (403, "active-users")
            assert (problem["used"], problem["amount"]) == (10, 10)
            assert problem["until"] == "2026-12-01T00:00:00+01:00"
            assert problem["contact"] == "mailto:support@documents.example"
        clock.advance(60)
        await ten_users(desk)
        assert await desk.metered("correspond-pages") == 20


async def test_the_refused_user_can_do_what_needs_no_user(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E21, P9: on-demand documents are made by volume, whoever asks for them."""
    packages = TEN + "\n[packages.standard]\npacks = 4\nparallel-generations = 1"
    async with office(write_contracts(tmp_path, acme=contract(ACME, packages)), clock) as desk:
        await ten_users(desk)
        assert await desk.make(1, LETTER, user="user-11") == 403
        assert await desk.make(1, user="user-11") == 201


async def test_a_failed_request_takes_no_place(tmp_path: Path, clock: ManualClock) -> None:
    """E21: a user whose only request failed is not one of the ten."""
    config = write_contracts(tmp_path, acme=contract(ACME, TEN))
    async with office(config, clock) as desk:
        desk.api.status = 500
        assert await desk.make(1, LETTER, user="by-mistake") == 500
        desk.api.status = 201
        await ten_users(desk)
        assert await desk.make(1, LETTER, user="by-mistake") == 403


async def test_the_places_are_free_again_next_month(tmp_path: Path, clock: ManualClock) -> None:
    """E18, E21, P6: the refusal ends when it said it would, also for who was refused."""
    config = write_contracts(tmp_path, acme=contract(ACME, TEN))
    async with office(config, clock) as desk:
        await ten_users(desk)
        assert await desk.make(1, LETTER, user="user-11") == 403
        desk.go_to("2026-12-01T00:00")
        assert await desk.make(1, LETTER, user="user-11") == 201


async def test_more_users_can_be_bought(tmp_path: Path, clock: ManualClock) -> None:
    """E20, E04: from the moment of the purchase the eleventh is served, and brings their pages."""
    purchase = """
[[purchases]]
package = "collaborate"
adds    = { users = 1 }
at      = 2026-11-10T14:00:00+01:00
"""
    config = write_contracts(tmp_path, acme=contract(ACME, TEN, purchase))
    async with office(config, clock) as desk:
        await ten_users(desk)
        desk.go_to("2026-11-10T13:59:59")
        assert await desk.make(1, LETTER, user="user-11") == 403
        desk.go_to("2026-11-10T14:00:00")
        assert await desk.make(1, LETTER, user="user-11") == 201
        assert await desk.make(1, LETTER, user="user-12") == 403
        limits = await desk.limits()
        assert limits["active-users"]["amount"] == 11
        assert limits["correspond-pages"]["amount"] == 11 * 1_250


async def test_users_bought_for_a_year_end_with_it(tmp_path: Path, clock: ManualClock) -> None:
    """E20: a purchase for a year holds until its last day, and not on the day after."""
    purchase = """
[[purchases]]
package = "collaborate"
adds    = { users = 5 }
from    = 2026-01-01
until   = 2026-12-31
"""
    config = write_contracts(tmp_path, acme=contract(ACME, TEN, purchase))
    async with office(config, clock) as desk:
        amounts = []
        for local in ("2026-12-31T23:59:59", "2027-01-01T00:00"):
            desk.go_to(local)
            amounts.append((await desk.limits())["active-users"]["amount"])
    assert amounts == [15, 10]
