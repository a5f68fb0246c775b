"""What is in force besides the contracts, followed live by every node."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.measures import DAY, configured, ended, measured
from tests.rules.support_grants import grant
from tests.support import NOON

from fairuse.base.errors import LedgerError
from fairuse.stores import forces as module
from fairuse.stores.configuration import Configuration
from fairuse.stores.forces import KEPT_SECONDS, Forces
from fairuse.stores.grants import add

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Select

    from fairuse.base.clock import ManualClock
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

LIMIT = "appointments-burst"


class Node:
    """One node: its configuration, and what it knows to be in force."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.ledger = ledger
        self.configuration = Configuration(folder)
        self.configuration.load()
        self.forces = Forces()

    async def look(self, moment: float = NOON) -> bool:
        """Take up what changed."""
        return await self.forces.look(self.ledger, self.configuration, moment)

    def amount(self, account: str = "salon", moment: float = NOON) -> int:
        """Give the amount of the burst limit."""
        limit = self.configuration.current.accounts[account].limit(LIMIT)
        assert limit is not None
        amount = limit.amount(moment)
        assert amount is not None
        return amount.value

    def kinds(self, account: str = "salon") -> list[str]:
        """Give the measures that refuse requests of an account."""
        return [each.measure.kind for each in self.forces.restrictions.get(account, ())]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a configuration with two accounts."""
    return configured(tmp_path)


@pytest.fixture
def node(folder: Path, ledger: Ledger) -> Node:
    """Give a node that has not looked yet."""
    return Node(folder, ledger)


MORE = grant("extra", "10", NOON, limit=LIMIT, made_at=NOON)
"""Ten more in a minute."""


async def test_what_is_written_is_taken_up_by_every_node(folder: Path, ledger: Ledger) -> None:
    """A27, B16, S15: a grant and a measure hold on nodes that run, and on one that starts later."""
    early = Node(folder, ledger)
    assert not early.forces.restrictions
    await early.look()
    await add(ledger, MORE)
    await measured(ledger, "suspend", NOON)
    await measured(ledger, "throttle", NOON, limit=LIMIT, amount="7", account="dentist")
    late = Node(folder, ledger)
    for node in (early, late):
        assert await node.look()
        assert (node.amount(), node.amount("dentist")) == (70, 7)
        assert (node.kinds(), node.kinds("dentist")) == (["suspend"], [])
        assert not await node.look()


async def test_a_restriction_knows_its_rule_and_figures(node: Node) -> None:
    """P10: the rule of the case, and what was counted of which amount."""
    await measured(node.ledger, "degrade", NOON, routes=("GET /export",))
    await node.look()
    [found] = node.forces.restrictions["salon"]
    assert (found.rule, found.reading, found.amount) == ("appointments-per-month", 61, 60)
    assert [route.text for route in found.routes] == ["GET /export"]


async def test_what_ends_is_let_go(node: Node) -> None:
    """P6, A08: who ends a measure before its time gives the account everything back."""
    first = await measured(node.ledger, "suspend", NOON)
    second = await measured(node.ledger, "reduce", NOON, limit=LIMIT, amount="50% of " + LIMIT)
    await node.look()
    assert (node.kinds(), node.amount(), node.amount(moment=NOON + DAY)) == (["suspend"], 30, 60)
    await ended(node.ledger, first, NOON + 60)
    await node.look()
    assert (node.kinds(), node.amount()) == ([], 30)
    assert "salon" not in node.forces.restrictions
    await ended(node.ledger, second, NOON + 60)
    await node.look()
    assert node.amount() == 60


async def test_only_who_changed_gets_new_terms(node: Node) -> None:
    """F-28 (with 100,000 accounts): one account's grant leaves the terms of the others as they are.

    Its key leads to the new terms, and a reload keeps them.
    """
    await node.look()
    before = node.configuration.current
    await add(node.ledger, MORE)
    await node.look()
    after = node.configuration.current
    assert after.accounts["dentist"] is before.accounts["dentist"]
    assert after.accounts["salon"] is not before.accounts["salon"]
    terms = {holder.account: holder.terms for holder in after.keys.values()}
    assert terms == dict(after.accounts)
    assert after.resolver is before.resolver
    await measured(node.ledger, "suspend", NOON, account="dentist")
    await node.look()
    assert node.configuration.current is after
    node.configuration.reload()
    assert node.configuration.current.accounts["salon"] is after.accounts["salon"]


async def test_nothing_new_costs_one_small_question(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-37: while nothing happens, a look asks the ledger one thing."""
    await add(node.ledger, MORE)
    await node.look()
    asked: list[str] = []
    real = node.ledger.rows

    async def rows(query: Select[Any]) -> Sequence[Any]:
        asked.append(str(query))
        return await real(query)

    monkeypatch.setattr(node.ledger, "rows", rows)
    await node.look()
    [only] = asked
    assert "record_head" in only


async def test_a_measure_that_makes_no_sense_is_left_out(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    """P9: what can't be read is said, and keeps nobody else's measure from holding."""
    await measured(node.ledger, "suspend", NOON, routes=("nonsense",))
    await measured(node.ledger, "reduce", NOON, limit=LIMIT, amount="half")
    await measured(node.ledger, "throttle", NOON, limit=LIMIT, amount="7 of")
    await measured(node.ledger, "suspend", NOON, account="dentist")
    await node.look()
    assert (node.kinds(), node.kinds("dentist")) == ([], ["suspend"])
    assert node.amount() == 60
    said = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [line["event"] for line in said].count("measure.left_out") == 2


async def test_grants_that_are_long_over_are_not_kept_in_mind(node: Node) -> None:
    """F-44: a top-up of last year takes no memory."""
    over = grant("extra", "10", NOON, NOON + 60, limit=LIMIT, made_at=NOON)
    await add(node.ledger, over)
    await node.look(NOON + 60 + KEPT_SECONDS)
    assert node.configuration.current.accounts["salon"].agreement.grants == ()


async def test_following_survives_a_ledger_that_is_away(
    node: Node, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S19, P6: what is known stays in force; what changed meanwhile is taken up afterwards."""
    await measured(node.ledger, "suspend", NOON)
    await node.look()
    real, looks = module._number, asyncio.Queue[str]()

    async def away(ledger: Ledger) -> int:
        looks.put_nowait("asked")
        if looks.qsize() < 3:
            raise LedgerError("it is away")
        return await real(ledger)

    monkeypatch.setattr(module, "_number", away)
    monkeypatch.setattr(module, "FOLLOW_SECONDS", 0.001)
    await add(node.ledger, MORE)
    following = asyncio.create_task(node.forces.follow(node.ledger, node.configuration, clock))
    async with asyncio.timeout(20):
        while node.amount() != 70:
            assert node.kinds() == ["suspend"]
            await asyncio.sleep(0)
    following.cancel()
