"""WebSockets that a measure is about: new ones are refused, and open ones are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.measures import measured, take_up
from tests.stages.support import policy
from tests.stages.websockets import relay, upstream
from tests.support import DENTIST, NOON, SALON
from websockets.exceptions import InvalidStatus

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stages.websockets import Relay

pytestmark = pytest.mark.anyio

RULE = "one"
RULES = policy('count = ["GET /ws"]', amount="100")
FEATURE = ("GET /ws",)


async def switch_off(gateway: Relay, seconds: float = 900) -> None:
    """Switch the WebSockets of the salon off for a time, and have it taken up."""
    service = gateway.front.gateway.service
    assert service.ledger is not None
    ends_at = NOON + seconds
    work = measured(service.ledger, "degrade", NOON, rule=RULE, routes=FEATURE, ends_at=ends_at)
    await gateway.run(work)
    await gateway.run(take_up(gateway.front.gateway))


async def test_a_measure_refuses_and_cuts_websockets(tmp_path: Path) -> None:
    """A10, B14, P9, P6: the account's open ones end and new ones wait; the other's go on."""
    async with upstream() as server, relay(tmp_path, server.port, RULES) as gateway:
        async with gateway.connect(key=SALON) as cut, gateway.connect(key=DENTIST) as kept:
            await switch_off(gateway)
            await cut.wait_closed()
            assert (cut.close_code, cut.close_reason) == (1008, f"feature-off: {RULE}")
            await kept.send("still there?")
            assert await kept.recv() == "still there?"
        with pytest.raises(InvalidStatus) as refused:
            await gateway.connect(key=SALON).__aenter__()
        assert refused.value.response.status_code == 403
        gateway.front.clock.advance(900)
        async with gateway.connect(key=SALON) as again:
            await again.send("back")
            assert await again.recv() == "back"


async def test_a_measure_of_another_route_cuts_nothing(tmp_path: Path) -> None:
    """P9: what is off is off, and nothing else is."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port, RULES) as gateway,
        gateway.connect("/ws") as kept,
    ):
        service = gateway.front.gateway.service
        assert service.ledger is not None
        work = measured(service.ledger, "degrade", NOON, rule=RULE, routes=("* /export/**",))
        await gateway.run(work)
        await gateway.run(take_up(gateway.front.gateway))
        await kept.send("still there?")
        assert await kept.recv() == "still there?"
