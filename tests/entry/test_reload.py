"""Reload: what is good is put in force at once, and what is broken changes nothing."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import DENTIST, SALON, Recorder, call, mounted, tenant, write_config

from fairuse.base.errors import ConfigurationError
from fairuse.entry import reload as reloading
from fairuse.stores.configuration import Configuration

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "broken",
    ["policy = ", 'policy = "nothing"\n', "", tenant("salon", SALON, zone="Mars/Base")],
    ids=["half written", "unknown policy", "empty", "unknown zone"],
)
async def test_a_broken_tenant_keeps_its_last_good_version(
    config: Path, recorder: Recorder, clock: ManualClock, broken: str
) -> None:
    """F-50: a broken tenant file changes nothing for that tenant, nor for anybody else."""
    async with mounted(config, recorder, clock) as fair:
        await call(fair)
        (config / "tenants/salon.toml").write_text(broken)
        (config / "tenants/new.toml").write_text(tenant("new", "key-of-new"))
        findings = fair.service.configuration.reload()
        assert {finding.file for finding in findings} == {"tenants/salon.toml"}
        for key in (SALON, DENTIST, "key-of-new"):
            assert (await call(fair, key=key)).status == 201
        usage = (await call(fair, "GET", "/fairuse/usage")).json()
        assert usage["limits"][0]["used"] == 2


@pytest.mark.parametrize("name", ["gateway.toml", "policies/booking.toml"])
async def test_a_broken_shared_file_keeps_everything_as_it_was(
    config: Path, recorder: Recorder, clock: ManualClock, name: str
) -> None:
    """F-50: a broken policy or settings file leaves the last good one in force for everybody."""
    async with mounted(config, recorder, clock) as fair:
        (config / name).write_text("nonsense = 1\n")
        findings = fair.service.configuration.reload()
        assert {finding.file for finding in findings} == {name}
        assert (await call(fair)).status == 201


async def test_a_key_stays_with_the_tenant_that_has_it(config: Path) -> None:
    """A newcomer that claims somebody's key is left out, whatever the names of the files."""
    configuration = Configuration(config)
    configuration.load()
    (config / "tenants/aaa.toml").write_text(tenant("aaa", SALON))
    [finding] = configuration.reload()
    assert finding.file == "tenants/aaa.toml"
    assert set(configuration.current.accounts) == {"salon", "dentist"}
    (config / "tenants/dentist.toml").write_text(tenant("dentist", SALON))
    configuration.reload()
    accounts = {holder.account for holder in configuration.current.keys.values()}
    assert accounts == {"salon", "dentist"}


async def test_a_changed_policy_is_in_force_for_its_tenants(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """F-28, P7: a changed amount counts from the next request on, and usage is kept."""
    policy = config / "policies/booking.toml"
    async with mounted(config, recorder, clock) as fair:
        for _ in range(5):
            await call(fair)
        policy.write_text(policy.read_text().replace('"60"', '"6"'))
        assert fair.service.configuration.reload() == []
        assert [(await call(fair)).status for _ in range(2)] == [201, 429]


async def test_a_removed_tenant_is_gone(config: Path) -> None:
    """Deleting a tenant's file takes its keys away; nobody else notices."""
    configuration = Configuration(config)
    configuration.load()
    (config / "tenants/salon.toml").unlink()
    assert configuration.reload() == []
    assert set(configuration.current.accounts) == {"dentist"}


async def test_a_tenant_whose_policy_is_removed_keeps_its_terms(config: Path) -> None:
    """F-50: deleting a policy that is in use is a finding; what was agreed stays in force."""
    configuration = Configuration(config)
    configuration.load()
    (config / "policies/booking.toml").rename(config / "policies/other.toml")
    findings = configuration.reload()
    assert {finding.key for finding in findings} == {"policy"}
    assert set(configuration.current.accounts) == {"salon", "dentist"}


async def test_a_first_load_needs_good_settings(tmp_path: Path) -> None:
    """A gateway whose settings or policy are broken does not start, and says everything."""
    config = write_config(tmp_path)
    (config / "gateway.toml").write_text("contact = 1\nlisten = {port = 99999}\n")
    with pytest.raises(ConfigurationError) as caught:
        Configuration(config).load()
    assert [finding.key for finding in caught.value.findings] == ["contact", "listen.port"]
    with pytest.raises(ConfigurationError):
        _ = Configuration(config).current


async def test_a_changed_file_is_noticed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TOML file saved while the gateway runs is taken up by itself; other files are not."""
    configuration = Configuration(config)
    configuration.load()
    reloaded = asyncio.Event()
    reload = reloading.reload

    def noticed(of: Configuration) -> None:
        reload(of)
        reloaded.set()

    monkeypatch.setattr(reloading, "reload", noticed)
    watching = asyncio.create_task(reloading.watch(configuration))
    try:
        for attempt in itertools.count():
            (config / f"tenants/new-{attempt}.toml").write_text(
                tenant(f"n-{attempt}", f"k-{attempt}")
            )
            if await _within_a_second(reloaded):
                break
            assert attempt < 20
        assert "n-0" in configuration.current.accounts
    finally:
        watching.cancel()
        await asyncio.wait([watching])
    assert not reloading._is_toml(_any(), str(config / "fairuse.db-wal"))


async def _within_a_second(event: asyncio.Event) -> bool:
    """Wait for the watcher, which begins to watch at a moment of its own."""
    try:
        async with asyncio.timeout(1):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _any() -> Any:
    return None
