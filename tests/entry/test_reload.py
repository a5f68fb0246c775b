"""Reload: what is good is put in force at once, and what is broken changes nothing."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from tests.support import DENTIST, NOON, SALON, Recorder, call, mounted, tenant, write_config

from fairuse.base.errors import ConfigurationError
from fairuse.base.keys import fingerprint
from fairuse.entry import reload as reloading
from fairuse.rules.agreed import History, MedianKey
from fairuse.stores.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
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
    """A file saved while the gateway runs is taken up by itself."""
    configuration = Configuration(config)
    configuration.load()
    async with watching(configuration, monkeypatch) as reloaded:
        for attempt in itertools.count():
            text = tenant(f"n-{attempt}", f"k-{attempt}")
            (config / f"tenants/new-{attempt}.toml").write_text(text)
            if await within_a_second(reloaded):
                break
            assert attempt < 20
    assert "n-0" in configuration.current.accounts


async def test_a_swapped_link_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder mounted by Kubernetes, where a link to the data is swapped, is taken up too."""
    write_config(tmp_path / "a", tenants={"old": tenant("old", SALON)})
    write_config(tmp_path / "b", tenants={"new": tenant("new", SALON)})
    config = tmp_path / "mounted"
    config.mkdir()
    for name in ("gateway.toml", "policies", "tenants"):
        (config / name).symlink_to(f"..data/{name}")
    for target in ("a", "b"):
        (config / f"..{target}").symlink_to(tmp_path / target / "config")
    (config / "..data").symlink_to("..a")
    configuration = Configuration(config)
    configuration.load()
    async with watching(configuration, monkeypatch) as reloaded:
        for attempt, target in enumerate(itertools.cycle(("..b", "..a"))):
            (config / "..tmp").symlink_to(target)
            (config / "..tmp").rename(config / "..data")
            if await within_a_second(reloaded):
                break
            assert attempt < 20
        expected = {"..a": {"old"}, "..b": {"new"}}[target]
        async with asyncio.timeout(20):
            while set(configuration.current.accounts) != expected:  # noqa: ASYNC110
                await asyncio.sleep(0)


async def test_what_changed_before_the_watch_began_is_noticed(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit made while the gateway was starting is taken up without another one."""
    monkeypatch.setattr(reloading, "LOOK_ANYWAY_MILLISECONDS", 50)
    configuration = Configuration(config)
    configuration.load()
    (config / "tenants/new.toml").write_text(tenant("new", "key-of-new"))
    async with watching(configuration, monkeypatch) as reloaded, asyncio.timeout(20):
        await reloaded.wait()
    assert "new" in configuration.current.accounts


async def test_only_the_configuration_counts_as_a_change(config: Path) -> None:
    """A ledger that lies in the folder changes all the time, and changes nothing."""
    configuration = Configuration(config)
    before = configuration.signature()
    (config / "fairuse.db-wal").write_text("x")
    assert configuration.signature() == before
    (config / "gateway.toml").unlink()
    assert configuration.signature() != before


async def test_a_fault_of_ours_does_not_end_the_watch(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """F-50: an unexpected error while reloading is logged, and the old configuration stays."""
    configuration = Configuration(config)
    current = configuration.load()

    def fails() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(configuration, "reload", fails)
    reloading.reload(configuration)
    assert configuration.current is current
    assert "configuration.not_reloaded" in caplog.text


async def test_what_needs_a_restart_is_said(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A changed setting that is read at the start only is named in the log."""
    configuration = Configuration(config)
    configuration.load()
    text = (config / "gateway.toml").read_text()
    (config / "gateway.toml").write_text(f'drain = "1 second"\n{text}[listen]\nport = 1\n')
    reloading.reload(configuration)
    assert "'configuration.needs_restart'" in caplog.text
    assert "['listen', 'drain']" in caplog.text


@asynccontextmanager
async def watching(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncio.Event]:
    """Watch a folder, and give an event that says it was reloaded."""
    reloaded = asyncio.Event()
    loop = asyncio.get_running_loop()
    reload = reloading.reload

    def noticed(of: Configuration) -> None:
        reload(of)
        loop.call_soon_threadsafe(reloaded.set)

    monkeypatch.setattr(reloading, "reload", noticed)
    task = asyncio.create_task(reloading.watch(configuration))
    try:
        yield reloaded
    finally:
        task.cancel()
        await asyncio.wait([task])


async def within_a_second(event: asyncio.Event) -> bool:
    """Wait for the watcher, which begins to watch at a moment of its own."""
    try:
        async with asyncio.timeout(1):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def test_a_policy_that_no_longer_fits_a_tenant_changes_nothing_for_it(config: Path) -> None:
    """F-50: a contract is in force as a whole; a new amount that needs what it lacks is not."""
    configuration = Configuration(config)
    configuration.load()
    before = configuration.current.accounts["salon"].limit("appointments-burst")
    policy = config / "policies/booking.toml"
    text = policy.read_text().replace('amount = "60"', 'amount = "60 * seats"')
    policy.write_text(text.replace("[counts]", '[counts]\nseats = "seats"'))
    findings = configuration.reload()
    assert {(finding.file, finding.key) for finding in findings} == {
        ("tenants/salon.toml", "packages.*.seats"),
        ("tenants/dentist.toml", "packages.*.seats"),
    }
    after = configuration.current.accounts["salon"].limit("appointments-burst")
    assert before is not None
    assert after is not None
    assert after.amount(NOON) == before.amount(NOON)


async def test_an_average_learnt_during_a_reload_is_kept(config: Path) -> None:
    """B23: what is learnt and what is read come from two threads, and neither undoes the other."""
    configuration = Configuration(config)
    configuration.load()
    history = History(medians={MedianKey("salon", "appointments", "day"): Fraction(50)})
    name = "appointments-unlike-the-account"
    reload = asyncio.to_thread(configuration.reload)
    await asyncio.gather(reload, asyncio.to_thread(configuration.learn, history))
    limit = configuration.current.accounts["salon"].limit(name)
    assert limit is not None
    amount = limit.amount(NOON)
    assert amount is not None
    assert amount.value == 499


async def test_a_key_is_nobody_elses_while_its_old_contract_stands(config: Path) -> None:
    """F-50, P9: who keeps its last good contract keeps its keys, and nobody else can have them."""
    configuration = Configuration(config)
    configuration.load()
    salon, dentist = config / "tenants/salon.toml", config / "tenants/dentist.toml"
    (config / "policies/new.toml").write_text("title = 1")
    text = salon.read_text().replace('policy   = "booking"', 'policy   = "new"')
    salon.write_text(text.replace(fingerprint(SALON.encode()), fingerprint(b"another")))
    dentist.write_text(dentist.read_text() + f'"{fingerprint(SALON.encode())}" = "dentist"\n')
    findings = configuration.reload()
    assert {finding.file for finding in findings} == {"policies/new.toml", "tenants/dentist.toml"}
    holder = configuration.current.holder_of(fingerprint(SALON.encode()))
    assert holder is not None
    assert holder.account == "salon"
    assert set(configuration.current.accounts) == {"salon", "dentist"}
