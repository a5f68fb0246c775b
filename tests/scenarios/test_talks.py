"""Talks about the terms: how they begin, how they go, and what an operator may do after one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import decided, delivered
from tests.scenarios.support import contract, go_to, key_of, running, shipped, upkeep
from tests.scenarios.support_documents import ACME, HOUR, MINUTE, office, write_contracts
from tests.scenarios.support_documents import contract as order
from tests.scenarios.support_hosting import SHARED
from tests.scenarios.support_telephony import unlimited
from tests.support import Recorder, call, told

from fairuse.base.errors import NotPossible
from fairuse.entry.desk import Desk
from fairuse.rules.process import Step
from fairuse.stores.outbox import letters
from fairuse.stores.record import entries_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.support_documents import Office

    from fairuse.base.clock import ManualClock
    from fairuse.rules.ladder import Case
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

TALK = Step.model_validate({"on": "told", "do": "renegotiate"})
END = Step.model_validate({"on": "renegotiation failed", "do": "terminate"})
SERVICES = {
    "telephony": ("minutes-per-month", unlimited(3), "de", "Wir beenden Ihren Vertrag: "),
    "hosting": ("traffic-per-month", SHARED, "nl", "Wij beëindigen uw contract: "),
}


@pytest.mark.parametrize("policy", SERVICES)
async def test_a_contract_is_ended_by_a_person_after_a_talk_that_failed(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, policy: str
) -> None:
    """B17, C22, E34, P2: talked about, no agreement, approved; told of it, and still served."""
    rule, packages, language, subject = SERVICES[policy]
    tenant = contract("shop", policy, packages).replace(
        "[contract]", f'language = "{language}"\n[contract]'
    )
    config = shipped(tmp_path, {"shop": tenant})
    go_to(clock, "2026-11-02T12:00")
    async with running(config, recorder, clock) as fair:
        ledger = await told(fair.service)
        desk = Desk(fair.service.configuration, ledger, "olga", clock)
        assert await desk.open("shop", rule, "calls of a call centre")
        [case] = await ledger.cases("shop", closed=False)
        with pytest.raises(NotPossible, match="open can't be renegotiating"):
            await desk.propose(case.id, TALK)
        await delivered(fair, clock)
        with pytest.raises(NotPossible, match="after a talk that failed"):
            await desk.propose(case.id, END)
        assert (await desk.propose(case.id, TALK)).state == "renegotiating"
        with pytest.raises(NotPossible, match="after a talk that failed"):
            await desk.propose(case.id, END)
        assert (await desk.decide(case.id, "failed")).state == "failed"
        await upkeep(fair)
        assert (await desk.propose(case.id, END)).state == "proposed"
        await upkeep(fair)
        ended = await desk.decide(case.id, "approved")
        assert (ended.state, ended.outcome) == ("closed", "terminated")
        assert await _written_at_the_end(ledger) == f"{subject}{rule}"
        assert await _people(ledger, case) == {
            "renegotiating": "olga",
            "failed": "olga",
            "proposed": "olga",
            "terminated": "olga",
        }
        assert (await call(fair, "GET", "/anything", key=key_of("shop"))).status == 201
        assert (await verify(ledger)).violations == []
    async with running(config, recorder, clock) as fair:
        assert (await call(fair, "GET", "/anything", key=key_of("shop"))).status == 201


async def test_a_talk_may_follow_what_was_rejected(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B17, A18: an operator who wants none of the measures may talk, and agree."""
    config = shipped(tmp_path, {"shop": contract("shop", "hosting", SHARED)})
    go_to(clock, "2026-11-02T12:00")
    async with running(config, recorder, clock) as fair:
        ledger = await told(fair.service)
        desk = Desk(fair.service.configuration, ledger, "olga", clock)
        assert await desk.open("shop", "traffic-per-month", "mail that nobody asked for")
        await delivered(fair, clock)
        custom = Step.model_validate({"on": "still over", "do": "custom", "review": "1 day"})
        await desk.propose(1, custom)
        await desk.decide(1, "rejected")
        assert (await desk.propose(1, TALK)).state == "renegotiating"
        assert (await desk.decide(1, "agreed")).outcome == "agreed"
        assert [each.kind for each in await ledger.notices("shop")] == ["by hand"]


@pytest.mark.parametrize("outcome", ["agreed", "failed"])
async def test_twice_in_a_month_both_talk_about_the_fee(
    tmp_path: Path, clock: ManualClock, outcome: str
) -> None:
    """E32, E34, S12: once is nothing; twice is a talk, and how it went is recorded with a name."""
    packages = "[packages.standard]\npacks = 4\nparallel-generations = 1"
    async with office(write_contracts(tmp_path, acme=order(ACME, packages)), clock) as desk:
        await _episode(desk)
        await desk.upkeep()
        ledger = await desk.told()
        assert await ledger.cases(ACME, closed=False) == []
        desk.clock.advance(HOUR)
        await _episode(desk)
        await desk.told()
        await delivered(desk.fair, clock)
        await desk.upkeep()
        [case] = await ledger.cases(ACME, closed=False)
        assert (case.rule, case.state) == ("repeated-breaches", "renegotiating")
        desk.clock.advance(10 * 24 * HOUR)
        await desk.upkeep()
        await decided(desk.fair, ACME, outcome)  # type: ignore[arg-type]  # one of two
        assert (await _people(ledger, case))[outcome] == "olga"
        await desk.upkeep()
        [case] = await ledger.cases(ACME)
        assert case.state == {"agreed": "closed", "failed": "proposed"}[outcome]
        if outcome == "failed":
            await decided(desk.fair, ACME, "approved")
            assert await _written_at_the_end(ledger) == "We end your contract: repeated-breaches"
            assert await desk.make(1) == 201
        assert (await verify(ledger)).violations == []
        desk.go_to("2026-12-01T00:05")
        await _episode(desk)
        await desk.upkeep()
        assert len(await ledger.cases(ACME)) == 1
        await _episode(desk)
        await desk.told()
        assert len(await ledger.cases(ACME)) == 2


async def _episode(desk: Office) -> None:
    """Go over the minute once, and wait until a whole minute was clean."""
    assert await desk.make(10) == 201
    assert await desk.make(1) == 429
    desk.clock.advance(2 * MINUTE + 1)


async def _people(ledger: Ledger, case: Case) -> dict[str, str]:
    """Give what people did in a case, and who."""
    moved = [each for each in await entries_of(ledger, case.id) if each.kind == "case.moved"]
    return {str(each.data["on"]): each.by for each in moved if each.by != "fairuse"}


async def _written_at_the_end(ledger: Ledger) -> str:
    """Give the subject of the letter that says that a contract ends, and see that it waits."""
    [letter] = [
        each for each in await letters(ledger, "waiting", "dead") if each.notice.kind == "end"
    ]
    return letter.notice.subject
