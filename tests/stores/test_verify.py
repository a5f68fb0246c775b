"""What `verify` proves: each promise and each charge; and that the tables agree (S20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from tests.stores.recording import DAY, MAIL, case_from, delivered, opened, whole_process
from tests.stores.tampering import ENTRIES, kinds
from tests.support import NOON

from fairuse.rules.record import Entry
from fairuse.stores import schema
from fairuse.stores import verify as verifying
from fairuse.stores.casebook import note_latest
from fairuse.stores.ledger import Ledger
from fairuse.stores.record import append
from fairuse.stores.verify import STEPS, TABLES, Verified, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection
    from tests.ledgers import Place

    from fairuse.rules.record import Value

pytestmark = pytest.mark.anyio


@pytest.fixture
async def process(ledger: Ledger) -> Ledger:
    """Give a ledger with two cases that were brought to their ends."""
    await whole_process(ledger)
    return ledger


async def test_every_charge_has_its_proof(process: Ledger) -> None:
    """A21: which notice came first, when, how and at which reading; the choice; what is waived."""
    [charge] = (await verify(process)).charges
    assert charge.told is not None
    assert charge.told._asdict() | {"prices": None, "scope": None} == {
        "notice": 2,
        "at": NOON + 3_600,
        "channel": MAIL,
        "reading": 5_400,
        "prices": None,
        "scope": None,
    }
    assert (charge.choice, charge.waived) == ("accept charges", "5.00")
    assert charge.entry.data["units"] == 1_100


async def test_an_empty_record_is_fine(ledger: Ledger) -> None:
    """S20: before anything was done, there is nothing to find."""
    assert await verify(ledger) == Verified()


async def test_a_step_that_was_left_out_is_found(process: Ledger) -> None:
    """S20: a case goes on from where it was."""
    data: dict[str, Value] = {"from": "proposed", "to": "closed", "on": "withdrawn"}
    async with process.transaction() as connection:
        await append(connection, [Entry(NOON, "case.moved", "anna", 1, "olga", data)])
    assert kinds(await verify(process)) == {STEPS}


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE cases SET state = 'open' WHERE id = 1", "case 1: state is 'open'"),
        ("UPDATE cases SET account = 'carl' WHERE id = 2", "case 2: account is 'carl'"),
        ("DELETE FROM measures", "measure 1 was recorded, and is not there"),
        ("UPDATE measures SET state = 'in force'", "measure 1: state is 'in force'"),
        ("UPDATE measures SET ends_at = NULL", "measure 1: until is None"),
        ("UPDATE measures SET review_at = 5", "measure 1: review is 5.0"),
        ("UPDATE measures SET scope = '[]'", "measure 1: scope is {}"),
        ("UPDATE measures SET scope = 'x'", "measure 1: scope or figures is 'no JSON'"),
        ("UPDATE measures SET routes = '[\"* /**\"]'", "measure 1: routes is ['* /**']"),
        ("UPDATE charges SET units = 9", "charge 1: units is 9, and 1100 was recorded"),
        ("UPDATE charges SET amount = '5500.00'", "charge 1: amount is '5500.00'"),
        ("UPDATE charges SET currency = 'USD'", "charge 1: currency is 'USD'"),
        (
            "UPDATE charges SET waived = '0'",
            "charge 1: waived is '0.00000000', and '5.00000000' was",
        ),
        ("UPDATE charges SET final = true", "charge 1: final is True"),
        ("UPDATE grants SET amount = '5000'", "grant 1: amount is '5000', and '500' was"),
        ("UPDATE grants SET starts_at = 5", "grant 1: from is 5.0, and"),
        ("DELETE FROM grants", "grant 1 was recorded, and is not there"),
        ("UPDATE charges SET account = 'carl'", "charge 1: account is 'carl'"),
        (
            "UPDATE charges SET arithmetic = replace(arithmetic, '5400', '5000')",
            "charge 1: notice_reading is 5000, and 5400 was recorded",
        ),
    ],
)
async def test_tables_that_say_something_else_are_found(
    process: Ledger, place: Place, statement: str, found: str
) -> None:
    """S20: cases, measures and charges are what was recorded of them, each figure."""
    await place.sql(statement)
    verified = await verify(process)
    assert kinds(verified) == {TABLES}
    assert any(violation.why.startswith(found) for violation in verified.violations)


@pytest.mark.parametrize("table", ["charges", "measures", "cases", "grants"])
async def test_a_row_without_an_entry_is_found(process: Ledger, place: Place, table: str) -> None:
    """S20, P1, P4: what somebody put into the tables alone is no charge, measure or case."""
    of = schema.metadata.tables[table]
    async with place.connection() as connection:
        known = dict((await connection.execute(sa.select(of).limit(1))).one()._mapping)
        new = {"id": 77, "starts_at": 0.5, "once": "another"}
        known |= {name: value for name, value in new.items() if name in known}
        await connection.execute(sa.insert(of), [known])
    [violation] = (await verify(process)).violations
    assert (violation.of, "77 of" in violation.why) == (TABLES, True)


async def test_what_is_no_step_is_no_difference(process: Ledger, place: Place) -> None:
    """A reading that is noted, or a case from before there was a record, is nothing to find."""
    case = await opened(process, case_from(NOON + 90 * DAY))
    await note_latest(process, [case._replace(latest=5_555)])
    await place.sql(
        "INSERT INTO cases (id, tenant, account, rule, scope, starts_at, ends_at, opened_at, state)"
        " VALUES (99, 'salon', 'old', 'month', '[]', 1, 2, 1, 'open')"
    )
    assert (await verify(process)).violations == []


async def test_all_is_read_as_of_one_moment(
    process: Ledger, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S20: what a gateway does while the record is read is no difference."""
    monkeypatch.setattr(verifying, "PAGE", 1)
    rows = verifying._rows
    written = []

    async def slowly(connection: AsyncConnection) -> AsyncIterator[Any]:
        async for each in rows(connection):
            if each.number == 5:
                case = await opened(process, case_from(NOON + 90 * DAY))
                written.append(await delivered(process, case))
            yield each

    monkeypatch.setattr(verifying, "_rows", slowly)
    beside = await Ledger.look_into(place.url)
    assert beside is not None
    try:
        verified = await verify(beside)
    finally:
        await beside.close()
    assert (verified.violations, verified.entries, len(written)) == ([], ENTRIES, 1)
