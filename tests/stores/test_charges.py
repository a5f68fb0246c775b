"""Charges in the ledger: once a window, never before a notice, with all their figures."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from tests.rules.support_charges import a_case
from tests.stores.bills import ENDED, a_cost, charge_of, made, make, recorded
from tests.stores.recording import DAY, HOUR, case_from, delivered, opened
from tests.support import NOON

from fairuse.base.errors import ChargeError, PromiseBroken
from fairuse.stores import schema
from fairuse.stores.charges import (
    FINAL_AFTER,
    charge_numbered,
    charged_windows,
    charges_of,
    charges_of_month,
)

if TYPE_CHECKING:
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio


async def test_a_charge_is_made_with_all_its_figures(ledger: Ledger) -> None:
    """A09, A21, P5: what is charged is in the ledger and in the record, to the last figure."""
    charge = await made(ledger)
    assert await charge_numbered(ledger, charge.id) == charge
    [entry] = await recorded(ledger, "charge.made")
    case = charge.case
    assert (entry.at, entry.account, entry.case, entry.by) == (ENDED, "anna", case, "fairuse")
    line = {"from": None, "per": 3, "price": "1", "subtotal": "1000/3", "units": 1_000}
    assert entry.data == {
        "charge": charge.id,
        "kind": "usage",
        "rule": "month",
        "scope": {"location": "x"},
        "from": NOON - DAY,
        "until": NOON + 29 * DAY,
        "basis": "notice",
        "notified_at": NOON + HOUR,
        "limit": 5_000,
        "notice_reading": 5_400,
        "from_reading": 5_400,
        "to_reading": 6_500,
        "units": 1_100,
        "currency": "EUR",
        "amount": "337.33",
        "arithmetic": {
            "decimals": 0,
            "zone": "Europe/Amsterdam",
            "lines": [
                line,
                {"from": None, "per": 1, "price": "0.04", "subtotal": "4", "units": 100},
            ],
            "total": "1012/3",
            "rounding": "half up",
        },
    }


async def test_a_window_is_charged_once(ledger: Ledger) -> None:
    """P8, B19: a step that is taken again makes no second charge; another window has its own."""
    charge = await made(ledger)
    [case] = await ledger.cases("anna")
    assert await make(ledger, charge_of(case, 7_000), ENDED + 1) is None
    following = case._replace(starts_at=case.ends_at, ends_at=case.ends_at + 30 * DAY)
    later = await make(ledger, charge_of(following, 5_100), ENDED + 40 * DAY)
    assert later is not None
    assert await charges_of(ledger) == [charge, later]
    assert [entry.data["charge"] for entry in await recorded(ledger, "charge.made")] == [
        charge.id,
        later.id,
    ]


async def test_a_window_is_charged_once_whichever_the_case(ledger: Ledger) -> None:
    """P8, B19: what another case charged is known, and not charged again; a cost is its case's."""
    charge = await made(ledger)
    case = await delivered(ledger, await opened(ledger, case_from(NOON + 29 * DAY)))
    again = case._replace(starts_at=charge.starts_at, ends_at=charge.ends_at)
    assert await charged_windows(ledger, case) == {charge.starts_at}
    assert await charged_windows(ledger, case._replace(scope=())) == set()
    assert await charged_windows(ledger, case._replace(rule="day")) == set()
    assert await charged_windows(ledger, case._replace(account="bert")) == set()
    assert await make(ledger, charge_of(again), ENDED) is None
    cases = [case, case._replace(id=charge.case)]
    costs = [await make(ledger, a_cost(each), by="olga") for each in cases]
    assert None not in costs
    assert await charges_of(ledger) == [charge, *costs]
    assert await charged_windows(ledger, case) == {charge.starts_at}


async def test_two_that_charge_at_once_make_one_charge(ledger: Ledger) -> None:
    """P8: of two processes that take the same step, one makes the charge."""
    case = await delivered(ledger, await opened(ledger))
    found = await asyncio.gather(*(make(ledger, charge_of(case)) for _ in range(4)))
    assert len([charge for charge in found if charge is not None]) == 1
    assert len(await charges_of(ledger)) == len(await recorded(ledger, "charge.made")) == 1


async def test_nothing_is_charged_before_a_delivered_notice(ledger: Ledger) -> None:
    """A21, P1, D16: with a notice that is only written, neither use nor a cost is charged."""
    case = await opened(ledger)
    told = a_case()._replace(id=case.id, account="anna", rule=case.rule, scope=case.scope)
    for charge in (charge_of(told), a_cost(told)):
        with pytest.raises(PromiseBroken, match="P1"):
            await make(ledger, charge, by="olga")
    assert await charges_of(ledger) == []
    assert await recorded(ledger, "charge.made") == []


