"""The outbox: what is to be delivered is never lost, and what follows from it happens once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.letters import (
    CASE,
    NOTICE,
    close_case,
    delivered,
    delivered_at,
    everything,
    noticed,
    the_case,
    told,
)
from tests.support import NOON

from fairuse.base.errors import LedgerError
from fairuse.stores import outbox
from fairuse.stores.outbox import (
    DAY,
    RETRY_STEPS,
    claim,
    due,
    letter_numbered,
    letters,
    note_delivered,
    note_failed,
    overdue,
    resend,
)
from fairuse.stores.record import entries_of

if TYPE_CHECKING:
    from typing import Any

    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

MAIL = "mailto:anna@salon.example"
HOOK = "https://user:password@hooks.salon.example:8443/T0KEN/secret?key=S3CRET"
GRACE = 14 * DAY


def test_the_schedule_is_the_standards_and_two_days_more() -> None:
    """F-53: ten attempts in three days as Standard Webhooks has them, and two until day five."""
    minutes = [round(step / 60, 2) for step in RETRY_STEPS]
    assert minutes == [0.08, 5, 30, 120, 300, 600, 840, 1_200, 1_440, 1_440, 1_440]
    assert 5 * DAY <= sum(RETRY_STEPS) < 6 * DAY


async def test_letters_are_due_oldest_first(ledger: Ledger) -> None:
    """E30: a letter is due from the moment its notice was written, a batch of the oldest first."""
    await told(ledger, MAIL, "https://a.example")
    await noticed(ledger, "mailto:later@salon.example")
    assert await due(ledger, NOON - 1) == []
    assert [letter.channel for letter in await due(ledger, NOON)] == [
        MAIL,
        "https://a.example",
        "mailto:later@salon.example",
    ]
    [first] = await due(ledger, NOON, at_most=1)
    assert (first.channel, first.notice, first.number) == (MAIL, NOTICE, 1)
    assert first.case is not None
    assert first.case.account == CASE.account
    assert await claim(ledger, first, NOON)
    assert [letter.id for letter in await due(ledger, NOON, at_most=1)] == [2]


async def test_a_letter_that_is_never_taken_goes_through_all_attempts(ledger: Ledger) -> None:
    """F-53: after each failure it is due at its next step; after the last it is dead, not lost."""
    [letter] = await told(ledger, MAIL)
    at, attempts = NOON, []
    while letter.state == "waiting":
        assert await due(ledger, at - 0.01) == []
        [letter] = await due(ledger, at)
        claimed = await claim(ledger, letter, at)
        assert claimed is not None
        alive = await note_failed(ledger, claimed, f"refused at {at}", at, for_good=False)
        attempts.append(at - NOON)
        [letter] = await everything(ledger)
        assert alive == (letter.state == "waiting")
        at = letter.due_at
    assert attempts == [sum(RETRY_STEPS[:done]) for done in range(len(RETRY_STEPS) + 1)]
    assert (letter.state, letter.error) == ("dead", f"refused at {NOON + sum(RETRY_STEPS)}")
    assert await letters(ledger, "dead") == [letter]
    assert await due(ledger, at + 100 * DAY) == []
    assert await delivered(ledger) == []


async def test_who_dies_between_sending_and_marking_loses_nothing(ledger: Ledger) -> None:
    """F-53: a letter that was claimed and never marked is due again at its next step."""
    [letter] = await told(ledger, MAIL)
    assert await claim(ledger, letter, NOON)
    [again] = await due(ledger, NOON + RETRY_STEPS[0])
    assert (again.attempts, again.message_id) == (1, letter.message_id)


async def test_a_letter_is_claimed_by_one(ledger: Ledger) -> None:
    """F-53: of two that want to send the same letter one gets it."""
    [letter] = await told(ledger, MAIL)
    assert await claim(ledger, letter, NOON)
    assert await claim(ledger, letter, NOON) is None


async def test_the_first_delivery_begins_the_grace(ledger: Ledger) -> None:
    """A15, A09, P1: the case is notified at the delivery, with the reading of that instant."""
    [letter] = await told(ledger, MAIL)
    assert await note_delivered(ledger, letter, NOON + 60, 5_400, GRACE)
    case = await the_case(ledger)
    assert (case.state, case.notified_at, case.notified_reading) == ("notified", NOON + 60, 5_400)
    assert case.answer_by == NOON + 60 + GRACE
    assert await delivered_at(ledger) == NOON + 60
    [entry] = await delivered(ledger)
    assert (entry.at, entry.account, entry.case, entry.by) == (NOON + 60, "salon", 1, "fairuse")
    assert entry.data == {
        "notice": 1,
        "channel": MAIL,
        "reading": 5_400,
        "rule": "appointments-per-month",
        "once": None,
        "kind": "over",
    }
    kinds = [each.kind for each in await entries_of(ledger)]
    assert kinds == ["case.opened", "notice.written", "notice.delivered", "case.moved"]
    [letter] = await everything(ledger)
    assert (letter.state, letter.done_at, letter.done_by) == ("delivered", NOON + 60, "fairuse")


async def test_later_deliveries_change_nothing(ledger: Ledger) -> None:
    """A15, P8: a second channel, or the same one noted again, begins no second grace."""
    first, second = await told(ledger, MAIL, HOOK)
    assert await note_delivered(ledger, first, NOON, 5_001, GRACE)
    case = await the_case(ledger)
    assert not await note_delivered(ledger, first, NOON + 9, 6_000, GRACE)
    assert await note_delivered(ledger, second, NOON + 9, 6_000, GRACE)
    assert await the_case(ledger) == case
    assert await delivered_at(ledger) == NOON
    assert len(await delivered(ledger)) == 1
    assert {letter.state for letter in await everything(ledger)} == {"delivered"}


async def test_a_case_that_is_not_open_any_more_stays_where_it_is(ledger: Ledger) -> None:
    """A15: a notice that comes after its case was closed is noted, and moves nothing."""
    [letter] = await told(ledger, MAIL)
    await close_case(ledger)
    assert await note_delivered(ledger, letter, NOON, 5_001, GRACE)
    case = await the_case(ledger)
    assert (case.state, case.version, case.notified_at) == ("closed", 9, None)
    [entry] = await delivered(ledger)
    assert entry.case == case.id


async def test_a_notice_without_a_case_is_noted_too(ledger: Ledger) -> None:
    """D10, A16: the delivery of a warning, or of the notice of a block, is in the record."""
    [letter] = await noticed(ledger, MAIL)
    assert await note_delivered(ledger, letter, NOON + 1, None, GRACE)
    [entry] = await delivered(ledger)
    assert (entry.case, entry.data["reading"]) == (0, None)


@pytest.mark.parametrize("breaks", ["append", "move"])
async def test_a_delivery_is_noted_whole_or_not_at_all(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    """F-41, S15: what dies while it is noted leaves the letter waiting and the case open."""
    [letter] = await told(ledger, MAIL)
    claimed = await claim(ledger, letter, NOON)
    assert claimed is not None

    async def dies(*_: Any, **__: Any) -> None:
        raise LedgerError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(outbox, breaks, dies)
        with pytest.raises(LedgerError):
            await note_delivered(ledger, claimed, NOON, 5_001, GRACE)
    assert (await the_case(ledger)).state == "open"
    assert await delivered_at(ledger) is None
    assert await delivered(ledger) == []
    [again] = await due(ledger, NOON + RETRY_STEPS[0])
    assert await note_delivered(ledger, again, NOON + 5, 5_002, GRACE)
    assert (await the_case(ledger)).notified_reading == 5_002


async def test_a_telephone_task_is_ticked_off_with_who_and_when(ledger: Ledger) -> None:
    """E30: a call is nobody's but a person's; once it is made, the customer was contacted."""
    [task] = await told(ledger, "tel:+31201234567")
    assert (task.state, await due(ledger, NOON + 99 * DAY)) == ("to do", [])
    assert await letters(ledger, "to do") == [task]
    assert await claim(ledger, task, NOON) is None
    assert await note_delivered(ledger, task, NOON + 3_600, 5_010, GRACE, "jan@booking")
    done = await letter_numbered(ledger, task.id)
    assert done is not None
    assert (done.state, done.done_at, done.done_by) == ("delivered", NOON + 3_600, "jan@booking")
    [entry] = await delivered(ledger)
    assert (entry.by, entry.data["channel"]) == ("jan@booking", "tel:+31201234567")
    case = await the_case(ledger)
    assert (case.state, case.notified_at) == ("notified", NOON + 3_600)
    assert await letter_numbered(ledger, 99) is None


async def test_a_letter_is_sent_again_when_somebody_asks(ledger: Ledger) -> None:
    """F-53: what is dead or was delivered goes out once more, from its first attempt on."""
    mail, task = await told(ledger, MAIL, "tel:112")
    assert not await resend(ledger, mail, NOON)
    assert not await resend(ledger, task, NOON)
    claimed = await claim(ledger, mail, NOON)
    assert claimed is not None
    assert not await note_failed(ledger, claimed, "gone", NOON, for_good=True)
    [dead] = await letters(ledger, "dead")
    assert await resend(ledger, dead, NOON + DAY)
    [mail] = await due(ledger, NOON + DAY)
    assert (mail.attempts, mail.error, mail.message_id) == (0, "", dead.message_id)
    for letter in (mail, task):
        assert await note_delivered(ledger, letter, NOON + DAY, 5_001, GRACE)
        assert await resend(ledger, letter, NOON + 2 * DAY)
    assert [letter.state for letter in await everything(ledger)] == ["waiting", "to do"]
    for letter in await everything(ledger):
        assert await note_delivered(ledger, letter, NOON + 3 * DAY, 9_999, GRACE)
    assert (await the_case(ledger)).notified_reading == 5_001
    assert len(await delivered(ledger)) == 1


async def test_a_notice_is_overdue_until_one_of_its_letters_arrives(ledger: Ledger) -> None:
    """A16: what had to be told by a moment is overdue after it, once, however many its letters."""
    first, second = await noticed(ledger, MAIL, "tel:112", must_by=NOON + 900)
    await noticed(ledger, "mailto:b@salon.example")
    assert await overdue(ledger, NOON + 900) == []
    [late] = await overdue(ledger, NOON + 901)
    assert (late.number, late.notice.must_by) == (first.number, NOON + 900)
    assert await note_delivered(ledger, second, NOON + 950, None, GRACE)
    assert await overdue(ledger, NOON + 951) == []


async def test_the_record_never_shows_what_a_webhooks_url_holds(ledger: Ledger) -> None:
    """F-53 (secrets): of a webhook the record, which is for ever, says the host alone."""
    [letter] = await told(ledger, HOOK)
    assert await note_delivered(ledger, letter, NOON, 5_001, GRACE)
    [entry] = await delivered(ledger)
    assert entry.data["channel"] == "https://hooks.salon.example:8443"


async def test_an_id_is_of_one_notice(ledger: Ledger) -> None:
    """F-53: all letters of a notice have one id, which says nothing and no other notice has."""
    await told(ledger, MAIL, HOOK)
    await noticed(ledger, MAIL)
    first, second, third = [letter.message_id for letter in await everything(ledger)]
    assert first == second != third
    assert first.startswith("msg_")
    assert "salon" not in first


async def test_letters_that_arrived_leave_after_a_year_and_no_others(ledger: Ledger) -> None:
    """F-53: what did not arrive stays, whoever knows of it, and so does what the record says."""
    task, arrived, dead, again, waiting = await told(
        ledger, "tel:+31612345678", MAIL, "https://a.example", "https://b.example", HOOK
    )
    for letter in (arrived, again):
        assert await note_delivered(ledger, letter, NOON, 5_001, GRACE)
    claimed = await claim(ledger, dead, NOON)
    assert claimed is not None
    assert not await note_failed(ledger, claimed, "gone", NOON, for_good=True)
    assert await resend(ledger, again, NOON + 60)
    recorded, notices = await entries_of(ledger), await ledger.notices("salon")
    await ledger.prune(NOON + 400 * DAY)
    assert len(await everything(ledger)) == 5
    await ledger.prune(NOON + 402 * DAY)
    left = {letter.id: letter.state for letter in await everything(ledger)}
    assert left == {
        task.id: "to do",
        dead.id: "dead",
        again.id: "waiting",
        waiting.id: "waiting",
    }
    assert (await entries_of(ledger), await ledger.notices("salon")) == (recorded, notices)
    await ledger.prune(NOON + 900 * DAY)
    assert len(await everything(ledger)) == 4
