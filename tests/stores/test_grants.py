"""Grants and forgiven windows in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.rules.support_grants import MADE, MONTH_ENDS, grant, terms_with

from fairuse.base.errors import PromiseBroken
from fairuse.rules.record import OURSELVES
from fairuse.stores.grants import Forgiven, add, carry_over, forgive, grants_of
from fairuse.stores.history import breaches_since, unjudged
from fairuse.stores.record import entries_of
from fairuse.stores.rows import Batch, BreachRow, UsageKey

if TYPE_CHECKING:
    from fairuse.rules.grants import Grant
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

CENTRUM = (("location", "centrum"),)
TOP_UP = grant("top-up", "500", scope=CENTRUM, ends_at=MONTH_ENDS, once="order-1")
DECEMBER = MONTH_ENDS + 60
HOUR = 3_600


async def used(ledger: Ledger, units: int, location: str = "centrum") -> None:
    """Write what was used of the month."""
    key = UsageKey("salon", location, "appointments", int(MADE) // HOUR * HOUR)
    await ledger.write(Batch(usage=[(key, units)]))


async def test_a_grant_is_kept_with_its_author_and_reason(ledger: Ledger) -> None:
    """D08, A27: who granted what, why, from when until when; and the record says so."""
    made = grant("override", "8000", scope=CENTRUM, ends_at=MONTH_ENDS)
    assert await add(ledger, made)
    [known] = await grants_of(ledger)
    assert known == made._replace(id=known.id)
    [entry] = await entries_of(ledger)
    assert (entry.kind, entry.account, entry.by, entry.at) == ("grant.made", "salon", "olga", MADE)
    assert entry.data["reason"] == "agreed by phone"
    assert (entry.data["from"], entry.data["until"]) == (MADE, MONTH_ENDS)
    assert (entry.data["kind"], entry.data["amount"]) == ("override", "8000")
    assert entry.data["scope"] == {"location": "centrum"}


async def test_the_same_key_twice_is_one_grant(ledger: Ledger) -> None:
    """D20, P8: an order that is sent twice tops up once."""
    assert await add(ledger, TOP_UP)
    assert not await add(ledger, TOP_UP._replace(made_at=MADE + 1, starts_at=MADE + 1))
    assert await add(ledger, TOP_UP._replace(once=None))
    assert await add(ledger, TOP_UP._replace(once=None))
    assert len(await grants_of(ledger)) == len(await entries_of(ledger)) == 3


async def test_a_grant_that_acts_backwards_is_not_made(ledger: Ledger) -> None:
    """P7: what holds from before it was made is neither kept nor recorded."""
    with pytest.raises(PromiseBroken):
        await add(ledger, grant("override", "10", starts_at=MADE - 1))
    assert await grants_of(ledger) == []


async def test_grants_are_found_by_account(ledger: Ledger) -> None:
    """P9: of a thousand accounts, those that are asked for."""
    for account in ("salon", "dentist"):
        assert await add(ledger, grant("extra", "10", account=account))
    asked = [f"account-{number}" for number in range(1_000)]
    assert await grants_of(ledger, asked) == []
    [found] = await grants_of(ledger, [*asked, "dentist"])
    assert found.account == "dentist"


async def carried(ledger: Ledger, units: int) -> Grant:
    """Use so many units of 5,000 and a top-up of 500, and give what is carried on."""
    await add(ledger, TOP_UP)
    await used(ledger, units)
    await used(ledger, 9_000, "noord")
    assert await carry_over(ledger, {"salon": terms_with()}, MONTH_ENDS - 1) == 0
    assert await carry_over(ledger, {"salon": terms_with()}, DECEMBER) == 1
    [topped_up, carry] = await grants_of(ledger)
    assert carry.once == f"carry:{topped_up.id}:{int(MONTH_ENDS)}"
    return carry


LEFT = {4_000: "500", 5_000: "500", 5_001: "499", 5_499: "1", 5_500: "0", 7_000: "0"}


@pytest.mark.parametrize(("units", "left"), LEFT.items())
async def test_what_is_left_of_a_top_up_is_carried_on(
    ledger: Ledger, units: int, left: str
) -> None:
    """D20 (they do not expire): of the next month is what this one did not need, once."""
    carry = await carried(ledger, units)
    assert (carry.amount, carry.kind, carry.scope) == (left, "top-up", CENTRUM)
    assert (carry.starts_at, carry.made_at, carry.by) == (DECEMBER, DECEMBER, OURSELVES)
    for moment in (DECEMBER, DECEMBER + 60):
        assert await carry_over(ledger, {"salon": terms_with()}, moment) == 0
    limit = terms_with(carry).limit("per-month")
    assert limit is not None
    amount = limit.within(CENTRUM).amount(DECEMBER)
    assert amount is not None
    assert amount.value == 5_000 + int(left)


async def test_what_is_left_goes_from_month_to_month(ledger: Ledger) -> None:
    """D20, P8: 500 of November are 500 in January; what used to be left is not left twice."""
    terms = {"salon": terms_with()}
    carry = await carried(ledger, 0)
    assert carry.ends_at is not None
    assert await carry_over(ledger, terms, carry.ends_at + 60) == 1
    assert await carry_over(ledger, terms, carry.ends_at + 120) == 0
    [*_, january] = await grants_of(ledger)
    assert (january.amount, january.reason) == ("500", f"unused of top-up {carry.id}")


async def test_what_is_left_of_an_account_that_is_away_waits(ledger: Ledger) -> None:
    """D20: a tenant whose file is broken for a day loses nothing of what it bought."""
    await add(ledger, TOP_UP)
    assert await carry_over(ledger, {}, DECEMBER) == 0
    assert await carry_over(ledger, {"salon": terms_with()}, DECEMBER + 86_400) == 1


async def test_a_forgiven_window_is_no_breach(ledger: Ledger) -> None:
    """D24: a forgiven window is in no breach history; that it was, and why, is recorded."""
    breach = BreachRow(
        "salon-anna", "salon", "per-month", CENTRUM, MADE, MONTH_ENDS, MADE, 5_001, 5_000
    )
    other = breach._replace(starts_at=MONTH_ENDS, ends_at=DECEMBER, last_at=MONTH_ENDS)
    await ledger.write(Batch(breaches=[breach, other, breach._replace(account="dentist")]))
    window = Forgiven("salon", "per-month", CENTRUM, MADE, "olga", "a strike at the post")
    assert [await forgive(ledger, window, MADE + 60) for _ in range(2)] == [True, False]
    assert await breaches_since(ledger, 0.0, "salon") == [other]
    assert await breaches_since(ledger, 0.0, "dentist") != []
    assert len(await unjudged(ledger, DECEMBER)) == 2
    [entry] = await entries_of(ledger)
    assert (entry.kind, entry.by, entry.at) == ("window.forgiven", "olga", MADE + 60)
    assert entry.data["reason"] == "a strike at the post"
