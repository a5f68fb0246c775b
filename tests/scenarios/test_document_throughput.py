"""The document policy's throughput: so many pages a minute, an hour and a day, and then a wait."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support_documents import (
    ACME,
    DAY,
    HOUR,
    MINUTE,
    contract,
    office,
    write_contracts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.support_documents import Office
    from tests.support import Reply

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

SPANS = {"pages-per-minute": MINUTE, "pages-per-hour": HOUR, "pages-per-day": DAY}


def packs(folder: Path, count: int) -> Path:
    """Write the contract of a customer with so many volume packs."""
    tenant = contract(ACME, f"[packages.standard]\npacks = {count}\nparallel-generations = 5")
    return write_contracts(folder, acme=tenant)


async def refused(desk: Office, rule: str, seconds: int) -> None:
    """See that a page is refused by a rule, for exactly so many seconds, and served after them."""
    reply = await desk.send(x_pages=1)
    assert (reply.status, reply.json()["rule"]) == (429, rule)
    assert reply.headers["retry-after"] == str(seconds)
    assert reply.json()["type"].endswith("#quota-exceeded")
    desk.clock.advance(seconds - 1)
    assert await desk.make(1) == 429
    desk.clock.advance(1)
    assert await desk.make(1) == 201


@pytest.mark.parametrize(("count", "amounts"), [(1, [2, 75, 375]), (4, [10, 300, 1_500])])
async def test_throughput_is_a_share_of_the_allowance(
    tmp_path: Path, clock: ManualClock, count: int, amounts: list[int]
) -> None:
    """S8, E15, E16, E17: 0.1 % a minute, 3 % an hour and 15 % a day, in whole pages."""
    async with office(packs(tmp_path, count), clock) as desk:
        limits = await desk.limits()
    assert [limits[rule]["amount"] for rule in SPANS] == amounts
    assert {limits[rule]["over"] for rule in SPANS} == {"refuse"}


async def test_all_kinds_of_pages_are_summed(tmp_path: Path, clock: ManualClock) -> None:
    """E15, E17: the share is one of all pages together, and pages of every kind use it up."""
    tenant = contract(ACME, "[packages.standard]\npacks = 4\n[packages.collaborate]\nusers = 10")
    async with office(write_contracts(tmp_path, acme=tenant), clock) as desk:
        limits = await desk.limits()
        assert [limits[rule]["amount"] for rule in SPANS] == [25, 750, 3_750]
        for path in ("/documents", "/correspondence", "/collaborations/plan/finish"):
            assert await desk.make(8, path, user="ada") == 201
        assert await desk.make(1) == 201
        assert await desk.make(1) == 429


@pytest.mark.parametrize(("count", "pages"), [(1, 2), (4, 10)])
async def test_a_minute(tmp_path: Path, clock: ManualClock, count: int, pages: int) -> None:
    """S8, E17, E18: of 4 packs the eleventh page of a minute waits for the rest of that minute."""
    async with office(packs(tmp_path, count), clock) as desk:
        for _ in range(pages):
            assert await desk.make(1) == 201
        clock.advance(13)
        await refused(desk, "pages-per-minute", MINUTE - 13)


@pytest.mark.parametrize(("count", "minutes", "pages"), [(1, 38, 2), (4, 30, 10)])
async def test_an_hour(
    tmp_path: Path, clock: ManualClock, count: int, minutes: int, pages: int
) -> None:
    """S8, E16, E18: the hour's pages at the pace of full minutes; then a wait for its oldest."""
    async with office(packs(tmp_path, count), clock) as desk:
        for _ in range(minutes):
            assert await desk.make(pages) == 201
            clock.advance(MINUTE)
        await refused(desk, "pages-per-hour", HOUR - minutes * MINUTE)


@pytest.mark.parametrize(("count", "pages"), [(1, 75), (4, 300)])
async def test_a_day(tmp_path: Path, clock: ManualClock, count: int, pages: int) -> None:
    """S8, E15, E18: five full hours are a day's pages; the next one waits for the rest of it."""
    async with office(packs(tmp_path, count), clock) as desk:
        for _ in range(5):
            assert await desk.make(pages) == 201
            clock.advance(HOUR)
        await refused(desk, "pages-per-day", DAY - 5 * HOUR)


async def test_only_the_span_is_waited_for(tmp_path: Path, clock: ManualClock) -> None:
    """E18, P6: whatever was asked for, no wait is longer than its span, and all end as they say."""
    dice = random.Random(18)  # noqa: S311  a replay, not a secret
    waits = dict.fromkeys(SPANS, 0)
    async with office(packs(tmp_path, 4), clock) as desk:
        for _ in range(600):
            clock.advance(dice.choice([1, 5, 30, 400]))
            reply = await desk.send(x_pages=dice.choice([1, 4, 25]))
            if reply.status == 429:
                rule, seconds = _wait(reply)
                assert 0 < seconds <= SPANS[rule]
                waits[rule] += 1
                clock.advance(seconds)
                assert await desk.make(1) == 201
    assert all(waits.values())


def _wait(reply: Reply) -> tuple[str, int]:
    return reply.json()["rule"], int(reply.headers["retry-after"])


async def test_a_job_larger_than_the_limit_is_done_and_then_waited_for(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E18: a document of more pages than a minute has is made at once, and the next one waits."""
    async with office(packs(tmp_path, 1), clock) as desk:
        assert await desk.make(40) == 201
        clock.advance(20)
        await refused(desk, "pages-per-minute", 40)


async def test_a_refused_page_uses_up_nothing(tmp_path: Path, clock: ManualClock) -> None:
    """F-24, F-25: what the minute refuses is taken off no hour, no day and no month."""
    async with office(packs(tmp_path, 4), clock) as desk:
        statuses = [await desk.make(1) for _ in range(100)]
        assert statuses == [201] * 10 + [429] * 90
        limits = await desk.limits()
        used = {limits[rule]["used"] for rule in (*SPANS, "on-demand-pages")}
        assert used == {10}
        assert limits["on-demand-generations"]["highest"] == 1
        assert desk.api.served == 10


async def test_a_failed_generation_is_given_back_to_every_span(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E37: what could not be generated holds no minute, hour or day up."""
    async with office(packs(tmp_path, 4), clock) as desk:
        desk.api.status = 500
        assert {await desk.make(10) for _ in range(50)} == {500}
        desk.api.status = 201
        assert await desk.make(10) == 201
        limits = await desk.limits()
        assert {limits[rule]["used"] for rule in SPANS} == {10}


async def test_a_wait_stops_the_pages_and_nothing_else(tmp_path: Path, clock: ManualClock) -> None:
    """E18, P9: while pages wait, documents can be read and deleted, and others go on."""
    tenants = {
        name: contract(name, "[packages.standard]\npacks = 1") for name in (ACME, "neighbour")
    }
    async with office(write_contracts(tmp_path, **tenants), clock) as desk:
        assert await desk.make(2) == 201
        assert await desk.make(1) == 429
        assert (await desk.send("GET", "/documents/1")).status == 201
        assert (await desk.send("DELETE", "/documents/1")).status == 201
        assert await desk.make(1, account="neighbour") == 201
