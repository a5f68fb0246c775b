"""Upkeep of open items: warned of once, counted once when they are old, whatever comes between."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.entry.support import disk_full
from tests.support import SALON, Recorder, call, mounted, tenant, told, write_config

from fairuse.base.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.rules.ladder import Case
    from fairuse.stores.rows import ItemRow, NoticeRow

pytestmark = pytest.mark.anyio

POLICY = """
title = "Fair use policy: pages"
[counts]
locations = "locations"
[packages.standard]
title = "Subscription"
[meters.open-pages]
unit    = "page"
measure = "open items"
count   = ["PUT /pages/{item}"]
release = ["POST /pages/{item}/finished"]
ageing  = { after = "12 months", into = "pages" }
[meters.pages]
unit  = "page"
count = ["POST /pages/{item}/finished"]
[limits.pages-per-month]
meter  = "pages"
amount = "1"
window = "calendar month"
over   = "case"
"""
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def on(year: int, month: int, day: int, hour: int = 0) -> float:
    """Give a local moment."""
    return datetime(year, month, day, hour, tzinfo=AMSTERDAM).timestamp()


OPENED, WARNED, COUNTS = on(2025, 3, 10, 15), on(2026, 2, 10), on(2026, 3, 10)


class Office:
    """A mounted app that is started again whenever it should be."""

    def __init__(self, folder: Path, policy: str = POLICY) -> None:
        tenants = {"salon": tenant("salon", SALON)}
        self.config = write_config(folder, policy=policy, tenants=tenants)
        self.clock = ManualClock(OPENED)
        self.recorder = Recorder()

    def running(self) -> Any:
        """Run the app."""
        return mounted(self.config, self.recorder, self.clock)

    async def upkeep(self, fair: FairUse, moment: float) -> None:
        """Let it be another time, and do what is due."""
        self.clock.advance(moment - self.clock.wall)
        assert fair.service.upkeep is not None
        await fair.service.upkeep.run()


async def put(fair: FairUse, item: str = "plan") -> None:
    """Begin to edit a page."""
    assert (await call(fair, "PUT", f"/pages/{item}")).status == 201


async def finish(fair: FairUse, item: str = "plan") -> None:
    """Finish a page."""
    assert (await call(fair, "POST", f"/pages/{item}/finished")).status == 201


async def known(
    fair: FairUse,
) -> tuple[int, list[NoticeRow], list[ItemRow], list[Case]]:
    """Give the pages counted, the notices, the open pages that did not count yet, and the cases."""
    ledger = await told(fair.service)
    pages = sum((await ledger.usage("salon")).values())
    notices = await ledger.notices("salon")
    return pages, notices, await ledger.items(), await ledger.cases("salon")


@pytest.mark.parametrize("restart", [False, True])
async def test_an_open_page_is_warned_of_and_counts_once(tmp_path: Path, *, restart: bool) -> None:
    """S11, E28, E29: a page opened on 10 March is warned of on 10 February and counts in March."""
    office = Office(tmp_path)
    async with office.running() as fair:
        await put(fair)
        await office.upkeep(fair, OPENED + 60)
        assert (await known(fair))[0] == 0
    seen = []
    moments = (WARNED - 1, WARNED, WARNED + 86_400, COUNTS - 1, COUNTS, COUNTS + 86_400)
    if restart:
        for moment in moments:
            async with office.running() as fair:
                await office.upkeep(fair, moment)
                seen.append(await known(fair))
    else:
        async with office.running() as fair:
            for moment in moments:
                await office.upkeep(fair, moment)
                await office.upkeep(fair, moment)
                seen.append(await known(fair))
    assert [pages for pages, _, _, _ in seen] == [0, 0, 0, 0, 1, 1]
    assert [len(notices) for _, notices, _, _ in seen] == [0, 1, 1, 1, 1, 1]
    assert [len(items) for _, _, items, _ in seen] == [1, 1, 1, 1, 0, 0]
    [notice] = seen[-1][1]
    assert (notice.rule, notice.written_at) == ("open-pages", WARNED)
    assert "plan" in notice.body
    assert "March 10, 2026" in notice.body


async def test_what_aged_counts_in_the_month_it_aged_in(tmp_path: Path) -> None:
    """E29, A05: aged pages are pages of that month, and over its amount they open its case."""
    office = Office(tmp_path)
    async with office.running() as fair:
        for item in ("plan", "report"):
            await put(fair, item)
        await office.upkeep(fair, COUNTS + 3_600)
        pages, notices, items, [case] = await known(fair)
        assert (pages, items) == (2, [])
        assert (case.rule, case.starts_at) == ("pages-per-month", on(2026, 3, 1))
        assert [notice.reading for notice in notices] == [2]
        [entry] = (await call(fair, "GET", "/fairuse/usage")).json()["limits"]
        assert entry["used"] == 2


@pytest.mark.parametrize(("days", "month"), [(2, 3), (9, 4)])
async def test_a_gateway_that_was_down_counts_it_then(
    tmp_path: Path, days: int, month: int
) -> None:
    """E29, S16: within three days the page's own month is raised, and later the one that runs."""
    office = Office(tmp_path)
    office.clock.wall = on(2025, 3, 31, 9)
    async with office.running() as fair:
        await put(fair)
    async with office.running() as fair:
        await office.upkeep(fair, on(2026, 3, 31) + days * 86_400)
        ledger = await told(fair.service)
        [hour] = [key.hour for key in await ledger.usage("salon")]
        assert datetime.fromtimestamp(hour, AMSTERDAM).month == month


