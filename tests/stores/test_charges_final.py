"""Charges that are made: waived with a reason, and final after a while."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.stores.bills import ENDED, made, recorded
from tests.stores.recording import DAY, HOUR

from fairuse.base.errors import ChargeError, PromiseBroken
from fairuse.stores import charges
from fairuse.stores.charges import (
    FINAL_AFTER,
    charge_numbered,
    charges_of,
    finalise,
    waive,
)
from fairuse.stores.record import append

if TYPE_CHECKING:
    from fairuse.rules.charges import Charge
    from fairuse.rules.record import Entry
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio


async def test_a_charge_is_waived_with_a_reason(ledger: Ledger) -> None:
    """D23: a part, a share, and the rest: each is recorded with why and who."""
    charge = await made(ledger)
    for what, reason in {"EUR 37.33": "rounded", "50%": "a good customer"}.items():
        part = await waive(ledger, charge.id, what, reason, ENDED + HOUR, "olga")
        assert await charge_numbered(ledger, charge.id) == part
    waived = await waive(ledger, charge.id, "all", "ours", ENDED + HOUR, "olga")
    assert (str(waived.amount), str(waived.waived), str(waived.due)) == ("337.33", "337.33", "0.00")
    assert waived.reason == "rounded; a good customer; ours"
    entries = await recorded(ledger, "charge.waived")
    assert [(entry.by, entry.at) for entry in entries] == [("olga", ENDED + HOUR)] * 3
    assert [entry.data["now"] for entry in entries] == ["37.33", "168.67", "131.33"]
    assert entries[1].data == {
        "charge": charge.id,
        "currency": "EUR",
        "amount": "337.33",
        "waived": "206.00",
        "due": "131.33",
        "now": "168.67",
        "reason": "a good customer",
    }


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no reason": ({"reason": " "}, "to waive a charge needs a reason, and a person"),
    "nobody": ({"by": ""}, "to waive a charge needs a reason, and a person"),
    "no charge": ({"number": 99}, "there is no charge 99"),
    "too much": ({"what": "EUR 338"}, "has EUR 337.33 left to waive"),
    "too late": ({"moment": ENDED + FINAL_AFTER}, "is final"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
async def test_what_cant_be_waived(ledger: Ledger, changes: dict[str, Any], message: str) -> None:
    """D23: nothing is waived without a reason, without a person, twice, or once it is final."""
    charge = await made(ledger)
    asked: dict[str, Any] = {
        "number": charge.id,
        "what": "EUR 1",
        "reason": "a good customer",
        "moment": ENDED + HOUR,
        "by": "olga",
    }
    with pytest.raises(ChargeError, match=message):
        await waive(ledger, **asked | changes)
    assert await charges_of(ledger) == [charge]
    assert await recorded(ledger, "charge.waived") == []


async def test_two_that_waive_at_once_waive_no_more_than_there_is(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D23, P8: who looked before somebody else waived is told to look again."""
    charge = await made(ledger)
    await waive(ledger, charge.id, "all", "ours", ENDED + 1, "olga")

    async def before(_ledger: Ledger, _number: int) -> Charge:
        return charge

    monkeypatch.setattr(charges, "charge_numbered", before)
    with pytest.raises(ChargeError, match="was changed by somebody else just now"):
        await waive(ledger, charge.id, "all", "ours", ENDED + 1, "otto")
    [found] = await charges_of(ledger)
    assert found.due == 0
    assert len(await recorded(ledger, "charge.waived")) == 1


async def test_a_charge_is_final_once(ledger: Ledger) -> None:
    """D23: after two weeks what is left is final, recorded once, and waived no more."""
    anna, bert = await made(ledger), await made(ledger, "bert", ENDED + HOUR)
    await waive(ledger, anna.id, "10%", "a good customer", ENDED + DAY, "olga")
    due = ENDED + FINAL_AFTER
    assert await finalise(ledger, due - 1) == []
    [final] = await finalise(ledger, due)
    assert (final.id, final.final, final.due) == (anna.id, True, Decimal("303.60"))
    assert await finalise(ledger, due) == []
    [other] = await finalise(ledger, due + HOUR)
    assert other.id == bert.id
    first, _ = await recorded(ledger, "charge.final")
    assert (first.at, first.by, first.account) == (due, "fairuse", "anna")
    assert first.data == {
        "charge": anna.id,
        "currency": "EUR",
        "amount": "337.33",
        "waived": "33.73",
        "due": "303.60",
    }
    with pytest.raises(ChargeError, match="is final"):
        await waive(ledger, anna.id, "all", "late", due - HOUR, "olga")


async def test_two_that_finalise_at_once_do_it_once(ledger: Ledger) -> None:
    """P8: of two processes that look at the same moment, one makes a charge final."""
    charge = await made(ledger)
    due = ENDED + FINAL_AFTER
    found = await asyncio.gather(*(finalise(ledger, due) for _ in range(4)))
    assert [each.id for final in found for each in final] == [charge.id]
    assert len(await recorded(ledger, "charge.final")) == 1


async def test_a_charge_that_cant_be_final_keeps_no_other_from_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D23, P9: each charge becomes final by itself; one that fails stays as it is."""
    anna, bert = await made(ledger), await made(ledger, "bert")

    async def failing(connection: Any, entries: list[Entry]) -> None:
        if entries[0].account == "anna":
            raise PromiseBroken("P1", "no notice")
        await append(connection, entries)

    with monkeypatch.context() as patched:
        patched.setattr(charges, "append", failing)
        final = await finalise(ledger, ENDED + FINAL_AFTER)
    assert [each.id for each in final] == [bert.id]
    found = await charge_numbered(ledger, anna.id)
    assert found is not None
    assert not found.final
    assert [each.id for each in await finalise(ledger, ENDED + FINAL_AFTER)] == [anna.id]
