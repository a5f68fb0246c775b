"""Whoever is refused or told something reads whom to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support import (
    CONTACT,
    SENDER,
    contract,
    key_of,
    pass_time,
    running,
    shipped,
    written,
)
from tests.support import Recorder, call

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Reply

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

SALON = contract("salon", "booking", "[packages.standard]\nlocations = 1")
TARIFFS = """\
[[tariffs.on-demand-page]]
price = "EUR 0.04"
[[tariffs.correspond-page]]
price = "EUR 0.04"
[[tariffs.collaborative-page]]
price = "EUR 0.12"
[[tariffs.parallel-generation]]
price = "EUR 25.00"
[[tariffs.parallel-request]]
price = "EUR 15.00"
[[tariffs.storage]]
price = "EUR 0.01"
"""
SEATS = "[packages.collaborate]\nusers = 1\n[packages.standard]\npacks = 1\n"
FIRM = contract("firm", "documents", f"{SEATS}parallel-generations = 1\n{TARIFFS}")


async def draft(fair: FairUse, user: str) -> Reply:
    """Have a user of the firm write at a page together with others."""
    return await call(
        fair,
        "PUT",
        "/collaborations/7",
        key=key_of("firm"),
        headers=[(b"x-user", user.encode())],
    )


async def test_every_refusal_names_whom_to_ask(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """D27, P10: whatever is refused, and whoever is, the answer says where questions go."""
    config = shipped(tmp_path, {"salon": SALON, "firm": FIRM})
    async with running(config, recorder, clock) as fair:
        book = [await call(fair, key=key_of("salon")) for _ in range(81)]
        await draft(fair, "anna")
        refused = [
            *book[60:],
            await draft(fair, "bert"),
            *[await call(fair, key="somebody", address="198.51.100.1") for _ in range(31)],
            await call(fair, path="/a//b", key=key_of("firm")),
            await call(fair, "TRACE", key=key_of("firm")),
            await call(fair, path="/fairuse/events", key=SENDER),
        ]
        assert [reply.status for reply in refused] == [
            *[429] * 20,
            403,
            403,
            *[401] * 30,
            429,
            400,
            405,
            400,
        ]
        for reply in refused:
            assert reply.headers["content-type"] == "application/problem+json"
            assert reply.json()["contact"] == CONTACT


async def test_notices_of_a_case_and_of_a_block_name_whom_to_ask(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """D27: the notice about a case, and the one about a block, say where questions go."""
    async with running(shipped(tmp_path, {"salon": SALON}), recorder, clock) as fair:
        for place in ("noord", "zuid"):
            await call(fair, path=f"/locations/{place}/appointments", key=key_of("salon"))
        for _ in range(80):
            await call(fair, key=key_of("salon"))
        notices = await written(fair, "salon")
        assert {notice.rule for notice in notices} == {"locations-in-use", "appointments-burst"}
        assert all(CONTACT in notice.body for notice in notices)


async def test_a_warning_about_an_open_page_names_whom_to_ask(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """D27, E29: the warning that a page is open for long says where questions go."""
    recorder.headers = [(b"x-pages", b"3")]
    async with running(shipped(tmp_path, {"firm": FIRM}), recorder, clock) as fair:
        assert (await draft(fair, "anna")).status == 201
        await pass_time(fair, clock, "2027-10-02T00:01")
        [notice] = await written(fair, "firm")
        assert CONTACT in notice.body
