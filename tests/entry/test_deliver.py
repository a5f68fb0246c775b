"""The delivery worker: whatever fails, every notice arrives, and what follows from it is once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from tests.delivery.servers import (
    HOST,
    PASSWORD,
    SECRET,
    Authority,
    Names,
    Receiver,
    mail_server,
    on_the_clock,
    receiving,
    secrets_of,
)
from tests.entry.post_office import PostOffice, measured, post_office
from tests.stores.letters import NOTICE, delivered, everything, noticed, the_case, told
from tests.support import NOON

from fairuse.base.errors import LedgerError, PromiseBroken, StoreError
from fairuse.delivery.deliver import deliver
from fairuse.entry import deliver as way
from fairuse.rules.ladder import WrongStep
from fairuse.stores.casebook import write_notice
from fairuse.stores.outbox import DAY, RETRY_STEPS, due, letters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fairuse.base.clock import ManualClock
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

ANNA = "mailto:anna@salon.example"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Decide what names mean, for webhooks."""
    names = Names()
    monkeypatch.setattr("fairuse.delivery.webhook.socket.getaddrinfo", names)
    return names


@pytest.fixture
def receiver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: ManualClock, names: Names
) -> Iterator[Receiver]:
    """Run a webhook's receiver, which everybody trusts."""
    assert names.answers
    on_the_clock(monkeypatch, clock)
    receiver = Receiver()
    with receiving(receiver, Authority(tmp_path, monkeypatch)):
        yield receiver


@pytest.fixture
def office(receiver: Receiver, tmp_path: Path, ledger: Ledger, clock: ManualClock) -> PostOffice:
    """Open a post office that can reach the receiver."""
    assert receiver.port
    return post_office(tmp_path, ledger, clock)


async def test_the_case_is_notified_when_its_notice_arrives(
    office: PostOffice, receiver: Receiver
) -> None:
    """A15, A09, P1: delivery begins the grace, with the count of that instant."""
    await told(office.ledger, receiver.url)
    office.clock.advance(60)
    office.reading = 5_400
    before = measured("fairuse_deliveries_total", outcome="delivered")
    await office.until_nothing_is_due()
    case = await the_case(office.ledger)
    assert (case.state, case.notified_at, case.notified_reading) == ("notified", NOON + 60, 5_400)
    assert case.answer_by == NOON + 60 + 10 * DAY
    [(_, content)] = receiver.taken
    assert content["data"]["choices"] == {"reduce": "https://booking.example/choose/1"}
    assert content["data"]["figures"]["unit"] == "appointment"
    assert measured("fairuse_deliveries_total", outcome="delivered") == before + 1
    assert len(await delivered(office.ledger)) == 1


async def test_a_receiver_that_is_down_for_three_days_misses_nothing(
    office: PostOffice, receiver: Receiver, names: Names
) -> None:
    """F-53: whatever was written while nobody listened arrives, each once, and verifies."""
    names.answers[HOST] = [["127.0.0.2"]]
    for hour in range(72):
        if hour % 9 == 0:
            notice = NOTICE._replace(written_at=office.clock.wall, once=f"notice {hour}")
            await write_notice(office.ledger, notice, [receiver.url])
        await office.until_nothing_is_due()
        office.clock.advance(3_600)
    assert receiver.taken == []
    names.answers[HOST] = [["127.0.0.1"]]
    for _ in range(3):
        office.clock.advance(DAY)
        await office.until_nothing_is_due()
    assert len(receiver.ids) == len(set(receiver.ids)) == 8
    assert {letter.state for letter in await everything(office.ledger)} == {"delivered"}
    assert len(await delivered(office.ledger)) == 8