async def test_a_page_that_is_finished_in_time_counts_as_that(tmp_path: Path) -> None:
    """E28, E29: a page that is finished is neither warned of nor counted again a year later."""
    office = Office(tmp_path)
    async with office.running() as fair:
        await put(fair)
        await finish(fair)
        for moment in (WARNED, COUNTS, COUNTS + 86_400):
            await office.upkeep(fair, moment)
        assert await known(fair) == (1, [], [], [])


@pytest.mark.parametrize("restart", [False, True])
async def test_a_page_that_aged_is_not_counted_again_when_it_is_finished(
    tmp_path: Path, *, restart: bool
) -> None:
    """E29: exactly once means also that the finished page costs nothing more; a new one does."""
    office = Office(tmp_path)
    async with office.running() as fair:
        await put(fair)
        await office.upkeep(fair, COUNTS)
        if not restart:
            await finish(fair)
    async with office.running() as fair:
        if restart:
            await finish(fair)
        assert (await known(fair))[0] == 1
        await put(fair)
        await finish(fair)
        assert (await known(fair))[0] == 2


async def test_a_page_that_is_opened_again_keeps_its_day(tmp_path: Path) -> None:
    """E29: editing a page every month does not make it younger."""
    office = Office(tmp_path)
    async with office.running() as fair:
        for month in range(12):
            office.clock.wall = OPENED + month * 30 * 86_400
            await put(fair)
        await office.upkeep(fair, COUNTS)
        assert (await known(fair))[0] == 1


async def test_pages_can_age_at_the_end_of_the_contract_year(tmp_path: Path) -> None:
    """E29 (ambiguity 10a): or all that are open count at the contract year's end."""
    by_year = 'ageing  = { after = "12 months", into = "pages", by = "contract year" }'
    policy = POLICY.replace('ageing  = { after = "12 months", into = "pages" }', by_year)
    office = Office(tmp_path, policy)
    async with office.running() as fair:
        await put(fair)
        for moment, pages, notices in (
            (on(2025, 11, 30), 0, 0),
            (on(2025, 12, 1), 0, 1),
            (on(2026, 1, 1) - 1, 0, 1),
            (on(2026, 1, 1), 1, 1),
        ):
            await office.upkeep(fair, moment)
            seen = await known(fair)
            assert (seen[0], len(seen[1])) == (pages, notices)


@pytest.mark.parametrize("fails", ["write", "items", "rows"])
async def test_it_is_put_off_while_the_ledger_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fails: str
) -> None:
    """E29, F-41, S19: what can't be written is counted when it can, once, and that is logged."""
    office = Office(tmp_path)
    async with office.running() as fair:
        await put(fair)
        await office.upkeep(fair, OPENED + 60)
        with monkeypatch.context() as broken:
            broken.setattr(fair.service.ledger, fails, disk_full)
            for moment in (WARNED, COUNTS, COUNTS + 60):
                await office.upkeep(fair, moment)
        assert "'upkeep.put_off'" in caplog.text or "'ledger.write_failed'" in caplog.text
        for _ in range(2):
            await office.upkeep(fair, COUNTS + 120)
            assert (await known(fair))[0] == 1


async def test_what_was_finished_while_the_ledger_was_away_does_not_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E29, F-41: the ledger's old word about a page is not believed while a newer one waits."""
    office = Office(tmp_path)
    async with office.running() as fair:
        await put(fair)
        await office.upkeep(fair, COUNTS - 60)
        with monkeypatch.context() as broken:
            broken.setattr(fair.service.ledger, "write", disk_full)
            await finish(fair)
            await office.upkeep(fair, COUNTS + 60)
        await office.upkeep(fair, COUNTS + 120)
        assert (await known(fair))[0] == 1
