"""Where use came from: added up by several processes, kept for a while, bounded whoever asks."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from tests.stores.letters import CASE, NOTICE
from tests.support import NOON

from fairuse.base.address import Address
from fairuse.base.errors import InDoubt
from fairuse.base.instant import Instant
from fairuse.rules.agreed import History
from fairuse.rules.amounts import MAX_AMOUNT
from fairuse.rules.evidence import KEPT_SECONDS, EvidenceKey, to_text
from fairuse.rules.exchange import Exchange, Movement, Subject
from fairuse.rules.policy import Policy
from fairuse.rules.tenant import Tenant
from fairuse.rules.terms import Terms
from fairuse.stores import evidence as module
from fairuse.stores import schema
from fairuse.stores.casebook import write_notice
from fairuse.stores.evidence import EvidenceCollector
from fairuse.stores.evidence_rows import evidence_kept, forget_evidence_of
from fairuse.stores.journal import Journal
from fairuse.stores.outbox import letters

if TYPE_CHECKING:
    from fairuse.rules.evidence import Evidence
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Europe/Amsterdam")
RULE = "appointments-per-month"
AT = Instant(NOON, 0.0)
DAY = 86_400


def terms(over: str = "case", **tenant: Any) -> Terms:
    """Give the terms of a salon with one limit."""
    meter = {"unit": "appointment", "count": ["POST /**"]}
    limit = {"meter": "appointments", "amount": "5000", "window": "calendar month", "over": over}
    policy = {"title": "t", "meters": {"appointments": meter}, "limits": {RULE: limit}}
    contract = {"policy": "p", "timezone": "Europe/Amsterdam", "contact": ["mailto:a@b.example"]}
    read = Tenant.model_validate(contract | tenant)
    return Terms("salon", "salon", read, Policy.model_validate(policy), History())


TERMS = terms()
SALON = CASE._replace(scope=(), starts_at=NOON - 2 * DAY, ends_at=NOON + DAY)


class Node:
    """One process: its journal, and what it collects."""

    def __init__(self, ledger: Ledger, at: Terms = TERMS) -> None:
        self.ledger = ledger
        self.terms = at
        self.journal = Journal()
        self.collector = EvidenceCollector(self.journal)

    def ask(
        self,
        address: str = "203.0.113.7",
        path: str = "/book",
        *,
        status: int | None = 201,
        agent: bytes = b"curl/8.1",
        location: str = "",
        moment: float = NOON,
        sent: int = 0,
    ) -> None:
        """Have a request settled."""
        headers = [(b"user-agent", agent)]
        scope = {"method": "POST", "path": path, "headers": headers}
        exchange = Exchange(scope, Instant(moment, 0.0), "id")
        exchange.status, exchange.sent_bytes = status, sent
        exchange.moves = [Movement(self.terms.meters["appointments"], "", releases=False)]
        subject = Subject("salon", location, "", Address(address, address), self.terms)
        self.collector.note(exchange, subject, {})

    async def write(self) -> None:
        """Write what is known so far."""
        self.collector.tell()
        assert await self.journal.flush(self.ledger, AT)

    async def found(self, **case: Any) -> Evidence | None:
        """Give what is known at this moment."""
        asked = SALON._replace(**case)
        return await self.collector.about_case(asked, self.terms, self.ledger, NOON)


async def kept(ledger: Ledger, **case: Any) -> Evidence | None:
    """Give what the ledger knows."""
    return await evidence_kept(ledger, SALON._replace(**case), TERMS, NOON)


async def test_two_nodes_and_a_restart_add_up(ledger: Ledger) -> None:
    """C16, S15: what several processes saw, one after another or together, is one."""
    for number, address in enumerate(("203.0.113.7", "203.0.113.7", "198.51.100.4")):
        node = Node(ledger)
        for _ in range(10):
            node.ask(address, f"/orders/{number}")
        await node.write()
        await node.write()
    found = await kept(ledger)
    assert found is not None
    assert found.requests == 30
    assert found.addresses == (("203.0.113.7", 0.6667), ("198.51.100.4", 0.3333))
    assert found.paths == (("POST /orders/*", 1.0),)
    assert found.agents == (("curl/8.1", 1.0),)


async def test_it_is_known_at_once_and_counts_once(ledger: Ledger) -> None:
    """C16, P8: what is not written yet is known here, and what is being written is not twice."""
    node = Node(ledger)
    for number in range(20):
        node.ask()
        found = await node.found()
        assert found is not None
        assert found.requests == number + 1
        if number % 3 == 0:
            node.collector.tell()
        if number % 5 == 0:
            assert await node.journal.flush(ledger, AT)
    at_once = await node.found()
    await node.write()
    assert await kept(ledger) == at_once


async def test_it_is_about_one_meter_account_place_and_window(ledger: Ledger) -> None:
    """C16, P9: a case tells of its own part of the account, and of its own days."""
    node = Node(ledger)
    for location, moment in itertools.product(("a", "b"), (NOON - 5 * DAY, NOON - DAY, NOON)):
        for _ in range(6):
            node.ask(location=location, moment=moment, path=f"/{location}")
    await node.write()
    place = (("location", "a"),)
    of_a, of_all = await kept(ledger, scope=place), await kept(ledger)
    assert (of_a and of_a.requests, of_all and of_all.requests) == (12, 24)
    assert of_a is not None
    assert of_a.paths == (("POST /a", 1.0),)
    assert await node.found(scope=place) == of_a
    assert await kept(ledger, account="dentist") is None
    assert await kept(ledger, rule="repeated-breaches") is None


async def test_what_the_api_refused_is_an_error_and_no_use(ledger: Ledger) -> None:
    """C16: errors are a share of the requests; what did not count has no part in the excess."""
    node = Node(ledger)
    for status in (201, 201, 201, 404, None):
        node.ask("203.0.113.7" if status == 201 else "198.51.100.4", status=status)
    found = await node.found()
    assert found is not None
    assert found.addresses == (("203.0.113.7", 1.0),)
    assert found.errors == (("", 0.2), ("4xx", 0.2))


async def test_100_000_paths_and_programs_take_no_more_room_than_some(ledger: Ledger) -> None:
    """C16, F-44: an explosion of values has a bound in memory and in the ledger, and is told."""
    node = Node(ledger)
    for number in range(100_000):
        address = "203.0.113.7" if number % 2 else f"10.{number // 250 % 250}.{number % 250}.1"
        word = f"{number:b}".translate({48: "a", 49: "b"})
        node.ask(address, f"/search/{word}", agent=b"%d" % number + b"x" * 100_000)
        if number % 1_000 == 0:
            await node.write()
    await node.write()
    assert node.collector._counters < 200
    rows = await ledger.rows(select(schema.evidence))
    assert len(rows) < 500
    assert max(len(row.value) for row in rows) < 200
    found = await kept(ledger)
    assert found is not None
    assert found.paths == (("POST /search/**", 1.0),)
    [most] = found.addresses
    assert most.value == "203.0.113.7"
    assert 0.4 < most.share < 0.6
    assert found.sampled
    assert 90_000 < found.requests < 110_000


async def test_made_up_locations_push_out_who_was_idle_longest(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-44: beyond the bound the oldest is forgotten, and what came to little is no row."""
    monkeypatch.setattr(module, "MOST_COUNTERS", 1_000)
    node = Node(ledger)
    node.collector = EvidenceCollector(node.journal, chance=lambda: 0.0)
    for number in range(5_000):
        node.ask(location=f"made-up-{number}")
        if number % 100 == 0:
            node.ask(location="real")
            node.collector._gather(module.MOST_WAITING)
    assert node.collector._counters <= 1_000
    assert sum(map(len, node.collector._parts.values())) == node.collector._counters
    await node.write()
    locations = {row.location for row in await ledger.rows(select(schema.evidence))}
    assert locations == {"real"}