async def test_no_more_is_charged_than_came_after_the_notice(ledger: Ledger) -> None:
    """P5, A09: a charge of more units than came after the notice is not made, whoever asks."""
    case = await delivered(ledger, await opened(ledger))
    for wrong in (
        charge_of(case)._replace(units=1_500),
        charge_of(case._replace(notified_reading=5_000)),
    ):
        with pytest.raises(PromiseBroken, match="P5"):
            await make(ledger, wrong)
    assert await charges_of(ledger) == []


async def test_a_window_that_goes_on_is_charged_up_to_now(ledger: Ledger) -> None:
    """P5, A21: what is charged before its window ends is for the time until then."""
    charge = await made(ledger, moment=NOON + 2 * DAY)
    assert charge.ends_at == charge.made_at == NOON + 2 * DAY
    assert charge.final_at == NOON + 2 * DAY + FINAL_AFTER


async def test_costs_are_lines_of_their_own(ledger: Ledger) -> None:
    """C20, S6: a charge of use, and what finding and mending it cost, with who approved it."""
    charge = await made(ledger)
    [case] = await ledger.cases("anna")
    first = await make(ledger, a_cost(case), ENDED, "olga")
    second = await make(ledger, a_cost(case, ENDED + 1), ENDED + 1, "olga")
    assert first is not None
    assert second is not None
    assert await charges_of(ledger, case=case.id) == [charge, first, second]
    assert [(each.kind, each.text, each.units) for each in (charge, first)] == [
        ("usage", "", 1_100),
        ("cost", "Repair of the queue", 0),
    ]
    _, entry, _ = await recorded(ledger, "charge.made")
    assert (entry.by, entry.data["text"], entry.data["amount"]) == (
        "olga",
        "Repair of the queue",
        "190.00",
    )
    assert await make(ledger, a_cost(case), ENDED, "olga") is None


@pytest.mark.parametrize("by", ["", "fairuse"])
async def test_a_cost_is_approved_by_a_person(ledger: Ledger, by: str) -> None:
    """C20: no cost is charged by itself."""
    case = await delivered(ledger, await opened(ledger))
    with pytest.raises(ChargeError, match="a cost needs a person who approves it"):
        await make(ledger, a_cost(case), by=by)
    assert await charges_of(ledger) == []


async def test_charges_are_found_by_account_case_and_month(ledger: Ledger) -> None:
    """A21, E36: an account's, a case's, and those of the month in which they become final."""
    anna, bert = await made(ledger), await made(ledger, "bert")
    assert await charges_of(ledger, account="anna") == [anna]
    assert await charges_of(ledger, account="bert", case=bert.case) == [bert]
    assert await charges_of(ledger, account="anna", case=bert.case) == []
    assert await charge_numbered(ledger, 99) is None
    months = {date(2026, 11, 1): [], date(2026, 12, 1): [anna, bert], date(2027, 1, 1): []}
    for month, found in months.items():
        assert await charges_of_month(ledger, month, ENDED) == found
    [one, _] = await charges_of_month(ledger, date(2026, 12, 1), anna.final_at)
    assert one == anna._replace(final=True)


@pytest.mark.parametrize(
    ("zone", "month"), [("Pacific/Kiritimati", 12), ("Etc/GMT+12", 11)], ids=["east", "west"]
)
async def test_the_month_is_the_customers_own(ledger: Ledger, zone: str, month: int) -> None:
    """E36: at the same instant it is December in the east and November in the west."""
    case = await delivered(ledger, await opened(ledger))
    new_month = 1_796_083_200.0  # 2026-12-01 00:00 in UTC
    made_of_it = await make(
        ledger, charge_of(case)._replace(zone=zone), new_month + 1 - FINAL_AFTER
    )
    for number in (11, 12):
        found = await charges_of_month(ledger, date(2026, number, 1), NOON)
        assert found == ([made_of_it] if number == month else [])


async def test_money_is_kept_as_text(ledger: Ledger) -> None:
    """F-27: no amount, price or sum in the ledger is a float."""
    await made(ledger)
    [row] = await ledger.rows(select(schema.charges))
    assert (row.amount, row.waived) == ("337.33", "0.00")

    def floats(text: str) -> float:
        raise AssertionError(text)

    kept = json.loads(row.arithmetic)
    moment = kept.pop("notified_at")
    assert moment == NOON + HOUR
    assert json.loads(json.dumps(kept), parse_float=floats)["total"] == "1012/3"
