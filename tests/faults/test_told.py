"""What is told before it is written, crash by crash: each test leaves the ledger as one does."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.stages.support import Held, pages, policy
from tests.support import NOON, mounted, told, write_config

from fairuse.base.clock import ManualClock
from fairuse.rules.blocks import Block
from fairuse.stores import journal as journals
from fairuse.stores.casebook import write_notice
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import Batch, NoticeRow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Recorder

pytestmark = pytest.mark.anyio

BURST = policy(
    "",
    amount="1",
    window="1 hour",
    more='scope = "account, address"\n'
    'then = { after = "1 refusal in 1 minute", block = "account, address", for = "1 hour",'
    ' at_most = "1 hour" }\n[emergency]\nallowed = ["block address", "throttle"]',
)
MONTH = policy("", amount="2", window="calendar month", over="case")


@pytest.mark.parametrize("durability", ["strict", "relaxed"])
async def test_a_block_is_written_before_anybody_is_told(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    """F-39: who is told of a block is still blocked if the gateway is killed at that moment."""
    monkeypatch.setattr(journals, "COMMIT_SECONDS", 60)
    config = write_config(tmp_path, policy=BURST)
    with (config / "gateway.toml").open("a") as settings:
        settings.write(f'[counters]\ndurability = "{durability}"\n')
    async with mounted(config, recorder, ManualClock(NOON)) as fair:
        assert (await pages(fair)).status == 201
        ledger, let = await told(fair.service), asyncio.Event()
        write = ledger.write

        async def slow(batch: Batch) -> None:
            await let.wait()
            await write(batch)

        monkeypatch.setattr(ledger, "write", slow)
        asked = [asyncio.create_task(pages(fair)) for _ in range(3)]
        await asyncio.sleep(0.1)
        early = [task.result().status for task in asked if task.done()]
        let.set()
        await asyncio.gather(*asked)
        assert 403 not in early
        assert (await pages(fair)).status == 403


async def test_every_block_has_a_notice_after_a_crash(tmp_path: Path, recorder: Recorder) -> None:
    """F-39: of two blocks, the second is told after the crash that came after the first was."""
    first, second = (
        Block(f"203.0.113.{number}", "salon", "one", NOON + number, NOON + 900, 0)
        for number in (1, 2)
    )
    about_first = NoticeRow(
        *("salon", "salon", "one", NOON + 3, 0, 0, "", "en", ("mailto:a@b.c",)),
        *("blocked", f"address {first.address}"),
    )
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    await ledger.write(Batch(blocks=[first, second]))
    await write_notice(ledger, about_first, ())
    await ledger.close()
    config = write_config(tmp_path, policy=BURST)
    async with mounted(config, recorder, ManualClock(NOON + 4)) as fair:
        bodies = [each.body for each in await (await told(fair.service)).notices("salon")]
    assert len([body for body in bodies if first.address in body]) == 1
    assert len([body for body in bodies if second.address in body]) == 1


async def test_a_case_is_opened_by_the_start_after_a_crash(tmp_path: Path) -> None:
    """F-39: in strict, what was let in and is over the amount at a crash opens a case after it."""
    app, config, crashed = Held(), write_config(tmp_path, policy=MONTH), tmp_path / "crashed"
    with (config / "gateway.toml").open("a") as settings:
        settings.write('[counters]\ndurability = "strict"\n')
    async with mounted(config, app, ManualClock(NOON)) as fair:
        tasks = [asyncio.create_task(pages(fair)) for _ in range(3)]
        await app.has(3)
        crashed.mkdir()
        for name in ("fairuse.db", "fairuse.db-wal"):
            shutil.copyfile(tmp_path / name, crashed / name)
        for let in app.waiting:
            let.set()
        await asyncio.gather(*tasks)
    said = config / "gateway.toml"
    said.write_text(said.read_text().replace(f"{tmp_path}/fair", f"{crashed}/fair"))
    async with mounted(config, app, ManualClock(NOON + 60)) as fair:
        assert len(await (await told(fair.service)).cases("salon")) == 1
