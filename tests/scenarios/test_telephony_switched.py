"""Telephony: the unlimited add-on ends, and every minute after that has its regular price (B18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.process import assert_ledger, decided, delivered, proposed_by_hand
from tests.scenarios.support import go_to, months, pass_time, running, shipped, upkeep
from tests.scenarios.support_telephony import OFFICE, a_usual_year, exchange_tenants, talk
from tests.support import Recorder, told

from fairuse.rules.ladder import WrongStep
from fairuse.rules.statement import charges_csv
from fairuse.stores.charges import charges_of, waive

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

SWITCH = "switch tariff"
DEARER = '\n[[tariffs.minute]]\nprice = "EUR 0.03"\nfrom  = 2026-12-15\n'


@pytest.fixture
async def config(tmp_path: Path, clock: ManualClock) -> Path:
    """Give the telephony policy, whose minutes cost more from the 15th of December on."""
    config = shipped(tmp_path, exchange_tenants())
    policy = config / "policies/telephony.toml"
    policy.write_text(policy.read_text() + DEARER)
    go_to(clock, "2026-08-01T09:00")
    await a_usual_year(config, "2025-08")
    return config


async def over_and_over(fair: FairUse, clock: ManualClock) -> None:
    """Be above the limit for three months, be told of it, and go on: a charge is proposed."""
    for when in months("2026-08", 3):
        await pass_time(fair, clock, when)
        await talk(fair, 3_000, when)
    await pass_time(fair, clock, "2026-11-01T00:01")
    await delivered(fair, clock)
    await pass_time(fair, clock, "2026-11-01T12:00")
    await talk(fair, 2_450, "2026-11-01T11:00")
    await pass_time(fair, clock, "2026-11-05T12:00")


async def switched(fair: FairUse, clock: ManualClock) -> None:
    """Have an operator switch the tariff instead, on the 10th of November."""
    await over_and_over(fair, clock)
    await pass_time(fair, clock, "2026-11-10T10:20")
    await proposed_by_hand(fair, clock, OFFICE, SWITCH)
    await decided(fair, OFFICE, "approved")


async def charged(fair: FairUse) -> list[tuple[int, str]]:
    """Give the hundredths of minutes and the money of each charge."""
    found = await charges_of(await told(fair.service), account=OFFICE)
    return [(each.units, str(each.amount)) for each in found]


async def test_every_minute_after_the_notice_has_its_price(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B18, P1, P5, P8, D16, S15: from the delivered notice to its end, each month once.

    November: nothing before the notice of the 10th, nor of its own hour; then 300.5 minutes, which
    are far below the 2,400. December: 1,000 minutes at 2 cents, 500 at 3, none after the end.
    """
    async with running(config, recorder, clock) as fair:
        await switched(fair, clock)
        await talk(fair, 40, "2026-11-10T10:25")
        go_to(clock, "2026-11-10T10:40")
        await delivered(fair, clock)
        go_to(clock, "2026-11-10T10:55")
        await talk(fair, 60, "2026-11-10T10:50")
        go_to(clock, "2026-11-10T12:00")
        await talk(fair, 300.5, "2026-11-10T11:30")
        await pass_time(fair, clock, "2026-12-03T23:00")
        assert await charged(fair) == []
    async with running(config, recorder, clock) as fair:
        await pass_time(fair, clock, "2026-12-10T12:00")
        assert await charged(fair) == [(30_050, "6.01")]
        await talk(fair, 1_000, "2026-12-10T11:00")
        go_to(clock, "2026-12-20T09:30")
        await talk(fair, 500, "2026-12-20T08:00")
        await talk(fair, 25, "2026-12-20T09:10")
        await upkeep(fair)
        await decided(fair, OFFICE, "withdrawn")
        await talk(fair, 700, "2026-12-20T09:20")
    async with running(config, recorder, clock) as fair:
        await pass_time(fair, clock, "2027-01-10T12:00")
        await upkeep(fair)
        assert await charged(fair) == [(30_050, "6.01"), (150_000, "35.00")]
        await assert_ledger(fair, "telephony_switched")


