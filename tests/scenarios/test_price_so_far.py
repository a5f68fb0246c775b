"""What a customer's page says that it costs so far is what is charged in the end (A21, A23)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import chosen, delivered
from tests.scenarios.support import contract, go_to, key_of, pass_time, running, shipped, upkeep
from tests.support import Recorder, call, told

from fairuse.entry.desk import Desk
from fairuse.rules.grants import Grant
from fairuse.stores.charges import charges_of

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

ONE_LOCATION = "[packages.standard]\nlocations = 1\n"
PRICES = """
[[tariffs.extra-appointment]]
price = "EUR 0.05"
[[tariffs.extra-appointment]]
price = "EUR 0.07"
from  = 2026-10-20
"""
CREDITS = """
[packages.automation]
email-credits = 100
sms-credits   = 20
phone-credits = 5
push-credits  = 3
[[tariffs.email]]
price = "EUR 0.002"
[[tariffs.sms]]
price = "EUR 0.08"
[[tariffs.phone]]
price = "EUR 0.15"
[[tariffs.push]]
price = "EUR 0.001"
"""
SO_FAR = re.compile(r"<dt>Charges so far would be</dt><dd>€(\d+\.\d\d)</dd>")
LAST_MOMENT = "2026-10-31T23:59:59"


async def shown(fair: FairUse, account: str) -> list[str]:
    """Give what the usage page says that an account's cases cost so far."""
    await told(fair.service)
    accept = [(b"accept", b"text/html")]
    path = "/fairuse/usage"
    page = await call(fair, "GET", path, key=key_of(account), headers=accept)
    return SO_FAR.findall(page.body.decode())


async def charged(fair: FairUse, account: str) -> list[str]:
    """Give what an account was charged."""
    found = await charges_of(await told(fair.service), account=account)
    return [str(charge.amount) for charge in found]


async def use(fair: FairUse, clock: ManualClock, account: str, path: str, count: int) -> None:
    """Use something, slowly enough for every limit that refuses."""
    for _ in range(count):
        clock.advance(1.1)
        assert (await call(fair, "POST", path, key=key_of(account))).status == 201


async def test_what_is_shown_at_the_end_is_charged(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A09, A21, A23, P5, B19: by the hour, each unit at its day's price, with what was bought."""
    tenants = {"salon": contract("salon", "booking", ONE_LOCATION, extra=PRICES)}
    go_to(clock, "2026-10-05T09:00")
    book = "/locations/centrum/appointments"
    async with running(shipped(tmp_path, tenants), recorder, clock) as fair:
        await use(fair, clock, "salon", book, 10)
        service = fair.service
        desk = Desk(service.configuration, await told(service), "olga", clock)
        lower = Grant(
            *(0, "salon", "appointments-per-month", "override", "9"), reason="agreed by phone"
        )
        assert await desk.grant(lower)
        assert service.process is not None
        await service.process.take_up()
        await use(fair, clock, "salon", book, 4)
        await upkeep(fair)
        await delivered(fair, clock)
        await use(fair, clock, "salon", book, 5)
        assert await shown(fair, "salon") == []  # the hour of the notice is free
        await chosen(fair, clock, "salon", "accept charges")
        go_to(clock, "2026-10-06T09:30")
        await use(fair, clock, "salon", book, 6)
        assert await shown(fair, "salon") == ["0.30"]
        go_to(clock, "2026-10-21T09:30")
        await use(fair, clock, "salon", book, 7)
        assert await shown(fair, "salon") == ["0.79"]
        go_to(clock, LAST_MOMENT)
        at_the_end = await shown(fair, "salon")
        await pass_time(fair, clock, "2026-11-04T12:00")
        assert await charged(fair, "salon") == at_the_end == ["0.79"]
        assert await shown(fair, "salon") == []


async def test_what_a_warning_announced_is_shown_and_charged(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """D10, D11, D16, A23, P1: told beforehand by a warning, all above the amount is shown."""
    tenants = {"acme": contract("acme", "credits", CREDITS)}
    go_to(clock, "2026-10-05T09:00")
    async with running(shipped(tmp_path, tenants), recorder, clock) as fair:
        await use(fair, clock, "acme", "/calls", 4)
        await upkeep(fair)
        await delivered(fair, clock)
        clock.advance(3_600)
        await use(fair, clock, "acme", "/calls", 8)
        await upkeep(fair)
        clock.advance(7_200)
        await delivered(fair, clock)
        at_first = await shown(fair, "acme")
        go_to(clock, LAST_MOMENT)
        at_the_end = await shown(fair, "acme")
        await pass_time(fair, clock, "2026-11-04T12:00")
        assert await charged(fair, "acme") == at_the_end == at_first == ["1.05"]
