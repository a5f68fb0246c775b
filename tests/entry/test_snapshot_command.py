"""`fairuse snapshot`: averages taken by hand, beside a gateway that runs."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support import contract, months, running, shipped, shown, upkeep, used_before
from tests.support import Recorder, told
from typer.testing import CliRunner

from fairuse.entry import cli
from fairuse.rules.cohorts import CohortKey, Member
from fairuse.stores.history import latest_snapshots

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

YEAR = list(months("2025-11", 12))
HOSTS = {"small": 1_000, "middle": 2_000, "large": 6_000}
"""Three accounts on the same package, and how many bytes each uses in a month."""


@pytest.fixture(autouse=True)
def _same_time(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    """Have the command live in the test's time."""
    monkeypatch.setattr(cli, "SystemClock", lambda: clock)


@pytest.fixture
async def hosting(tmp_path: Path) -> Path:
    """Write a configuration whose averages are taken by hand only, and a year of usage."""
    tenants = {name: contract(name, "hosting", "[packages.shared]") for name in HOSTS}
    config = shipped(tmp_path, tenants)
    policy = config / "policies/hosting.toml"
    text = (
        policy.read_text().replace('"monthly"', '"manual"').replace("at_least = 10", "at_least = 3")
    )
    policy.write_text(text)
    used = {name: dict.fromkeys(YEAR, monthly) for name, monthly in HOSTS.items()}
    await used_before(config, "traffic", used)
    return config


async def snapshot(config: Path) -> tuple[int, str]:
    """Run the command, beside whatever runs, and give its exit code and what it said."""
    command = ["snapshot", "--config", str(config)]
    result = await asyncio.to_thread(CliRunner().invoke, cli.app, command)
    return result.exit_code, result.output


async def test_a_running_gateway_takes_up_what_was_taken_beside_it(
    hosting: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B23, C13: the command says n, mean and day; they are in force at the next upkeep."""
    async with running(hosting, recorder, clock) as fair:
        [before] = await shown(fair, "middle", "traffic-per-month")
        assert (before["amount"], "average" in before) == (None, False)
        said = "hosting/shared/traffic: mean of 3 is 3000, 2026-11-02\n1 snapshot\n"
        assert await snapshot(hosting) == (0, said)
        assert await shown(fair, "middle", "traffic-per-month") == [before]
        await upkeep(fair)
        [after] = await shown(fair, "middle", "traffic-per-month")
        assert after["amount"] == 5 * 3_000
        assert "average 3000 (mean of 3, 2026-11-02)" in after["source"]
        average = after["average"]
        assert (average["value"], average["of"], average["on"]) == (3_000, 3, "2026-11-02")


async def test_who_was_compared_is_kept(
    hosting: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """C13: a snapshot keeps each member with its monthly use, so that it can be shown later."""
    async with running(hosting, recorder, clock) as fair:
        await snapshot(hosting)
        kept = await latest_snapshots(await told(fair.service))
        [found] = kept.values()
        assert found.cohort == CohortKey("hosting", "shared", "traffic")
        assert found.taken_at == clock.wall
        assert found.members == {name: Member(Fraction(used)) for name, used in HOSTS.items()}


async def test_the_latest_one_holds(hosting: Path, recorder: Recorder, clock: ManualClock) -> None:
    """An average stays as it was taken until it is taken again, after a month that changed it."""
    async with running(hosting, recorder, clock) as fair:
        await snapshot(hosting)
        await upkeep(fair)
    clock.advance(29 * 86_400)
    await used_before(hosting, "traffic", {"large": {"2026-11-20T12:00Z": 42_000}})
    async with running(hosting, recorder, clock) as fair:
        [frozen] = await shown(fair, "large", "traffic-per-month")
        assert frozen["amount"] == 15_000
        # A month of 42,000 takes the place of one of 6,000, and one of nothing that of the others.
        _, said = await snapshot(hosting)
        assert said.startswith("hosting/shared/traffic: mean of 3 is 3916.67, 2026-12-01\n")
        await upkeep(fair)
        [renewed] = await shown(fair, "large", "traffic-per-month")
        assert renewed["amount"] == 19_583


async def test_a_mean_is_said_in_units(tmp_path: Path) -> None:
    """B21, B22: what is counted in hundredths of a minute is said in minutes, for one user."""
    users = {"duo": 2, "solo": 1}
    tenants = {
        name: contract(name, "telephony", f"[packages.unlimited]\nusers = {count}")
        for name, count in users.items()
    }
    config = shipped(tmp_path, tenants)
    used = {name: dict.fromkeys(YEAR, 15_075 * count) for name, count in users.items()}
    await used_before(config, "minutes", used)
    said = "telephony/unlimited/minutes: mean of 2 is 150.75, 2026-11-02\n1 snapshot\n"
    assert await snapshot(config) == (0, said)


async def test_without_a_ledger_there_is_nothing_to_take(tmp_path: Path) -> None:
    """Before anything was counted no average is known, and none is made up."""
    config = shipped(tmp_path, {"small": contract("small", "hosting", "[packages.shared]")})
    assert await snapshot(config) == (0, "0 snapshots\n")
    assert not (tmp_path / "fairuse.db").exists()


async def test_a_ledger_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    """F-41: without its ledger the command says why, and exits with 1."""
    config = shipped(tmp_path, {"small": contract("small", "hosting", "[packages.shared]")})
    (tmp_path / "fairuse.db").write_text("this is no database, whatever its name says" * 100)
    code, said = await snapshot(config)
    assert code == 1
    assert "can't be used: file is not a database" in said