async def test_what_waits_to_be_looked_at_has_a_bound(ledger: Ledger) -> None:
    """F-44: while nobody looks, further requests are left out."""
    node = Node(ledger)
    for _ in range(3 * module.MOST_WAITING):
        node.ask(sent=module.LARGE)
    assert len(node.collector._waiting) == module.MOST_WAITING


async def test_of_many_requests_some_stand_for_the_others(ledger: Ledger) -> None:
    """C16: two that take turns are both seen, a large one always, and the sum is about right."""
    node = Node(ledger)
    for number in range(20_000):
        node.ask("203.0.113.7" if number % 2 else "198.51.100.4")
        if number % 1_000 == 0:
            node.ask("192.0.2.1", sent=module.LARGE)
            node.collector._gather(module.MOST_WAITING)
    found = await node.found()
    assert found is not None
    assert found.sampled
    assert {share.value for share in found.addresses} == {"203.0.113.7", "198.51.100.4"}
    assert all(0.4 < share.share < 0.6 for share in found.addresses)
    assert 17_000 < found.requests < 23_000


async def test_who_wants_nothing_kept_has_nothing_kept(ledger: Ledger) -> None:
    """C16: `evidence = false` collects nothing and forgets what there was; so do hard limits."""
    before = Node(ledger)
    before.ask()
    found = await before.found()
    notice = NOTICE._replace(evidence=to_text(found))
    assert await write_notice(ledger, notice, ["mailto:anna@salon.example"])
    for _ in range(9):
        before.ask()
    await before.write()
    for at in (terms(evidence=False), terms(over="refuse"), terms(over="signal")):
        node = Node(ledger, at)
        node.ask()
        assert len(node.collector._waiting) == 0
        assert await node.found() is None
    await forget_evidence_of(ledger, ["dentist"])
    assert await kept(ledger) is not None
    await forget_evidence_of(ledger, ["salon"])
    assert await kept(ledger) is None
    [letter] = await letters(ledger, "waiting")
    assert (letter.notice.evidence, letter.notice.body) == ("", NOTICE.body)


