"""S17: a limit lowered below what is used already stops, tells and costs nothing backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.process import assert_ledger, delivered
from tests.scenarios.support import (
    CONTACT,
    contract,
    key_of,
    opened,
    pass_time,
    running,
    shipped,
    shown,
    upkeep,
    written,
)
from tests.support import Recorder, Reply, call, told

from fairuse.stores.charges import charges_of
from fairuse.stores.history import breaches_since

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

SALON = contract("salon", "booking", "[packages.standard]\nlocations = 9")
CREDITS = """\
[packages.automation]
email-credits = 100
sms-credits   = 100
phone-credits = 100
push-credits  = 100
[[tariffs.email]]
price = "EUR 0.05"
[[tariffs.sms]]
price = "EUR 0.05"
[[tariffs.phone]]
price = "EUR 0.05"
[[tariffs.push]]
price = "EUR 0.05"
"""


async def change(fair: FairUse, file: str, old: str, new: str) -> None:
    """Change a file of the running gateway, and let it be read."""
    path = fair.service.configuration.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert fair.service.configuration.reload() == []


async def use(
    fair: FairUse, clock: ManualClock, count: int, account: str = "salon", path: str = "/emails"
) -> list[Reply]:
    """Send requests at an ordinary pace."""
    replies = []
    for _ in range(count):
        clock.advance(1.1)
        replies.append(await call(fair, path=path, key=key_of(account)))
    return replies


async def nothing_happened(fair: FairUse, account: str) -> bool:
    """Say whether an account has no breach, no case, no notice but early ones, and no block."""
    await upkeep(fair)
    page = (await call(fair, "GET", "/fairuse/usage", key=key_of(account))).json()
    ledger = await told(fair.service)
    breaches = await breaches_since(ledger, 0, account)
    notices = [each for each in await ledger.notices(account) if each.kind != "warning"]
    return not (breaches or page["cases"] or notices or page["blocks"])


BOOK: dict[str, Any] = {"path": "/locations/centrum/appointments"}
LOWER = ("policies/booking.toml", 'amount = "5000"', 'amount = "20"')


async def test_a_lower_soft_limit_counts_from_the_next_unit_on(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S17, P4, P7, D22: what was used stays used; the next unit is served, and opens the case."""
    async with running(shipped(tmp_path, {"salon": SALON}), recorder, clock) as fair:
        before = await use(fair, clock, 50, **BOOK)
        await change(fair, *LOWER)
        assert await nothing_happened(fair, "salon")
        [entry] = await shown(fair, "salon", "appointments-per-month")
        assert (entry["used"], entry["amount"]) == (50, 20)
        lowered_at = clock.wall
        after = await use(fair, clock, 5, **BOOK)
        assert {reply.status for reply in before + after} == {201}
        assert len({tuple(reply.headers) for reply in before + after}) == 1
        [case] = await opened(fair, "salon")
        [notice] = await written(fair, "salon")
        assert lowered_at <= case.opened_at <= clock.wall
        assert (notice.reading, notice.amount) == (51, 20)
        assert "Nothing is switched off and nothing is charged" in notice.body


async def test_a_month_that_is_over_is_not_measured_again(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S17, P7: November keeps the limit it had, whatever December's is."""
    async with running(shipped(tmp_path, {"salon": SALON}), recorder, clock) as fair:
        await use(fair, clock, 50, **BOOK)
        await pass_time(fair, clock, "2026-12-01T00:00")
        await change(fair, *LOWER)
        await use(fair, clock, 20, **BOOK)
        assert await nothing_happened(fair, "salon")
        await pass_time(fair, clock, "2027-01-01T00:00")
        assert await nothing_happened(fair, "salon")


async def test_a_lower_hard_limit_blocks_nobody_for_what_was_let_through(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S17, P7, D22: 50 of 60 were fine; with 10 the next has to wait until the minute has gone."""
    async with running(shipped(tmp_path, {"salon": SALON}), recorder, clock) as fair:
        for _ in range(50):
            assert (await call(fair, key=key_of("salon"))).status == 201
        await change(fair, "policies/booking.toml", 'amount = "60"', 'amount = "10"')
        assert await nothing_happened(fair, "salon")
        refused = await call(fair, key=key_of("salon"))
        problem = refused.json()
        assert (refused.status, refused.headers["retry-after"]) == (429, "60")
        assert (problem["used"], problem["amount"]) == (50, 10)
        clock.advance(60)
        statuses = [(await call(fair, key=key_of("salon"))).status for _ in range(11)]
        assert statuses == [201] * 10 + [429]


async def test_fewer_credits_charge_nothing_that_was_used_before(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S17, D22, D27, P5, P7: of fewer credits, only what comes after the notice may cost."""
    studio = contract("studio", "credits", CREDITS)
    async with running(shipped(tmp_path, {"studio": studio}), recorder, clock) as fair:
        await use(fair, clock, 60, "studio")
        await change(fair, "tenants/studio.toml", "email-credits = 100", "email-credits = 20")
        assert await nothing_happened(fair, "studio")
        assert {reply.status for reply in await use(fair, clock, 10, "studio")} == {201}
        [notice] = await written(fair, "studio")
        assert (notice.reading, notice.amount) == (61, 20)
        assert "only what comes after this notice" in notice.body
        assert CONTACT in notice.body
        await delivered(fair, clock)
        clock.advance(3_600)  # what is used in the hour of the notice is free
        await use(fair, clock, 5, "studio")
        await pass_time(fair, clock, "2026-12-07T12:00")
        [charge] = await charges_of(await told(fair.service), account="studio")
        assert (charge.units, str(charge.amount)) == (5, "0.25")
        await assert_ledger(fair, "credits_lowered")


async def test_a_higher_limit_makes_room_at_once(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """P7: a limit that is raised lets the next request through, and keeps what was counted."""
    async with running(shipped(tmp_path, {"salon": SALON}), recorder, clock) as fair:
        statuses = [(await call(fair, key=key_of("salon"))).status for _ in range(61)]
        assert statuses == [201] * 60 + [429]
        await change(fair, "policies/booking.toml", 'amount = "60"', 'amount = "62"')
        statuses = [(await call(fair, key=key_of("salon"))).status for _ in range(3)]
        assert statuses == [201, 201, 429]
