"""Customers are told of what their use is coming to, early and once, and of what more costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.support_documents import ACME, contract, event, office, write_contracts

from fairuse.stores.charges import charges_of
from fairuse.stores.outbox import letters, note_delivered
from fairuse.stores.record import entries_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.scenarios.support_documents import Office

    from fairuse.base.clock import ManualClock
    from fairuse.stores.rows import NoticeRow

pytestmark = pytest.mark.anyio

CREDITS = """
[packages.automation]
email-credits = 1000
sms-credits   = 100
phone-credits = 10
push-credits  = 100
"""
BEGIN, TENTH_DAY, MID = "2026-11-02T14:00", "2026-11-11T00:00", "2026-11-16T00:00"


@pytest.fixture
async def desk(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Office]:
    """Give a customer with credits for each channel, in the second day of a month."""
    config = write_contracts(tmp_path, acme=contract(ACME, CREDITS, policy="credits"))
    async with office(config, clock) as desk:
        yield desk


async def push(desk: Office, count: int, path: str = "/push") -> None:
    """Send push messages, or others; whatever they come to, each is sent."""
    for _ in range(count):
        assert (await desk.send("POST", path)).status == 201


async def mail(desk: Office, recipients: int) -> None:
    """Send one e-mail to many."""
    assert (await desk.send("POST", "/emails", body={"recipients": recipients})).status == 201


async def warned(desk: Office) -> list[NoticeRow]:
    """Run the upkeep, and give the warnings so far, oldest first."""
    await desk.upkeep()
    notices = await (await desk.told()).notices(ACME)
    return [notice for notice in reversed(notices) if notice.kind == "warning"]


async def told_at(desk: Office) -> list[tuple[str, str]]:
    """Run the upkeep, and give each warning's rule and threshold."""
    return [(row.rule, (row.once or "").rpartition(":")[2]) for row in await warned(desk)]


async def deliver(desk: Office) -> None:
    """Have everything that waits reach the customer now."""
    process, ledger = desk.fair.service.process, await desk.told()
    assert process is not None
    for letter in await letters(ledger, "waiting"):
        reading = await process.reading_of(letter)
        await note_delivered(ledger, letter, desk.clock.wall, reading, 14 * 86_400)


async def test_a_steady_pace_is_told_by_its_projection(desk: Office) -> None:
    """D18: a pace of 120 % is told before 80 %, with the day the credits are used up, once."""
    for day in range(2, 12):
        desk.go_to(f"2026-11-{day:02}T23:00")
        await push(desk, 4)
        if day <= 3:
            assert await warned(desk) == []  # a tenth of the month is not over yet
    [warning] = await warned(desk)
    assert warning.reading < 80
    assert (warning.rule, warning.amount) == ("push", 100)
    assert "At this pace that is used up on November" in warning.body
    assert "€0.001 per push message" in warning.body
    desk.go_to("2026-11-12T12:00")
    await push(desk, 1)
    assert await told_at(desk) == [("push", "projected")]


async def test_each_share_is_told_once_in_a_window(desk: Office) -> None:
    """D19, C15: 80 % and 90 % each once a month, and again in the next one."""
    desk.go_to(BEGIN)
    await push(desk, 79)
    assert await told_at(desk) == []
    await push(desk, 1)
    assert await told_at(desk) == [("push", "80%")]
    await push(desk, 9)
    assert await told_at(desk) == [("push", "80%")]
    await push(desk, 1)
    assert await told_at(desk) == [("push", "80%"), ("push", "90%")]
    desk.go_to(TENTH_DAY)
    await push(desk, 5)
    assert len(await told_at(desk)) == 2  # the pace is too high too, which says less
    desk.go_to("2026-12-02T12:00")
    await push(desk, 80)
    assert len(await told_at(desk)) == 3


async def test_of_two_shares_in_one_minute_the_higher_is_told(desk: Office) -> None:
    """D19, C15: whoever crosses 80 % and 90 % together gets one notice, and above it the case's."""
    desk.go_to(MID)
    await mail(desk, 950)
    await push(desk, 101)
    assert await told_at(desk) == [("email", "90%")]
    assert await desk.cases() == ["push"]
    assert await told_at(desk) == [("email", "90%")]


