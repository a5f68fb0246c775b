"""Grants, and measures that lower an amount, on the way of a request: from the next one on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.measures import DAY, ask, configured, measured, status, take_up
from tests.rules.support import utc
from tests.rules.support_grants import grant
from tests.support import mounted, told

from fairuse.rules.granting import checked
from fairuse.stores.grants import add, carry_over, grants_of
from fairuse.stores.history import breaches_since

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.support import Recorder

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock
    from fairuse.rules.grants import GrantKind
    from fairuse.rules.tally import ScopeKey
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

CENTRUM, NOORD = "/locations/centrum/appointments", "/locations/noord/appointments"
AT_CENTRUM: ScopeKey = (("location", "centrum"),)
MONTHLY = "appointments-per-month"


async def granted(fair: FairUse, kind: GrantKind, amount: str, **changes: Any) -> bool:
    """Grant something to the salon as an operator does, and have it taken up."""
    service = fair.service
    assert service.ledger is not None
    moment = service.clock.now().wall
    wanted = grant(kind, amount, 0.0)._replace(**{"limit": "sms", **changes})
    terms = service.configuration.current.accounts["salon"]
    made = await add(service.ledger, checked(wanted, terms, moment))
    await take_up(fair)
    return made


async def sent(fair: FairUse, count: int, path: str = "/sms", account: str = "salon") -> list[int]:
    """Send so many requests, and give what they are answered."""
    return [await status(fair, path, account) for _ in range(count)]


async def limits(fair: FairUse, name: str, account: str = "salon") -> list[dict[str, Any]]:
    """Give what the usage page shows of a limit."""
    page = (await ask(fair, "/fairuse/usage", account, "GET")).json()
    return [entry for entry in page["limits"] if entry["limit"] == name]


async def happened(fair: FairUse, account: str = "salon") -> tuple[Ledger, int]:
    """Count the breaches and notices of an account, once everybody was told."""
    ledger = await told(fair.service)
    return ledger, len(await breaches_since(ledger, 0, account)) + len(
        await ledger.notices(account)
    )


async def test_a_top_up_lets_the_next_request_through(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """D20, P8, S7: nothing is left, a top-up of two is bought, two more are sent; once a key."""
    async with mounted(configured(tmp_path), recorder, clock) as fair:
        assert await sent(fair, 6) == [201] * 5 + [429]
        assert await granted(fair, "top-up", "2", once="order-1")
        assert not await granted(fair, "top-up", "2", once="order-1")
        assert await sent(fair, 3) == [201, 201, 429]
        [entry] = await limits(fair, "sms")
        assert (entry["used"], entry["amount"]) == (7, 7)
        assert entry["source"] == "policy booking, +2 top-up"
        assert await sent(fair, 6, account="dentist") == [201] * 5 + [429]


async def test_what_is_left_of_a_top_up_is_there_in_the_next_month(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """D20 (they do not expire): three of ten were needed in November; seven are in December's."""
    async with mounted(configured(tmp_path), recorder, clock) as fair:
        await granted(fair, "top-up", "10", once="order-1")
        assert await sent(fair, 8) == [201] * 8
        clock.advance(utc("2026-12-01T12:00") - clock.wall)
        ledger = await told(fair.service)
        accounts = fair.service.configuration.current.accounts
        await carry_over(ledger, accounts, clock.wall)
        assert len(await grants_of(ledger)) == 2
        await take_up(fair)
        assert await sent(fair, 13) == [201] * 12 + [429]