async def test_who_dies_between_sending_and_marking_sends_again(
    office: PostOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-53, S15: the receiver gets it twice with one id, and the record has it once."""
    await told(office.ledger, receiver.url)

    async def killed(*_: Any) -> bool:
        raise LedgerError("killed")

    with monkeypatch.context() as dying:
        dying.setattr(way, "note_delivered", killed)
        await office.until_nothing_is_due()
    assert len(receiver.taken) == 1
    assert (await the_case(office.ledger)).state == "open"
    office.delivery = office.another()
    await office.until_nothing_is_due()
    assert len(receiver.taken) == 1
    office.clock.advance(RETRY_STEPS[0])
    await office.until_nothing_is_due()
    assert len(receiver.taken) == 2
    assert len(set(receiver.ids)) == 1
    assert len(await delivered(office.ledger)) == 1
    assert (await the_case(office.ledger)).notified_at == NOON + RETRY_STEPS[0]


async def test_a_ledger_that_takes_nothing_is_not_sent_from(
    office: PostOffice,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F-41: what can't be claimed is not sent, so that a full disk does not send for ever."""
    await told(office.ledger, receiver.url)

    async def full(*_: Any) -> None:
        raise LedgerError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(way, "claim", full)
        assert not await office.delivery.round()
        broken.setattr(way, "due", full)
        assert not await office.delivery.round()
    assert receiver.seen == []
    assert caplog.text.count("'notice.not_noted'") == caplog.text.count("'delivery.put_off'") == 1
    await office.until_nothing_is_due()
    assert len(receiver.taken) == 1


async def test_a_letter_waits_for_the_count_it_begins_with(
    office: PostOffice, receiver: Receiver
) -> None:
    """P5: while nobody can say what was used the notice waits, so that no unit before it counts."""
    await told(office.ledger, receiver.url)
    office.reading = StoreError("away")
    await office.until_nothing_is_due()
    assert receiver.seen == []
    letter = await office.letter()
    assert (letter.state, letter.error) == ("waiting", "the counters can't be asked: away")
    office.reading = 6_000
    office.clock.advance(RETRY_STEPS[0])
    await office.until_nothing_is_due()
    assert (await the_case(office.ledger)).notified_reading == 6_000
    assert [letter.case is not None for letter in office.asked] == [True] * 3


async def test_a_receiver_that_wants_no_more_gets_no_more(
    office: PostOffice, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """F-53: after 410 the letter is dead, for the operator to see, and nothing is sent."""
    before = measured("fairuse_deliveries_total", outcome="dead")
    await told(office.ledger, receiver.url)
    receiver.status = 410
    await office.until_nothing_is_due()
    office.clock.advance(9 * DAY)
    await office.until_nothing_is_due()
    assert len(receiver.seen) == 1
    [dead] = await letters(office.ledger, "dead")
    assert dead.error == "the receiver answered 410"
    assert (await the_case(office.ledger)).state == "open"
    assert "'notice.given_up'" in caplog.text
    assert measured("fairuse_deliveries_total", outcome="dead") == before + 1


async def test_a_fault_of_ours_keeps_no_other_letter_from_its_way(
    office: PostOffice, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """F-55 (off the path): a bug in handling one letter is logged, and the others arrive."""
    first = await told(office.ledger, receiver.url)
    reading_of = office.reading_of

    async def buggy(letter: Any) -> int | None:
        if letter.id == first[0].id:
            raise ZeroDivisionError
        return await reading_of(letter)

    office.delivery = way.Delivery(
        office.clock, office.configuration, office.ledger, buggy, office.choices_of
    )
    await noticed(office.ledger, receiver.url)
    await office.until_nothing_is_due()
    assert len(receiver.taken) == 1
    assert caplog.text.count("'notice.failed'") == 1


@pytest.mark.parametrize(
    "fault",
    [PromiseBroken("P8", "it was recorded before"), WrongStep("closed"), ValueError("x")],
    ids=["a promise", "a step", "a value"],
)
async def test_what_was_sent_and_cannot_be_noted_is_not_sent_for_ever(
    office: PostOffice,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    """F-53, F-55: what fails the same way each time is dead, with the reason, after it was sent."""

    async def refused(*_: Any) -> bool:
        raise fault

    await told(office.ledger, receiver.url)
    monkeypatch.setattr(way, "note_delivered", refused)
    for _ in range(3):
        await office.until_nothing_is_due()
        office.clock.advance(9 * DAY)
    assert len(receiver.taken) == 1
    letter = await office.letter()
    assert (letter.state, letter.error) == ("dead", f"sent, but not to be noted: {fault!r}")


async def test_one_process_delivers_at_a_time(office: PostOffice, receiver: Receiver) -> None:
    """P8: while one process is at it the others leave it alone."""
    await told(office.ledger, receiver.url)
    async with office.ledger.try_alone("deliver") as alone:
        assert alone
        assert not await office.delivery.round()
    assert receiver.seen == []
    await office.until_nothing_is_due()
    assert len(receiver.seen) == 1


async def test_a_full_batch_is_followed_by_the_next(
    office: PostOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-53: more than one batch that is due goes out without a pause."""
    monkeypatch.setattr(way, "BATCH", 2)
    monkeypatch.setattr(way, "due", lambda ledger, moment: due(ledger, moment, 2))
    for _ in range(3):
        await noticed(office.ledger, receiver.url)
    assert await office.delivery.round()
    assert not await office.delivery.round()
    assert len(receiver.taken) == 3


async def test_who_writes_a_notice_wakes_it(
    office: PostOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A16: a notice that was just written goes out at once, and not at the next look."""
    monkeypatch.setattr(way, "TICK_SECONDS", 3_600)
    looked = asyncio.Event()
    round_ = office.delivery.round

    async def seen() -> bool:
        more = await round_()
        looked.set()
        return more

    monkeypatch.setattr(office.delivery, "round", seen)
    async with office.working(), asyncio.timeout(20):
        await looked.wait()
        assert receiver.seen == []
        await told(office.ledger, receiver.url)
        looked.clear()
        office.delivery.written.set()
        await looked.wait()
    assert len(receiver.taken) == 1


async def test_it_looks_by_itself_and_survives_a_fault(
    office: PostOffice,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F-55 (off the path): what another process wrote is found; a bug in a round ends nothing."""
    await told(office.ledger, receiver.url)
    monkeypatch.setattr(way, "TICK_SECONDS", 0)
    rounds, looked, round_ = iter(range(2)), asyncio.Event(), office.delivery.round

    async def buggy() -> bool:
        if next(rounds, None) is not None:
            raise ZeroDivisionError
        more = await round_()
        looked.set()
        return more

    monkeypatch.setattr(office.delivery, "round", buggy)
    async with office.working(), asyncio.timeout(20):
        await looked.wait()
    assert caplog.text.count("'delivery.failed'") == 2
    assert len(receiver.taken) == 1


@pytest.mark.parametrize("seconds", [0.0, 20.0])
async def test_a_stop_gives_what_is_on_its_way_a_moment(
    office: PostOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """F-49: what arrives within the moment is noted; the rest waits for the next start."""
    monkeypatch.setattr(way, "STOP_SECONDS", seconds)
    sending, go_on = asyncio.Event(), asyncio.Event()

    async def slow(message: Any, means: Any) -> None:
        sending.set()
        await go_on.wait()
        await deliver(message, means)

    monkeypatch.setattr(way, "deliver", slow)
    monkeypatch.setattr(way, "AT_ONCE", 1)
    office.delivery = office.another()
    await told(office.ledger, receiver.url)
    await noticed(office.ledger, receiver.url)
    async with office.working() as work, asyncio.timeout(20):
        await sending.wait()
        work.cancel()
        if seconds:
            asyncio.get_running_loop().call_later(0, go_on.set)
        await asyncio.wait([work])
    first, second = await everything(office.ledger)
    assert (first.state, second.attempts) == ("delivered" if seconds else "waiting", 0)
    assert first.error == ("" if seconds else "the gateway stopped meanwhile")
    assert len(receiver.taken) == (1 if seconds else 0)


async def test_what_is_overdue_is_said_once_and_shown(
    office: PostOffice, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """A16: a notice that must be there by now and is not is an error, once, and a metric."""
    receiver.status = 503
    await noticed(office.ledger, receiver.url, must_by=NOON + 900)
    for _ in range(2):
        await office.until_nothing_is_due()
        assert measured("fairuse_notices_overdue") == 0
        office.clock.advance(RETRY_STEPS[1])
    office.clock.advance(900)
    for _ in range(2):
        await office.until_nothing_is_due()
        assert measured("fairuse_notices_overdue") == 1
    assert caplog.text.count("'notice.overdue'") == 1
    assert caplog.text.count("the receiver answered 503") == 4
    receiver.status = 204
    office.clock.advance(DAY)
    await office.until_nothing_is_due()
    assert measured("fairuse_notices_overdue") == 0


async def test_a_person_ticks_a_call_off(office: PostOffice) -> None:
    """E30, A15: a call that was made is told with who and when, and the customer was contacted."""
    [task] = await told(office.ledger, "tel:+31201234567")
    await office.until_nothing_is_due()
    assert (await office.letter()).state == "to do"
    config, office.reading = office.configuration.current, 5_300
    at = NOON + 600
    done = await way.tick_off(office.ledger, config, task.id, "jan", at, office.reading_of)
    assert done is not None
    assert (done.state, done.done_by, done.done_at) == ("delivered", "jan", at)
    case = await the_case(office.ledger)
    assert (case.state, case.notified_at, case.notified_reading) == ("notified", at, 5_300)
    for number in (task.id, 99):
        again = await way.tick_off(office.ledger, config, number, "piet", at, office.reading_of)
        assert again is None
    assert (await office.letter()).done_by == "jan"


async def test_a_notice_goes_to_every_contact(
    receiver: Receiver,
    ledger: Ledger,
    clock: ManualClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """E30: mail, webhook and telephone; each by itself, and the first one counts."""
    authority = Authority(tmp_path, monkeypatch)
    with receiving(receiver, authority):
        async with mail_server(authority) as box:
            monkeypatch.setenv("FAIRUSE_MAIL", box.url)
            office = post_office(tmp_path, ledger, clock, 'mail = { env = "FAIRUSE_MAIL" }')
            await told(ledger, ANNA, receiver.url, "tel:+31201234567")
            await office.until_nothing_is_due()
    assert (len(box.mails), len(receiver.taken)) == (1, 1)
    states = [letter.state for letter in await everything(ledger)]
    assert states == ["delivered", "delivered", "to do"]
    assert len(await delivered(ledger)) == 1


async def test_an_account_that_is_gone_is_still_told(
    office: PostOffice, receiver: Receiver
) -> None:
    """A15: who was a customer when the notice was written gets it, with the usual grace."""
    await told(office.ledger, receiver.url)
    (office.configuration.folder / "tenants/salon.toml").unlink()
    office.configuration.reload()
    assert "salon" not in office.configuration.current.accounts
    await office.until_nothing_is_due()
    [(_, content)] = receiver.taken
    assert content["data"]["figures"] is None
    assert (await the_case(office.ledger)).answer_by == NOON + 14 * DAY


async def test_no_secret_is_in_the_log_or_the_ledger(
    receiver: Receiver,
    tmp_path: Path,
    ledger: Ledger,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F-53 (secrets): of what fails the log and the ledger say why, and hold nothing to keep."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "aiosqlite")  # as our own log has it
    mail = f"mailto://gateway:{PASSWORD[:7]}@127.0.0.1:9?from=no-reply@booking.example"
    office = post_office(tmp_path, ledger, clock, f'mail = "{mail}"')
    receiver.status = 500
    await told(ledger, ANNA, receiver.url)
    await office.until_nothing_is_due()
    found = [letter.error for letter in await everything(ledger)]
    assert all(found)
    assert caplog.text.count("'notice.not_delivered'") == 2
    text = "".join(found) + caplog.text + repr(office.configuration.current.settings)
    leaked = [secret for secret in (*secrets_of(receiver), PASSWORD[:7], SECRET) if secret in text]
    assert leaked == []
