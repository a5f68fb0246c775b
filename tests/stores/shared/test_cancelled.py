"""F-26: whoever asked may be gone by the time of the answer; nothing stays open for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.faults import place
from tests.stores.shared.support import Gate, Node, node, reserved
from tests.stores.shared_store import new_namespace, patience
from tests.stores.support import claim, limit

from fairuse.stores.protocol import Outcome, Receipt

if TYPE_CHECKING:
    from tests.redis_servers import RedisServer

    from fairuse.stores.protocol import Decision
    from fairuse.stores.shared.message import Message

pytestmark = [*REDIS_MARKS, pytest.mark.anyio]

NARROW = limit("narrow", 20, "1 hour")
WIDE = limit("wide", 6_400, "1 hour")
AT_ONCE = limit("at-once", 9, "always", measure="in flight", meter="f")
SEATS = limit("seats", 4, "calendar day", over="deny user", measure="users", meter="s")
STRICT = pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])


async def asked(at: Node, member: str) -> Decision:
    """Ask for a unit of everything."""
    now = at.clock.now()
    claims = [claim(terms, now.wall) for terms in (NARROW, WIDE, AT_ONCE)]
    return await reserved(at.counters, now, *claims, claim(SEATS, now.wall, member=member))


@STRICT
@settings(max_examples=40)
@given(
    patiences=st.lists(st.none() | st.integers(0, 12), min_size=1, max_size=12),
    refused=st.sets(st.integers(0, 11)),
)
async def test_requests_are_cancelled_at_any_moment(
    server: RedisServer, patiences: list[int | None], refused: set[int], *, strict: bool
) -> None:
    """F-26: of requests that go away while they wait, nothing is open or counted in the end."""
    with patience():
        async with node(server.url, new_namespace(), strict=strict) as at:
            asking = [asyncio.create_task(asked(at, f"u{n % 5}")) for n in range(len(patiences))]
            for turn in range(13):
                for task, turns in zip(asking, patiences, strict=True):
                    if turn == turns:
                        task.cancel()
                await asyncio.sleep(0)
            ended = await asyncio.gather(*asking, return_exceptions=True)
            seen = set()
            units = 0
            for number, receipt in enumerate(ended):
                if isinstance(receipt, Receipt):
                    outcome = Outcome.REFUSED if number in refused else Outcome.ACCEPTED
                    at.settle(receipt, outcome)
                    at.settle(receipt)
                    units += outcome is Outcome.ACCEPTED
                    seen |= {f"u{number % 5}"} if outcome is Outcome.ACCEPTED else set()
            await at.counters.flush()
            left = {name: number for name, number in (await at.used()).items() if number}
            expected = {"narrow": units, "wide": units, "seats": len(seen)}
            assert left == {name: number for name, number in expected.items() if number}


@STRICT
async def test_an_answer_for_nobody_leaves_nothing_open(
    server: RedisServer, *, strict: bool
) -> None:
    """F-26: what is granted after the requester is gone is given back with the next call."""
    with patience():
        async with node(server.url, new_namespace(), strict=strict) as at:
            with Gate(at) as gate:
                asking = asyncio.create_task(asked(at, "anna"))
                await gate.reached()
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking
            await at.counters.flush()
            assert sum((await at.used()).values()) == 0


@STRICT
async def test_a_grant_that_nobody_picks_up(server: RedisServer, *, strict: bool) -> None:
    """F-26: who is cancelled between the answer and its own turn has nothing open either."""
    with patience():
        async with node(server.url, new_namespace(), strict=strict) as at:
            asking = asyncio.create_task(asked(at, "anna"))
            told = at.counters.teller._told

            async def cancelling(message: Message, keys: list[str]) -> None:
                await told(message, keys)
                asking.cancel()

            with (
                patch.object(at.counters.teller, "_told", cancelling),
                pytest.raises(asyncio.CancelledError),
            ):
                await asking
            await at.counters.flush()
            assert sum((await at.used()).values()) == 0


@STRICT
@pytest.mark.parametrize("mode", ["blackhole", "late"])
async def test_who_is_cancelled_in_an_outage(
    server: RedisServer, mode: str, *, strict: bool
) -> None:
    """F-26, F-37: who gives up while the store is silent holds nothing when it is back."""
    async with place(server, strict=strict) as at:
        await at.node.count(NARROW)
        with at.outage("late" if mode == "late" else "blackhole"):
            asking = [asyncio.create_task(asked(at.node, "anna")) for _ in range(5)]
            await asyncio.sleep(0.01)
            for task in asking[:4]:
                task.cancel()
            decisions = await asyncio.gather(*asking, return_exceptions=True)
            assert isinstance(decisions[4], Receipt)
        at.node.settle(decisions[4])
        await at.back()
        assert {name: each for name, each in (await at.used()).items() if each} == {
            "narrow": 2,
            "wide": 1,
            "seats": 1,
        }
