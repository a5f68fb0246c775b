"""The document policy's remedies: one for each limit, and a talk when it happens twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support_documents import (
    ACME,
    HOUR,
    MINUTE,
    contract,
    office,
    write_contracts,
)
from tests.support import REPOSITORY

from fairuse.rules.policy import Policy
from fairuse.stores.files import read_model
from fairuse.stores.history import breaches_since

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.support_documents import Office

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

REPEATED = "repeated-breaches"
REMEDIES = {
    "charge": {
        "on-demand-pages",
        "correspond-pages",
        "collaborative-pages",
        "on-demand-generations",
        "user-generations",
        "user-requests",
        "collaborate-requests",
        "stored-bytes",
    },
    "refuse": {
        "pages-per-day",
        "pages-per-hour",
        "pages-per-minute",
        "collaborative-views",
        "stored-pages",
    },
    "deny user": {"active-users"},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the contract of a customer with four packs."""
    tenant = contract(ACME, "[packages.standard]\npacks = 4\nparallel-generations = 1")
    return write_contracts(tmp_path, acme=tenant)


def shipped() -> Policy:
    """Read the policy as it is shipped."""
    file = REPOSITORY / "config/policies/documents.toml"
    policy = read_model(file, "policies/documents.toml", Policy)
    assert isinstance(policy, Policy)
    return policy


async def episode(desk: Office) -> None:
    """Go over the minute once, and wait until a whole minute was clean."""
    assert await desk.make(10) == 201
    assert await desk.make(1) == 429
    desk.clock.advance(2 * MINUTE + 1)


def test_each_limit_has_the_remedy_that_is_printed_for_it() -> None:
    """E31: each limit names one remedy: to charge, to refuse for a while, or to deny a user."""
    limits = shipped().limits
    assert {over: {name for name in limits if limits[name].over == over} for over in REMEDIES} == (
        REMEDIES
    )
    assert {bool(limit.tariff) for limit in limits.values() if limit.over == "charge"} == {True}
    assert not any(limit.then for limit in limits.values())


def test_each_limit_has_the_span_that_is_printed_for_it() -> None:
    """E04, E15, E16, E17, E27: throughput has its spans, stored pages none, all else a month."""
    spans = {
        "pages-per-day": "24 hours",
        "pages-per-hour": "1 hour",
        "pages-per-minute": "1 minute",
        "stored-pages": "always",
    }
    for name, limit in shipped().limits.items():
        assert str(limit.window) == spans.get(name, "calendar month")


@pytest.mark.parametrize("over", ['["charge", "refuse"]', '"charge, refuse"', '"bill"', None])
def test_a_limit_has_neither_no_remedy_nor_two(tmp_path: Path, over: str | None) -> None:
    """E31: a policy whose limit names no remedy, two or an unknown one is not taken."""
    text = (REPOSITORY / "config/policies/documents.toml").read_text()
    old = 'amount = "20 * collaborative-pages"\nwindow = "calendar month"\nover   = "refuse"\n'
    assert old in text
    new = old.rpartition("over")[0] + (f"over = {over}\n" if over else "")
    (tmp_path / "documents.toml").write_text(text.replace(old, new))
    findings = read_model(tmp_path / "documents.toml", "policies/documents.toml", Policy)
    assert isinstance(findings, list)
    assert [finding.key for finding in findings] == ["limits.collaborative-views.over"]


async def test_once_is_not_repeatedly(config: Path, clock: ManualClock) -> None:
    """E32: one time over the throughput in a month is no case, however many pages were refused."""
    async with office(config, clock) as desk:
        assert await desk.make(10) == 201
        for _ in range(50):
            clock.advance(1)
            assert await desk.make(1) == 429
        assert await desk.cases() == []
        [breach] = await breaches_since(await desk.told(), 0, ACME)
        assert (breach.rule, breach.reading, breach.amount) == ("pages-per-minute", 10, 10)


async def test_minutes_in_a_row_are_once(config: Path, clock: ManualClock) -> None:
    """E32: minutes that are gone over one after another are one time, until one is clean."""
    async with office(config, clock) as desk:
        for _ in range(20):
            assert await desk.make(10) == 201
            for seconds in (20, 30):
                clock.advance(seconds)
                assert await desk.make(1) == 429
            clock.advance(10)
        assert await desk.make(10) == 201
        assert await desk.cases() == []
        clock.advance(50)
        assert await desk.make(1) == 429
        assert await desk.cases() == [REPEATED]


async def test_twice_in_a_month_is_one_case(config: Path, clock: ManualClock) -> None:
    """E32, S12: the second time opens the case, with a notice; a third time is the same case."""
    async with office(config, clock) as desk:
        await episode(desk)
        assert await desk.cases() == []
        clock.advance(5 * HOUR)
        await episode(desk)
        assert await desk.cases() == [REPEATED]
        await episode(desk)
        assert await desk.cases() == [REPEATED]
        notices = await (await desk.told()).notices(ACME)
        [notice] = [each for each in notices if each.kind == "repeated"]
        assert "above the agreed amount 2 times within 1 month" in notice.body
        assert "mailto:support@documents.example" in notice.body


async def test_the_first_of_the_month_forgets(config: Path, clock: ManualClock) -> None:
    """E32, S12: once in November and once in December is not twice; twice in December is."""
    async with office(config, clock) as desk:
        desk.go_to("2026-11-30T23:50")
        await episode(desk)
        desk.go_to("2026-12-01T00:05")
        await episode(desk)
        assert await desk.cases() == []
        await episode(desk)
        assert await desk.cases() == [REPEATED]


async def test_times_of_different_limits_are_added(config: Path, clock: ManualClock) -> None:
    """E32: once over the throughput and once over the parallel generations is twice."""
    async with office(config, clock) as desk:
        await episode(desk)
        assert await desk.together(3, x_pages=1) == {201}
        assert sorted(await desk.cases()) == sorted(["on-demand-generations", REPEATED])


async def test_a_restart_forgets_no_time(config: Path, clock: ManualClock) -> None:
    """E32, S15: an episode before a restart is one of the two, and goes on after it."""
    async with office(config, clock) as desk:
        assert await desk.make(10) == 201
        assert await desk.make(1) == 429
    clock.advance(30)
    async with office(config, clock) as desk:
        assert await desk.make(1) == 429
        assert await desk.cases() == []
        clock.advance(3 * MINUTE)
        await episode(desk)
        assert await desk.cases() == [REPEATED]
