"""What happens to two customers of a gateway that may die at any moment, and what is left of it.

Anna agrees to pay and is charged; Bert answers nothing, an operator approves that an export is
switched off, and it comes back with the new month. Whoever gets no answer asks again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.scenarios.process import decided
from tests.scenarios.support import iso, key_of, moment, tell, upkeep
from tests.support import Recorder, call, told

from fairuse import FairUse
from fairuse.base.clock import ManualClock
from fairuse.rules.ladder import WrongStep
from fairuse.stores.outbox import letters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

POLICY = """
title = "Fair use"
[packages.standard]
title = "Subscription"
[meters.calls]
unit  = "call"
count = ["event call.made"]
[limits.calls-per-month]
meter  = "calls"
scope  = "account"
amount = "2"
window = "calendar month"
over   = "case"
[[tariffs.extra-call]]
price = "EUR 0.05"
[ladder]
grace = "14 days"
offer = ["accept charges", "reduce"]
[[ladder.steps]]
on       = "accepted"
do       = "charge"
limits   = ["calls-per-month"]
tariff   = "extra-call"
from     = "notice"
approval = "none"
[[ladder.steps]]
on       = "still over"
do       = "degrade"
routes   = ["GET /exports"]
until    = "under the limit"
review   = "30 days"
approval = "operator"
"""
ANNA, BERT = "anna", "bert"
SECONDS_DOWN = 10
"""How long it takes until somebody has started the next process."""


@dataclass(slots=True)
class World:
    """What outlives a process: how far the story is, and when."""

    path: Path
    step: int = 0
    deaths: int = 0

    @classmethod
    def of(cls, folder: Path) -> World:
        """Find out how far it is, as a process that has just begun."""
        path = folder / "world.json"
        if not path.exists():
            return cls(path)
        known = json.loads(path.read_text())
        return cls(path, known["step"], known["deaths"] + 1)

    @property
    def over(self) -> bool:
        """Say whether everything has happened."""
        return self.step == len(STEPS)

    def note(self) -> None:
        """Write it down."""
        self.path.write_text(json.dumps({"step": self.step, "deaths": self.deaths}))


async def live(config: Path) -> None:
    """Go on with the story, in one process, until it is over."""
    world = World.of(config.parent)
    world.note()
    clock = ManualClock(moment(STEPS[min(world.step, len(STEPS) - 1)][0]))
    clock.advance(SECONDS_DOWN * world.deaths)
    fair = FairUse(Recorder(), config, clock=clock, access_stream=None)
    await fair.service.start()
    while not world.over:
        at, step = STEPS[world.step]
        clock.advance(max(0.0, moment(at) - clock.wall))
        await step(fair, clock)
        await told(fair.service)
        world.step += 1
        world.note()
    await fair.service.stop()


def _called(account: str, count: int, when: str) -> list[dict[str, Any]]:
    return [
        {
            "specversion": "1.0",
            "id": f"{account} {when} {number}",
            "source": "exchange",
            "type": "call.made",
            "subject": account,
            "time": iso(when),
        }
        for number in range(count)
    ]


def _calls(when: str) -> Callable[[FairUse, ManualClock], Awaitable[None]]:
    async def happen(fair: FairUse, _clock: ManualClock) -> None:
        for account in (ANNA, BERT):
            assert (await tell(fair, _called(account, 5, when))).status == 200

    return happen


async def _deliveries(fair: FairUse, clock: ManualClock) -> None:
    """Have all notices delivered; what was on its way in a process that died is due again soon."""
    ledger, process = await told(fair.service), fair.service.process
    assert process is not None
    await process.delivery.round()
    while await letters(ledger, "waiting"):
        clock.advance(60)
        await process.delivery.round()


async def _anna_accepts(fair: FairUse, _clock: ManualClock) -> None:
    mine = (await call(fair, "GET", "/fairuse/cases", key=key_of(ANNA))).json()["cases"]
    body = json.dumps({"choice": "accept charges", "name": "Anna"}).encode()
    reply = await call(
        fair,
        "POST",
        f"/fairuse/cases/{mine[0]['id']}/choice",
        key=key_of(ANNA),
        body=[{"type": "http.request", "body": body, "more_body": False}],
    )
    assert reply.status == 200


async def _time_passes(fair: FairUse, _clock: ManualClock) -> None:
    await upkeep(fair)


async def _an_operator_approves(fair: FairUse, _clock: ManualClock) -> None:
    try:
        await decided(fair, BERT, "approved")
    except WrongStep:  # who was not answered looks whether it was done
        [case] = await (await told(fair.service)).cases(BERT)
        assert case.state == "measured"


STEPS: tuple[tuple[str, Callable[[FairUse, ManualClock], Awaitable[None]]], ...] = (
    ("2026-10-05T09:00", _calls("2026-10-05T08:00")),
    ("2026-10-05T10:00", _deliveries),
    ("2026-10-06T10:00", _anna_accepts),
    ("2026-10-06T11:00", _calls("2026-10-06T10:30")),
    ("2026-10-20T12:00", _time_passes),
    ("2026-10-20T13:00", _an_operator_approves),
    ("2026-10-20T14:00", _deliveries),
    ("2026-11-05T12:00", _time_passes),
    ("2026-11-05T13:00", _deliveries),
)
"""Each with the moment from which on it may happen."""
