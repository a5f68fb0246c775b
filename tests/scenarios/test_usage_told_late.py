"""S16: usage that is told twice, late or in any order counts once, in the month it belongs to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.support_documents import (
    ACME,
    BERLIN,
    contract,
    event,
    office,
    write_contracts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.support_documents import Office

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

CREDITS = """
[packages.automation]
email-credits = 0
sms-credits   = 0
phone-credits = 5
push-credits  = 0
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the contract of a customer with five calls a month."""
    return write_contracts(tmp_path, acme=contract(ACME, CREDITS, policy="credits"))


def call_made(number: object, local: str) -> Any:
    """Write the event of a call."""
    return event("call.made", number, local)


async def by_month(desk: Office) -> dict[int, int]:
    """Give what the ledger has of calls, by month of the customer's own time."""
    found: dict[int, int] = {}
    for key, units in (await (await desk.told()).usage(ACME)).items():
        month = datetime.fromtimestamp(key.hour, BERLIN).month
        found[month] = found.get(month, 0) + units
    return found


async def test_an_event_counts_once(config: Path, clock: ManualClock) -> None:
    """S16, P8: told twice in a batch, again later and again after a restart, it is one call."""
    first = call_made(1, "2026-11-02T12:00")
    async with office(config, clock) as desk:
        told = await desk.tell(first, first, call_made(2, "2026-11-02T12:01"))
        assert (told["counted"], told["known"]) == (2, 1)
        assert (await desk.tell(first))["known"] == 1
    async with office(config, clock) as desk:
        assert (await desk.tell(first))["known"] == 1
        assert (await desk.limits())["phone"]["used"] == 2
        assert await by_month(desk) == {11: 2}


async def test_the_same_id_of_another_source_is_another_event(
    config: Path, clock: ManualClock
) -> None:
    """S16, P8: what makes an event the same is its source and its id, not what it says."""
    async with office(config, clock) as desk:
        first = call_made(1, "2026-11-02T12:00")
        other = {**call_made(1, "2026-11-02T12:00"), "source": "/other"}
        changed = call_made(1, "2026-11-02T12:30")
        assert (await desk.tell(first, other, changed))["counted"] == 2
        assert (await desk.limits())["phone"]["used"] == 2


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
async def test_the_order_makes_no_difference(
    config: Path, clock: ManualClock, order: tuple[int, ...]
) -> None:
    """S16: calls of two months add up to the same, in whichever order they are told."""
    moments = {1: "2026-11-30T23:59:59", 2: "2026-12-01T00:00:00", 3: "2026-12-01T09:00:00"}
    async with office(config, clock) as desk:
        desk.go_to("2026-12-01T10:00")
        for number in order:
            await desk.tell(call_made(number, moments[number]))
        assert await by_month(desk) == {11: 1, 12: 2}
        assert (await desk.limits())["phone"]["used"] == 2


async def test_a_late_event_belongs_to_its_own_month(config: Path, clock: ManualClock) -> None:
    """S16: told within three days, a call of November raises November, also over its amount."""
    async with office(config, clock) as desk:
        desk.go_to("2026-11-30T12:00")
        for number in range(5):
            await desk.tell(call_made(number, "2026-11-30T11:00"))
        desk.go_to("2026-12-02T12:00")
        assert await desk.cases() == []
        told = await desk.tell(call_made("late", "2026-11-30T11:30"))
        assert (told["counted"], told["adjusted"]) == (1, 0)
        assert await by_month(desk) == {11: 6}
        assert (await desk.limits())["phone"]["used"] == 0
        [case] = await (await desk.told()).cases(ACME)
        assert datetime.fromtimestamp(case.starts_at, UTC).isoformat() == (
            "2026-10-31T23:00:00+00:00"
        )
        assert case.opened_at == clock.wall


@pytest.mark.parametrize(
    ("told_at", "adjusted", "months"),
    [("2026-12-03T11:00:00", 0, {11: 1}), ("2026-12-03T11:00:01", 1, {12: 1})],
    ids=["three days", "a second more"],
)
async def test_what_is_told_too_late_is_an_adjustment(
    config: Path, clock: ManualClock, told_at: str, adjusted: int, months: dict[int, int]
) -> None:
    """S16: after three days a call counts now, and rewrites no month that is closed."""
    async with office(config, clock) as desk:
        desk.go_to(told_at)
        told = await desk.tell(call_made(1, "2026-11-30T11:00"))
        assert (told["counted"], told["adjusted"]) == (1, adjusted)
        assert await by_month(desk) == months
        assert (await desk.limits())["phone"]["used"] == adjusted


async def test_how_late_is_configuration(config: Path, clock: ManualClock) -> None:
    """S16: the operator's own number of days holds."""
    settings = config / "gateway.toml"
    settings.write_text(settings.read_text().replace("[events]", '[events]\nlate = "7 days"'))
    async with office(config, clock) as desk:
        desk.go_to("2026-12-07T10:00")
        told = await desk.tell(call_made(1, "2026-11-30T11:00"))
        assert (told["adjusted"], await by_month(desk)) == (0, {11: 1})


async def test_a_late_event_moves_no_notice(config: Path, clock: ManualClock) -> None:
    """S16, P7: the notice of a month stays as it was written, and no second one follows."""
    async with office(config, clock) as desk:
        for number in range(6):
            await desk.tell(call_made(number, "2026-11-02T12:00"))
        before = await desk.notices()
        assert [(notice.reading, notice.written_at) for notice in before] == [(6, clock.wall)]
        desk.go_to("2026-11-04T12:00")
        for number in range(6, 9):
            await desk.tell(call_made(number, "2026-11-02T11:00"))
        await desk.told()
        assert await desk.notices() == before
        assert await desk.cases() == ["phone"]
        assert await by_month(desk) == {11: 9}


async def test_one_wrong_event_holds_no_other_up(config: Path, clock: ManualClock) -> None:
    """S16: of a batch all that can be counted is, and the answer names what can't."""
    async with office(config, clock) as desk:
        good = call_made(1, "2026-11-02T12:00")
        future = call_made(2, "2026-11-03T12:00")
        stranger = {**call_made(3, "2026-11-02T12:00"), "subject": "nobody"}
        told = await desk.tell(future, good, stranger)
        assert (told["counted"], [one["id"] for one in told["refused"]]) == (1, ["2", "3"])
        assert (await desk.limits())["phone"]["used"] == 1
        desk.go_to("2026-11-03T12:00")
        assert (await desk.tell(future))["counted"] == 1