async def test_what_is_charged_so_is_waived_final_and_exported_like_any_other(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B18, D23, P1: told with its lines, waived before it is final, and in the statement."""
    async with running(config, recorder, clock) as fair:
        await switched(fair, clock)
        await delivered(fair, clock)
        go_to(clock, "2026-11-10T12:00")
        await talk(fair, 300.5, "2026-11-10T11:30")
        await pass_time(fair, clock, "2026-12-10T12:00")
        ledger = await told(fair.service)
        notices = [each for each in await ledger.notices(OFFICE) if each.kind == "charge"]
        assert "is charged €6.01 for 300.5 that came after" in notices[0].body
        assert "300.5 x €0.02" in notices[0].body
        [charge] = await charges_of(ledger, account=OFFICE)
        await waive(ledger, charge.id, "50%", "a good customer", clock.wall, "olga")
        await pass_time(fair, clock, "2026-12-30T12:00")
        [charge] = await charges_of(ledger, account=OFFICE)
        assert (charge.final, str(charge.due)) == (True, "3.00")
        _, row = charges_csv([charge]).decode().splitlines()
        assert ",usage,final," in row
        assert ",switch," in row
        assert ",300.5,EUR,6.01,3.01,3.00," in row


async def test_the_notice_names_the_price_and_when_it_begins(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B18, D11, P6: told of the price of today and of the next, and of the day of the review."""
    async with running(config, recorder, clock) as fair:
        await switched(fair, clock)
        notice, *_ = await (await told(fair.service)).notices(OFFICE)
        assert notice.subject == "Your use is charged by the unit from now on: minutes-per-month"
        assert "from November 10, 2026" in notice.body
        assert "every minute is charged at €0.02 per minute" in notice.body
        assert "from December 15, 2026 on €0.03 per minute" in notice.body
        assert "we look at it again on May 9, 2027" in notice.body


async def test_nothing_is_charged_before_the_notice_arrived(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B18, P1: a notice that waits until December makes November free, whatever was used."""
    async with running(config, recorder, clock) as fair:
        await switched(fair, clock)
        go_to(clock, "2026-11-11T12:00")
        await talk(fair, 900, "2026-11-11T11:00")
        await pass_time(fair, clock, "2026-12-08T12:00")
        assert await charged(fair) == []
        await delivered(fair, clock)
        go_to(clock, "2026-12-09T12:00")
        await talk(fair, 100, "2026-12-09T11:00")
        await pass_time(fair, clock, "2027-01-08T12:00")
        assert await charged(fair) == [(10_000, "2.00")]


async def test_nothing_is_above_a_limit_while_every_unit_has_its_price(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B18, P8: no case and no second charge of the same minutes, however many they are."""
    async with running(config, recorder, clock) as fair:
        await switched(fair, clock)
        await delivered(fair, clock)
        for when in months("2026-12", 4):
            await pass_time(fair, clock, when)
            await talk(fair, 3_000, when)
        await pass_time(fair, clock, "2027-04-10T12:00")
        assert await charged(fair) == [(300_000, "90.00")] * 4
        assert len(await (await told(fair.service)).cases(OFFICE)) == 1


async def test_without_a_price_today_nothing_is_switched(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """B18, P1: a tariff that begins later can't be told as a price, so it is not approved."""
    policy = config / "policies/telephony.toml"
    text = policy.read_text().replace("# as for who pays by the minute\n", "\nfrom = 2026-12-01\n")
    policy.write_text(text)
    async with running(config, recorder, clock) as fair:
        with pytest.raises(WrongStep, match="no price is valid for a unit of office today"):
            await switched(fair, clock)
        [case] = await (await told(fair.service)).cases(OFFICE, closed=False)
        assert case.state == "proposed"