async def test_a_top_up_does_not_start_it_again(tmp_path: Path, clock: ManualClock) -> None:
    """C15, D19: falling back below a share and crossing it again tells nothing new."""
    config = write_contracts(tmp_path, acme=contract(ACME, CREDITS, policy="credits"))
    async with office(config, clock) as desk:
        await push(desk, 90)
        assert await told_at(desk) == [("push", "90%")]
        tenant = config / "tenants/acme.toml"
        text = tenant.read_text()
        tenant.write_text(text.replace("push-credits  = 100", "push-credits  = 120"))
        desk.fair.service.configuration.reload()
        desk.go_to(MID)
        await push(desk, 7)  # 97 of 120 are 81 %, and far too many at this pace
        assert await told_at(desk) == [("push", "90%")]


async def test_what_lay_still_is_found_within_the_hour(tmp_path: Path, clock: ManualClock) -> None:
    """D18, D22: a share that is crossed because the amount was lowered is told though nobody moves.

    The same holds for what a crash kept from being looked at: a start looks at everybody.
    """
    config = write_contracts(tmp_path, acme=contract(ACME, CREDITS, policy="credits"))
    async with office(config, clock) as desk:
        await push(desk, 70)
        assert await told_at(desk) == []
        tenant = config / "tenants/acme.toml"
        tenant.write_text(tenant.read_text().replace("push-credits  = 100", "push-credits  = 80"))
        desk.fair.service.configuration.reload()
        assert await told_at(desk) == []
        clock.advance(3_600)
        assert await told_at(desk) == [("push", "80%")]
    async with office(config, clock) as desk:
        assert await told_at(desk) == [("push", "80%")]


async def test_three_channels_are_warned_of_each_by_itself(desk: Office) -> None:
    """S7 (its early part), D10, D11, D19: each names its meter, the point and the price."""
    desk.go_to(BEGIN)
    await mail(desk, 800)
    await push(desk, 90)
    for number in range(8):
        await desk.tell(event("call.made", number, BEGIN))
    found = {warning.rule: warning for warning in await warned(desk)}
    assert found.keys() == {"email", "push", "phone"}
    said = {
        "email": ("800 of 1,000 (e-mail)", "above 1,000 (e-mail)", "€0.002 per e-mail"),
        "push": ("90 of 100 (push message)", "above 100 (push message)", "€0.001 per push"),
        "phone": ("8 of 10 (call)", "above 10 (call)", "€0.15 per call"),
    }
    for rule, parts in said.items():
        assert [part for part in parts if part not in found[rule].body] == []
        assert "mailto:support@documents.example" in found[rule].body
    ledger = await desk.told()
    written = [each for each in await entries_of(ledger) if each.kind == "notice.written"]
    assert {entry.data["prices"] for entry in written} == {True}
    assert {entry.case for entry in written} == {0}


async def charged(desk: Office, *, before: bool) -> list[int]:
    """Use 105 of 100, warned at 90 and told of the case at 103; give the units charged."""
    desk.go_to(MID)
    desk.api.body = b'{"segments": 1}'
    await push(desk, 90, "/sms")
    await desk.upkeep()
    if before:
        await deliver(desk)
    desk.clock.advance(3_600)
    await push(desk, 13, "/sms")
    await desk.upkeep()
    await desk.told()
    await deliver(desk)
    desk.clock.advance(3_600)  # what is used in the hour of the notice is free
    await push(desk, 2, "/sms")
    await desk.upkeep("2026-12-01T01:00")
    await desk.upkeep("2026-12-05T01:00")
    ledger = await desk.told()
    assert (await verify(ledger, None)).violations == []
    return [charge.units for charge in await charges_of(ledger, account=ACME)]


async def test_who_was_warned_of_the_price_pays_from_the_limit_on(desk: Office) -> None:
    """D10, D11, D16, P1, P5: the warning came before unit 101, so units 101 to 105 are charged."""
    assert await charged(desk, before=True) == [5]


async def test_a_warning_that_came_too_late_is_no_notice(desk: Office) -> None:
    """D16, P1, P5: delivered above the amount only, it moves nothing: what followed is charged."""
    assert await charged(desk, before=False) == [2]
