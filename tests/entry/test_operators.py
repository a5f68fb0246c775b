"""Operators are told what waits for one of them: once, durably, by the channels of notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.entry.portal.support import HTML, PORTAL, SECRET, TELEPHONE, asked
from tests.entry.post_office import post_office
from tests.stores.letters import everything, noticed, told
from tests.support import SALON

from fairuse.entry.desk import Desk
from fairuse.rules.memo import KIND
from fairuse.stores.outbox import letters
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.entry.portal.support import Asked
    from tests.entry.post_office import PostOffice

    from fairuse.base.clock import ManualClock
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.letters import Letter
    from fairuse.stores.rows import NoticeRow

DESK = "mailto:desk@booking.example"
CHAT = "chat:fair-use"
NOTICES = f"""\
operators = ["{DESK}", "{CHAT}"]
channels  = {{ chat = "json://127.0.0.1:9/" }}
"""


@pytest.fixture
def choosing(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Asked]:
    """Run a gateway whose customer is asked to choose, and whose operators want to know."""
    monkeypatch.setenv("FAIRUSE_SECRET", SECRET)
    with asked(tmp_path, clock, portal=f"{PORTAL}[notices]\n{NOTICES}") as found:
        yield found


def _memos(choosing: Asked, *, calls: bool = False) -> list[NoticeRow]:
    """Give what operators were told, oldest first; of calls, which may come at any moment, or not.

    Each goes to every contact.
    """
    found = choosing.front.server.run(everything(choosing.ledger))
    memos = [letter for letter in found if letter.notice.kind == KIND]
    told = {channel: [x.notice for x in memos if x.channel == channel] for channel in (DESK, CHAT)}
    assert told[DESK] == told[CHAT]
    assert len(memos) == 2 * len(told[DESK])
    return [notice for notice in told[DESK] if (notice.rule == "call") == calls]


def test_who_asks_for_more_capacity_is_heard(choosing: Asked) -> None:
    """A26, A27: a wish for more goes to every operator, with who, what and how much; once."""
    assert _memos(choosing) == []
    choosing.post("extra capacity")
    choosing.post("extra capacity")
    [memo] = _memos(choosing)
    assert memo.subject == f"Case {choosing.number} asks for more capacity: salon"
    for part in ("salon: Anna Jansen", "location centrum", "per-month", "3 of 2"):
        assert part in memo.body
    choosing.post("reduce")
    assert len(_memos(choosing)) == 1
    choosing.post("extra capacity")
    assert len(_memos(choosing)) == 2  # asked once more, after something else


@pytest.mark.parametrize("option", ["accept charges", "reduce", "decline"])
def test_what_waits_for_nobody_is_told_to_nobody(choosing: Asked, option: str) -> None:
    """A23: a choice that the ladder itself goes on with is no operator's business."""
    choosing.post(option)
    assert _memos(choosing) == []


def test_no_customer_sees_what_operators_are_told(choosing: Asked) -> None:
    """P9: a memo is on no page of a customer, and counts as nobody's notice."""
    choosing.post("extra capacity")
    assert _memos(choosing)
    usage = choosing.front.client.get("/fairuse/usage", headers={**HTML, "X-API-Key": SALON})
    assert "more capacity: salon" not in usage.text
    told_to_customer = choosing.front.server.run(choosing.ledger.notices("salon"))
    assert {notice.kind for notice in told_to_customer} == {"over"}
    proof = choosing.front.server.run(verify(choosing.ledger, None))
    assert proof.violations == []


def test_a_proposal_is_told_until_somebody_approves_it(choosing: Asked) -> None:
    """A18: what waits for an approval is told, with the command that gives it."""
    configuration = choosing.front.gateway.service.configuration
    desk = Desk(configuration, choosing.ledger, "olga", choosing.front.clock)
    ladder = configuration.current.accounts["salon"].rules.ladder
    choosing.moved("persisted")
    step = ladder.steps[0].model_copy(update={"approval": "operator"})
    choosing.front.server.run(desk.propose(choosing.number, step))
    [memo] = _memos(choosing)
    assert memo.subject == f"Case {choosing.number} waits for an approval: charge, salon"
    assert f"`fairuse approve {choosing.number}`" in memo.body
    choosing.front.server.run(desk.decide(choosing.number, "rejected"))
    assert len(_memos(choosing)) == 1


def test_a_call_that_is_to_be_made_is_told(choosing: Asked) -> None:
    """E30: whom to call, of what, and how to tick it off."""
    process = choosing.front.gateway.service.process
    assert process is not None
    before = _memos(choosing, calls=True)  # of the first one, if it was not ticked off at once
    for _ in range(3):
        choosing.front.book(path="/locations/noord/appointments")
    choosing.front.told()
    for _ in range(2):
        choosing.front.server.run(process.move())
    [memo] = [each for each in _memos(choosing, calls=True) if each not in before]
    assert TELEPHONE in memo.body
    assert memo.subject == "A call is to be made: salon"


@pytest.fixture
def office(tmp_path: Path, ledger: Ledger, clock: ManualClock) -> PostOffice:
    """Open a post office with no way to send mail."""
    return post_office(tmp_path, ledger, clock, NOTICES)


async def _of_operators(ledger: Ledger) -> list[Letter]:
    return [letter for letter in await everything(ledger) if letter.notice.kind == KIND]


@pytest.mark.anyio
async def test_a_notice_that_did_not_arrive_is_told(office: PostOffice) -> None:
    """F-53, A15: after the last attempt an operator hears of it, with how to send it again."""
    await told(office.ledger, "mailto:nobody at all")
    await office.until_nothing_is_due()
    assert await _of_operators(office.ledger) == []
    await _until_dead(office, 1)
    memos = await _of_operators(office.ledger)
    assert {memo.channel for memo in memos} == {DESK, CHAT}
    assert memos[0].notice.subject == "A notice did not arrive: salon"
    assert "gateway.toml has no notices.mail" in memos[0].notice.body
    assert "`fairuse resend 1`" in memos[0].notice.body


@pytest.mark.anyio
async def test_a_memo_is_retried_and_ends(office: PostOffice) -> None:
    """F-53: a memo that nobody takes is tried as long as a notice, and begets no other memo."""
    await noticed(office.ledger, "mailto:nobody at all")
    await _until_dead(office, 1)
    [mail, chat] = await _of_operators(office.ledger)
    assert (mail.state, chat.state) == ("waiting", "waiting")
    await _until_dead(office, mail.id, chat.id)
    dead = await letters(office.ledger, "dead")
    assert [letter.attempts for letter in dead] == [12, 12, 12]
    assert len(await _of_operators(office.ledger)) == 2


async def _until_dead(office: PostOffice, *numbers: int) -> None:
    """Let days pass, with a look whenever something is due, until some letters are dead."""
    while True:
        waiting = await letters(office.ledger, "waiting")
        due_at = [letter.due_at for letter in waiting if letter.id in numbers]
        if not due_at:
            return
        office.clock.advance(max(0.0, min(due_at) - office.clock.wall))
        await office.until_nothing_is_due()
