"""The record: what is written into it keeps the promises, and nothing else is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, select
from tests.stores.recording import (
    DAY,
    HOUR,
    MAIL,
    case_from,
    charge_of,
    charged,
    delivered,
    measured,
    moved,
    opened,
)
from tests.support import NOON

from fairuse.base.errors import LedgerError, PromiseBroken
from fairuse.rules.record import NO_CASE, Entry
from fairuse.stores import schema
from fairuse.stores.charges import add_charge
from fairuse.stores.record import append, entries_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from fairuse.rules.record import Kind, Value
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio


async def recorded(ledger: Ledger, kind: Kind, case: int = NO_CASE, /, **data: Any) -> None:
    """Record something about anna."""
    async with ledger.transaction() as connection:
        await append(connection, [Entry(NOON, kind, "anna", case, "fairuse", data)])


async def test_what_is_recorded_is_read_again(ledger: Ledger) -> None:
    """S20: whole numbers and text of any kind come back as they were, in a chain that holds."""
    data: dict[str, Value] = {
        "units": 7,
        "amount": "0.10",
        "who": "Zoë \x00 ☎",
        "routes": ["GET /**"],
        "open": None,
    }
    entry = Entry(int(NOON), "case.noted", "añna", 3, "olga", data)
    async with ledger.transaction() as connection:
        await append(connection, [entry, entry._replace(at=NOON + 0.1)])
    assert await entries_of(ledger, 3) == [entry, entry._replace(at=NOON + 0.1)]
    assert (await verify(ledger)).violations == []


async def test_what_is_no_number_is_not_recorded(ledger: Ledger) -> None:
    """S20: a figure that JSON has no word for is refused before it is written."""
    with pytest.raises(ValueError, match="JSON"):
        await recorded(ledger, "case.noted", units=float("nan"))
    assert await entries_of(ledger) == []


async def test_a_charge_before_the_notice_is_not_made(ledger: Ledger) -> None:
    """P1: neither the charge nor the move that would make it is in the ledger afterwards."""
    case = await opened(ledger)
    charge = {"charge": 1, "kind": "usage", "from": case.starts_at, "units": 0}
    with pytest.raises(PromiseBroken, match="and no notice of it was delivered") as broken:
        await recorded(ledger, "charge.made", case.id, **charge)
    assert (broken.value.promise, len(await entries_of(ledger))) == ("P1", 2)
    told = await delivered(ledger, case)
    await recorded(ledger, "charge.made", told.id, **charge)


async def test_too_many_units_are_not_charged(ledger: Ledger) -> None:
    """P5: who asks for one unit more than came after the notice gets nothing."""
    case = await moved(ledger, await delivered(ledger, await opened(ledger)), "accepted", NOON)
    with pytest.raises(PromiseBroken, match="P5: 1,101 units are charged, and 1,100 came"):
        await charged(ledger, case, 1_101)
    assert (await ledger.cases("anna"))[0].state == "accepted"
    assert await ledger.rows(select(schema.charges)) == []
    await charged(ledger, case)


async def test_the_same_window_is_not_charged_twice(ledger: Ledger) -> None:
    """P8: a second entry of the same charge is refused, also where the table would take it."""
    case = await delivered(ledger, await opened(ledger))
    async with ledger.transaction() as connection:
        assert await add_charge(connection, charge_of(case), case.ends_at, "olga")
        await connection.exec_driver_sql("DELETE FROM charges")
    with pytest.raises(PromiseBroken, match="P8"):
        async with ledger.transaction() as connection:
            await add_charge(connection, charge_of(case), case.ends_at, "olga")


async def test_a_warning_of_the_window_is_looked_up(ledger: Ledger) -> None:
    """P1, D11: a warning that named the price is found among what belongs to no case."""
    about = {"notice": 9, "rule": "month", "scope": {"location": "x"}}
    case = await opened(ledger)
    charge = {
        "charge": 1,
        "kind": "usage",
        "rule": "month",
        "scope": {"location": "x"},
        "from": NOON - DAY,
        "until": NOON + DAY,
        "basis": "notice",
        "units": 5,
        "limit": 5,
        "notice_reading": 4,
        "to_reading": 10,
    }
    await recorded(ledger, "notice.written", **about, prices=True)
    with pytest.raises(PromiseBroken, match="P1"):
        await recorded(ledger, "charge.made", case.id, **charge)
    await recorded(ledger, "notice.delivered", **about, channel=MAIL, reading=4)
    await recorded(ledger, "charge.made", case.id, **charge)


async def test_a_measure_before_the_notice_does_not_begin(ledger: Ledger) -> None:
    """P2: it is neither in force nor proposed afterwards."""
    case = await opened(ledger)
    with pytest.raises(PromiseBroken, match='P2: "suspend" begins'):
        await measured(ledger, case)
    assert await ledger.rows(select(schema.measures)) == []
    assert (await measured(ledger, await delivered(ledger, case))).state == "in force"


async def test_entries_that_come_together_are_asked_one_after_another(ledger: Ledger) -> None:
    """P8, P2: what is recorded in one go counts for what comes after it."""
    case = await opened(ledger)
    told: dict[str, Value] = {"notice": 1, "channel": MAIL, "reading": 5_400}
    measure: dict[str, Value] = {
        "measure": 1,
        "do": "custom",
        "scope": dict(case.scope),
        "until": NOON + HOUR,
    }
    together = [
        Entry(NOON, "notice.delivered", "anna", case.id, "fairuse", told),
        Entry(NOON, "measure.begun", "anna", case.id, "olga", measure),
    ]
    with pytest.raises(PromiseBroken, match="P2"):
        async with ledger.transaction() as connection:
            await append(connection, together[::-1])
    async with ledger.transaction() as connection:
        await append(connection, together)
    with pytest.raises(PromiseBroken, match="P8"):
        async with ledger.transaction() as connection:
            await append(connection, together[1:])


async def test_what_is_of_another_case_is_not_looked_at(ledger: Ledger) -> None:
    """P2: a delivery to somebody else is no contact."""
    other = await opened(ledger, case_from(account="bert"))
    await delivered(ledger, other)
    with pytest.raises(PromiseBroken, match="P2"):
        await measured(ledger, await opened(ledger))


async def test_what_breaks_nothing_is_not_looked_up(ledger: Ledger) -> None:
    """Most entries ask nothing of the past: they cost no query of the record."""
    case = await opened(ledger)
    asked: list[str] = []

    async def steps() -> None:
        async with ledger.transaction() as connection:
            engine = connection.engine.sync_engine
            event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
            for kind in ("case.noted", "notice.written", "grant.made", "case.moved"):
                await append(connection, [Entry(NOON, kind, "anna", case.id, "olga", {"on": "x"})])

    await steps()
    assert [query for query in asked if "FROM record" in query] == []
    with pytest.raises(PromiseBroken):
        await recorded(ledger, "measure.begun", case.id)
    assert len([query for query in asked if "FROM record" in query]) == 1


async def test_a_spoiled_record_is_added_to_no_more_about_that_case(ledger: Ledger) -> None:
    """S20: where it can't be told what was promised before, nothing is done."""
    case = await delivered(ledger, await opened(ledger))
    async with ledger.transaction() as connection:
        spoil = "UPDATE record SET data = '{' WHERE kind = 'notice.delivered'"
        await connection.exec_driver_sql(spoil)
    with pytest.raises(LedgerError, match=r"entry \d+ of the record can't be read"):
        await measured(ledger, case)