async def test_it_is_forgotten_after_ninety_days(ledger: Ledger) -> None:
    """C16: neither the ledger nor a notice keeps addresses for longer; the notice itself stays."""
    node = Node(ledger)
    for _ in range(9):
        node.ask()
    notice = NOTICE._replace(evidence=to_text(await node.found()))
    assert await write_notice(ledger, notice, ["mailto:anna@salon.example"])
    await node.write()
    await ledger.prune(NOON + KEPT_SECONDS - DAY)
    assert await kept(ledger) is not None
    assert (await letters(ledger, "waiting"))[0].notice.evidence
    await ledger.prune(NOON + KEPT_SECONDS + DAY)
    assert await kept(ledger) is None
    [letter] = await letters(ledger, "waiting")
    assert letter.notice == notice._replace(evidence="")


async def test_a_write_in_doubt_adds_nothing_twice(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41, P8: what was committed after all is not added up again."""
    node, at_once = Node(ledger), ledger.at_once

    async def committed() -> bool:
        return True

    async def lost(work: Any) -> None:
        await at_once(work)
        raise InDoubt("the connection was lost", committed)

    for _ in range(9):
        node.ask()
    node.collector.tell()
    monkeypatch.setattr(ledger, "at_once", lost)
    assert not await node.journal.flush(ledger, AT)
    monkeypatch.setattr(ledger, "at_once", at_once)
    node.ask()
    await node.write()
    found = await kept(ledger)
    assert found is not None
    assert found.requests == 10


async def test_more_than_a_database_can_add_up_stops_nothing(ledger: Ledger) -> None:
    """F-27: a sum beyond what a column holds is cut, so that everything else is written."""
    key = EvidenceKey("salon", "", "appointments", int(NOON), "all", "units")
    journal = Journal()
    for _ in range(3):
        journal.note_evidence({key: 2**62})
        journal.note_evidence({key: 2**62})
        journal.note_evidence({key._replace(value="others"): 1})
        assert await journal.flush(ledger, AT)
    table = schema.evidence
    rows = await ledger.rows(select(table.c.value, table.c.units))
    assert {row.value: row.units for row in rows} == {"units": MAX_AMOUNT, "others": 3}