async def test_an_override_holds_until_its_day(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A27, D12, D21: 8 instead of 5 until 2026-12-31, shown as such, and then 5 again."""
    async with mounted(configured(tmp_path), recorder, clock) as fair:
        await granted(fair, "override", "8", ends_at=utc("2026-12-31T23:00"))
        assert await sent(fair, 9) == [201] * 8 + [429]
        [entry] = await limits(fair, "sms")
        assert (entry["amount"], entry["source"]) == (8, "override until 2026-12-31")
        clock.advance(utc("2026-12-31T22:59:59") - clock.wall)
        assert await sent(fair, 9) == [201] * 8 + [429]
        clock.advance(1)
        assert await sent(fair, 6) == [201] * 5 + [429]
        [entry] = await limits(fair, "sms")
        assert (entry["amount"], entry["source"]) == (5, "policy booking")


async def test_an_override_of_a_location_is_of_no_other(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A27, P9: 120 for one location; at 101 the other one's month is a breach, and its own not."""
    async with mounted(configured(tmp_path), recorder, clock) as fair:
        await granted(fair, "override", "120", limit=MONTHLY, scope=AT_CENTRUM)
        for path in (CENTRUM, NOORD):
            for _ in range(101):
                clock.advance(2)
                assert await status(fair, path) == 201
        [breach] = await breaches_since(await told(fair.service), 0, "salon")
        assert (breach.scope, breach.reading) == ((("location", "noord"),), 101)
        shown = {tuple(each["scope"].values()): each for each in await limits(fair, MONTHLY)}
        assert {scope: each["amount"] for scope, each in shown.items()} == {
            ("centrum",): 120,
            ("noord",): 100,
        }
        assert shown["centrum",]["source"] == "override"


async def test_a_measure_reduces_what_comes_after_it(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """D13, B14, B16, P7, P9: with two a minute instead of sixty the third waits, for a day."""
    async with mounted(configured(tmp_path), recorder, clock) as fair:
        assert set(await sent(fair, 10, CENTRUM)) == {201}
        clock.advance(60)
        assert fair.service.ledger is not None
        kept: dict[str, Any] = {"limit": "appointments-burst", "amount": "2"}
        await measured(fair.service.ledger, "throttle", clock.wall, **kept)
        await take_up(fair)
        assert await sent(fair, 3, CENTRUM) == [201, 201, 429]
        assert await sent(fair, 3, CENTRUM, "dentist") == [201] * 3
        [entry] = await limits(fair, "appointments-burst")
        assert entry["source"] == "throttled until 2026-11-03 13:01"
        clock.advance(DAY)
        assert set(await sent(fair, 10, CENTRUM)) == {201}


async def test_a_lowered_limit_looks_at_what_comes_next(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """S17, P7, D22: fifty of a hundred were fine; of twenty the next one is too much."""
    async with mounted(configured(tmp_path), recorder, clock) as fair:
        assert set(await sent(fair, 50, CENTRUM)) == {201}
        await granted(fair, "override", "20", limit=MONTHLY, scope=AT_CENTRUM)
        [entry] = await limits(fair, MONTHLY)
        assert (entry["used"], entry["amount"]) == (50, 20)
        _, count = await happened(fair)
        assert count == 0
        assert await status(fair, CENTRUM) == 201
        ledger, _ = await happened(fair)
        [breach] = await breaches_since(ledger, 0, "salon")
        assert (breach.reading, breach.amount) == (51, 20)


@pytest.mark.parametrize("durability", ["strict", "relaxed"])
async def test_a_restart_finds_no_breach_in_what_was_allowed(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, durability: str
) -> None:
    """S17, S15, P7: lowered below what is used, a limit is gone over by no restart either."""
    config = configured(tmp_path)
    settings = config / "gateway.toml"
    text = settings.read_text().replace("[counters]", f'[counters]\ndurability = "{durability}"')
    settings.write_text(text)
    async with mounted(config, recorder, clock) as fair:
        assert set(await sent(fair, 50, CENTRUM)) == {201}
        await granted(fair, "override", "20", limit=MONTHLY)
    async with mounted(config, recorder, clock) as fair:
        await take_up(fair)
        _, count = await happened(fair)
        assert count == 0
        assert await status(fair, CENTRUM) == 201
        _, count = await happened(fair)
        assert count > 0


async def test_a_restart_knows_what_was_granted(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A27, S15, P7: 110 of 120 granted are none too many, also where nothing may be forgotten."""
    config = configured(tmp_path)
    settings = config / "gateway.toml"
    settings.write_text(
        settings.read_text().replace("[counters]", '[counters]\ndurability = "strict"')
    )
    async with mounted(config, recorder, clock) as fair:
        await granted(fair, "override", "120", limit=MONTHLY)
        for _ in range(110):
            clock.advance(2)
            assert await status(fair, CENTRUM) == 201
    async with mounted(config, recorder, clock) as fair:
        [entry] = await limits(fair, MONTHLY)
        assert (entry["used"], entry["amount"]) == (110, 120)
        _, count = await happened(fair)
        assert count == 0
