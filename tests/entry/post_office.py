"""A delivery worker with a ledger, a configuration, and counts that the test decides."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY
from tests.delivery.servers import SECRET
from tests.stores.letters import everything
from tests.support import write_config

from fairuse.entry.deliver import Delivery
from fairuse.stores.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from fairuse.base.clock import ManualClock
    from fairuse.rules.ladder import Case
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.letters import Letter

POLICY = """
title = "Fair use policy: appointments"
[counts]
locations = "locations"
[packages.standard]
title = "Subscription"
[meters.appointments]
unit  = "appointment"
count = ["POST /locations/{location}/appointments"]
[limits.appointments-per-month]
meter  = "appointments"
amount = "5000"
window = "calendar month"
over   = "case"
[ladder]
grace = "10 days"
"""


@dataclass(slots=True)
class PostOffice:
    """The worker, and what it asks: `reading` is the count now, or why it can't be known."""

    clock: ManualClock
    configuration: Configuration
    ledger: Ledger
    delivery: Delivery = field(init=False)
    reading: int | Exception | None = 5_001
    asked: list[Letter] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open."""
        self.delivery = self.another()

    def another(self) -> Delivery:
        """Give another worker, as after a restart or in another process."""
        return Delivery(
            self.clock, self.configuration, self.ledger, self.reading_of, self.choices_of
        )

    async def reading_of(self, letter: Letter) -> int | None:
        """Give the count."""
        self.asked.append(letter)
        if isinstance(self.reading, Exception):
            raise self.reading
        return self.reading

    def choices_of(self, case: Case) -> Mapping[str, str]:
        """Give the links of a case."""
        return {"reduce": f"https://booking.example/choose/{case.id}"}

    async def until_nothing_is_due(self) -> None:
        """Run rounds as long as there may be more."""
        while await self.delivery.round():
            pass

    async def letter(self) -> Letter:
        """Give the one letter there is."""
        [letter] = await everything(self.ledger)
        return letter

    @asynccontextmanager
    async def working(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run the worker beside the test."""
        task = asyncio.create_task(self.delivery.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])


def post_office(folder: Path, ledger: Ledger, clock: ManualClock, notices: str = "") -> PostOffice:
    """Open a post office whose settings sign the salon's webhooks."""
    config = write_config(folder, policy=POLICY)
    settings = config / "gateway.toml"
    own = f'[notices]\nallow_private = true\n{notices}\n[notices.webhooks]\nsalon = "{SECRET}"\n'
    settings.write_text(settings.read_text() + own)
    configuration = Configuration(config)
    configuration.load()
    return PostOffice(clock, configuration, ledger)


def measured(name: str, **labels: str) -> float:
    """Read a metric."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
