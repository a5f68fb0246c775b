"""What the scenarios of overload share: an app that answers when told, and seconds of load."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.scenarios.support import contract, key_of, months, running, shipped, upkeep, used_before
from tests.support import Reply, call

from fairuse.entry.overload import BUSY, EVERYBODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

BOUGHT = "[packages.standard]\nlocations = 2"
SETTINGS = "[overload]\nnormal = 2\n"
"""Two requests at once are normal, so there is room for six (A03)."""
ROOM = 6
PATH = "/locations/centrum/appointments"
USUAL = {"salon": 10, "dentist": 80, "barber": 10}
"""Who keeps the platform busy on a usual day, in parts of a hundred."""


class Slow:
    """An app that answers nobody before it is told to."""

    def __init__(self) -> None:
        self.waiting = 0
        self.go = asyncio.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request, in the end."""
        self.waiting += 1
        await self.go.wait()
        self.waiting -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Platform:
    """A platform under load."""

    def __init__(self, fair: FairUse, app: Slow, clock: ManualClock) -> None:
        self.fair = fair
        self.clock = clock
        self._app = app
        self._asking: list[asyncio.Task[Reply]] = []

    async def ask(self, account: str, count: int = 1) -> None:
        """Have an account send requests that are not answered yet."""
        for _ in range(count):
            asking = call(self.fair, "GET", PATH, key=key_of(account))
            self._asking.append(asyncio.create_task(asking))
        while self._app.waiting < len(self._asking):
            assert not any(asking.done() for asking in self._asking), "not let in"
            await asyncio.sleep(0)

    async def answer(self) -> list[int]:
        """Have all that wait answered, and give the statuses."""
        self._app.go.set()
        replies = await asyncio.gather(*self._asking)
        self._asking.clear()
        self._app.go = asyncio.Event()
        return [reply.status for reply in replies]

    async def refused(self, account: str) -> Reply:
        """Send a request that is not let in."""
        return await call(self.fair, "GET", PATH, key=key_of(account))

    async def pass_by(self, seconds: int) -> None:
        """Let seconds pass, with a look at the load in each."""
        assert self.fair.service.overload is not None
        for _ in range(seconds):
            self.clock.advance(1)
            await self.fair.service.overload.look()

    async def overload(self, **requests: int) -> None:
        """Have the platform overloaded for a minute, by requests of accounts, and then at rest."""
        await self.pass_by(1)
        for account, count in requests.items():
            await self.ask(account, count)
        await self.pass_by(60)
        await self.answer()
        await self.pass_by(90)
        await upkeep(self.fair)

    async def rest(self, days: float) -> None:
        """Let days pass."""
        self.clock.advance(days * 86_400)
        await upkeep(self.fair)


@asynccontextmanager
async def platform(
    folder: Path, clock: ManualClock, tenants: Mapping[str, str] | None = None
) -> AsyncIterator[Platform]:
    """Run the middleware around a slow app, of which it is known who uses it usually."""
    config = shipped(folder, tenants or {name: contract(name, "booking", BOUGHT) for name in USUAL})
    gateway = config / "gateway.toml"
    gateway.write_text(gateway.read_text() + SETTINGS)
    usual = {**USUAL, EVERYBODY: sum(USUAL.values())}
    days = [
        moment for first in range(1, 29, 9) for moment in months("2026-10", 4, f"{first:02}T10:00")
    ]
    past = {account: dict.fromkeys(days, units * 1_000_000) for account, units in usual.items()}
    await used_before(config, BUSY, past)
    app = Slow()
    async with running(config, app, clock) as fair:
        yield Platform(fair, app, clock)
