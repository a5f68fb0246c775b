"""The ledger that the commands of the docs are run beside: two salons above their month."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.scenarios.process import chosen, delivered
from tests.scenarios.support import running, upkeep
from tests.support import NOON, REPOSITORY, Recorder, call

from fairuse.base.clock import ManualClock

if TYPE_CHECKING:
    from fairuse import FairUse

ZONE = ZoneInfo("Europe/Amsterdam")


def office(folder: Path) -> Path:
    """Give a folder with the shipped configuration and the ledger of `fairuse`, for one block."""
    place = folder / "office"
    shutil.copytree(_made().name, place)
    return place


@cache
def _made() -> TemporaryDirectory[str]:
    """Make that folder once; it is gone when the tests are over."""
    made = TemporaryDirectory(prefix="fairuse-docs-")
    place = Path(made.name)
    config = shutil.copytree(REPOSITORY / "config", place / "config")
    settings = config / "gateway.toml"
    shipped = settings.read_text()
    settings.write_text(shipped.replace("sqlite:///var", f"sqlite:///{place}/var"))
    asyncio.run(_played(config))
    settings.write_text(shipped)
    return made


async def _played(config: Path) -> None:
    clock = ManualClock(NOON)
    _go_to(clock, 5)
    async with running(config, Recorder(), clock) as fair:
        for account in ("salon-anna", "barber-london"):
            await _book(fair, clock, account, 5_400)
        await upkeep(fair)
        await delivered(fair, clock)
        await chosen(fair, clock, "salon-anna", "accept charges")
        await _book(fair, clock, "salon-anna", 1_100)
        _go_to(clock, 19)
        await _book(fair, clock, "barber-london", 3_000)
        _go_to(clock, 20)
        await upkeep(fair)


async def _book(fair: FairUse, clock: ManualClock, account: str, count: int) -> None:
    """Make appointments, slowly enough for the burst limit."""
    for _ in range(count):
        clock.advance(1.1)
        path = "/locations/centrum/appointments"
        assert (await call(fair, "POST", path, key=f"demo-{account}")).status == 201


def _go_to(clock: ManualClock, day: int) -> None:
    noon = datetime(2025, 10, day, 12, tzinfo=ZONE)
    clock.advance(noon.timestamp() - clock.wall)
