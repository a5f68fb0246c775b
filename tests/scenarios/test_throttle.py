"""The throttle: while overload is mostly one account's, others go first; with it, it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY
from tests.scenarios.support import contract, key_of, written
from tests.scenarios.support_overload import BOUGHT, ROOM, platform
from tests.support import call, told

from fairuse.stores.outbox import overdue

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

QUARTER = 15 * 60


async def test_what_is_above_the_share_is_refused_while_it_lasts(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A29, A31, P9, P10: one account is refused above its share, others are not; then it ends."""
    async with platform(tmp_path, clock) as under:
        await under.pass_by(1)
        await under.ask("salon", 9)
        await under.ask("dentist")
        await under.pass_by(31)
        refused = await under.refused("salon")
        assert refused.status == 503
        problem = refused.json()
        assert problem["type"].endswith("#temporary-reduced-capacity")
        expected = {"rule": "overload", "used": 9, "amount": ROOM // 2, "unit": "request"}
        assert expected.items() <= problem.items()
        assert problem["contact"].startswith("mailto:")
        assert problem["until"] == "2026-11-02T13:01:32+01:00"
        assert refused.headers["retry-after"] == "60"
        await under.ask("dentist", 3)
        await under.ask("barber")
        assert await under.answer() == [200] * 14

        await under.ask("salon", 5)
        assert await under.answer() == [200] * 5
        await under.pass_by(90)
        await under.ask("salon", 20)
        assert await under.answer() == [200] * 20


async def test_it_is_told_once_as_soon_as_possible(tmp_path: Path, clock: ManualClock) -> None:
    """A16: it is told once something was refused, and is overdue after a quarter of an hour."""
    async with platform(tmp_path, clock) as under:
        await under.pass_by(1)
        await under.ask("salon", 9)
        await under.pass_by(40)
        assert await written(under.fair, "salon") == []
        await under.refused("salon")
        await under.pass_by(10)
        [notice] = await written(under.fair, "salon")
        assert (notice.kind, notice.rule, notice.amount) == ("throttled", "overload", ROOM)
        assert "Your account stays active" in notice.body
        ledger = await told(under.fair.service)
        assert await overdue(ledger, clock.wall + QUARTER - 60) == []
        [late] = await overdue(ledger, clock.wall + QUARTER)
        assert late.notice == notice._replace(must_by=late.notice.must_by)
        await under.answer()
        await under.pass_by(90)
        await under.ask("salon", 9)
        await under.pass_by(31)
        await under.refused("salon")
        await under.pass_by(1)
        assert len(await written(under.fair, "salon")) == 1
        await under.answer()


async def test_it_needs_the_policys_word(tmp_path: Path, clock: ManualClock) -> None:
    """A29: where the policy doesn't allow it nobody is throttled."""
    tenants = {
        "salon": contract("salon", "hosting", "[packages.shared]"),
        "dentist": contract("dentist", "booking", BOUGHT),
    }
    async with platform(tmp_path, clock, tenants) as under:
        await under.pass_by(1)
        await under.ask("salon", 9)
        await under.pass_by(60)
        await under.ask("salon", 9)
        assert await under.answer() == [200] * 18


async def test_it_is_seen_and_the_service_stays_ready(tmp_path: Path, clock: ManualClock) -> None:
    """A metric says that the platform is overloaded; being loaded isn't being unready."""
    async with platform(tmp_path, clock) as under:
        episodes = REGISTRY.get_sample_value("fairuse_overloads_total") or 0
        assert REGISTRY.get_sample_value("fairuse_overloaded") == 0
        await under.pass_by(1)
        await under.ask("salon", 9)
        await under.pass_by(31)
        assert REGISTRY.get_sample_value("fairuse_overloaded") == 1
        assert REGISTRY.get_sample_value("fairuse_overloads_total") == episodes + 1
        assert REGISTRY.get_sample_value("fairuse_requests_under_way") == 9
        ready = await call(under.fair, "GET", "/fairuse/ready", key=key_of("salon"))
        assert (ready.status, ready.json()["status"]) == (200, "ok")
        await under.answer()
        await under.pass_by(90)
        assert REGISTRY.get_sample_value("fairuse_overloaded") == 0
