"""S20: whatever is done to a record afterwards, `verify` finds it; and nothing where none was."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from tests.stores.recording import MAIL, NOTICE, whole_process
from tests.stores.tampering import (
    ENTRIES,
    change,
    kinds,
    number_of,
    rewritten,
    row,
    way_into,
    where,
)

from fairuse.stores import schema
from fairuse.stores import verify as verifying
from fairuse.stores.casebook import write_notice
from fairuse.stores.ledger import Ledger
from fairuse.stores.record import chained
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two cases that were brought to their ends, once for all tests."""
    path = tmp_path_factory.mktemp("whole") / "fairuse.db"

    async def written() -> None:
        ledger = await Ledger.open(f"sqlite:///{path}")
        await whole_process(ledger)
        await ledger.close()

    asyncio.run(written())
    return path


@pytest.fixture
async def ledger(whole: Path, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Give a ledger with those two cases."""
    shutil.copy(whole, tmp_path)
    opened = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    yield opened
    await opened.close()


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    """Give another way into its file."""
    return way_into(tmp_path)


async def test_what_nobody_touched_is_fine(ledger: Ledger) -> None:
    """S20, P1-P10: a whole process of two cases leaves nothing to find."""
    verified = await verify(ledger)
    assert verified.violations == []
    assert verified.entries == ENTRIES
    assert len(verified.head) == 64


async def test_a_record_of_several_pages_is_followed(
    ledger: Ledger, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S20: where a page ends the chain goes on, and what is missing there is found."""
    for page in (1, 2, ENTRIES - 1, ENTRIES):
        monkeypatch.setattr(verifying, "PAGE", page)
        verified = await verify(ledger)
        assert (verified.violations, verified.entries) == ([], ENTRIES)
    monkeypatch.setattr(verifying, "PAGE", 4)
    change(engine, "DELETE FROM record WHERE number = 5")
    assert where(await verify(ledger)) == [6]


@pytest.mark.parametrize("which", [1, 9, ENTRIES], ids=["first", "middle", "last"])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "at - 1"),
        ("at", "'yesterday'"),
        ("kind", "'case.noted'"),
        ("account", "'carl'"),
        ("case_id", "case_id + 7"),
        ("case_id", "'x'"),
        ("author", "'somebody'"),
        ("data", "replace(data, '{', '{ ')"),
        ("data", "'{}'"),
        ("data", "'[]'"),
        ("data", "'no JSON'"),
        ("data", "x'00ff'"),
        ("hash", "upper(hash)"),
        ("hash", "''"),
    ],
)
async def test_a_changed_entry_is_found(
    ledger: Ledger, engine: sa.Engine, which: int, column: str, value: str
) -> None:
    """S20: whichever column of whichever entry was changed, and to whatever."""
    change(engine, f"UPDATE record SET {column} = {value} WHERE number = ?", which)  # noqa: S608
    found = where(await verify(ledger))
    assert which in found
    assert set(found) <= {which, which + 1, None}


@pytest.mark.parametrize("which", [1, 2, 9, ENTRIES - 1])
async def test_a_removed_entry_is_found(ledger: Ledger, engine: sa.Engine, which: int) -> None:
    """S20: at the beginning or in the middle, and also where the others were moved up."""
    change(engine, "DELETE FROM record WHERE number = ?", which)
    assert where(await verify(ledger)) == [which + 1]
    for number in range(which + 1, ENTRIES + 1):
        change(engine, "UPDATE record SET number = number - 1 WHERE number = ?", number)
    assert which in where(await verify(ledger))


async def test_a_cut_off_end_is_found(ledger: Ledger, engine: sa.Engine) -> None:
    """S20: the head says how long the record was; without a head, or with two, nothing is fine."""
    change(engine, "DELETE FROM record WHERE number > ?", ENTRIES - 3)
    assert None in where(await verify(ledger))
    change(engine, "DELETE FROM record")
    assert None in where(await verify(ledger))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record_head SET number = number + 1",
        "UPDATE record_head SET hash = ''",
        "DELETE FROM record_head",
        "INSERT INTO record_head SELECT 2, number, hash FROM record_head",
    ],
)
async def test_a_changed_head_is_found(ledger: Ledger, engine: sa.Engine, statement: str) -> None:
    """S20: the head is one, and agrees with the last entry."""
    change(engine, statement)
    assert where(await verify(ledger)) == [None]


@pytest.mark.parametrize("number", [-1, 0, ENTRIES + 1])
async def test_an_inserted_entry_is_found(ledger: Ledger, engine: sa.Engine, number: int) -> None:
    """S20: before the first or after the last, also with the hash that it would have had."""
    added = row(engine, ENTRIES) | {"number": number, "account": "carl"}
    added["hash"] = chained(row(engine, ENTRIES)["hash"], added)
    with engine.begin() as connection:
        connection.execute(sa.insert(schema.record), [added])
    assert where(await verify(ledger)) != []


async def test_an_entry_put_between_two_others_is_found(ledger: Ledger, engine: sa.Engine) -> None:
    """S20: where the later ones were moved to make room."""
    for number in range(ENTRIES, 8, -1):
        change(engine, "UPDATE record SET number = number + 1 WHERE number = ?", number)
    added = row(engine, 8) | {"number": 9}
    with engine.begin() as connection:
        connection.execute(sa.insert(schema.record), [added])
    change(engine, "UPDATE record_head SET number = number + 1")
    assert 9 in where(await verify(ledger))


@pytest.mark.parametrize(("one", "other"), [(1, 2), (8, 9), (3, ENTRIES)])
async def test_entries_that_changed_places_are_found(
    ledger: Ledger, engine: sa.Engine, one: int, other: int
) -> None:
    """S20: whether or not their hashes went with them."""
    for before, after in ((one, -1), (other, one), (-1, other)):
        change(engine, "UPDATE record SET number = ? WHERE number = ?", after, before)
    assert {one, other} <= set(where(await verify(ledger)))


@pytest.mark.parametrize("first", [1, 9, ENTRIES])
async def test_a_rewritten_end_is_found(ledger: Ledger, engine: sa.Engine, first: int) -> None:
    """S20: a chain that is right in itself does not end where the head says."""
    rewritten(engine, first, lambda row: row.update(author="somebody"))
    assert where(await verify(ledger)) == [None]


@pytest.mark.parametrize("first", [1, 9, ENTRIES])
async def test_a_record_rewritten_with_its_head_is_found_by_a_head_kept_elsewhere(
    ledger: Ledger, engine: sa.Engine, first: int
) -> None:
    """S20: who can rewrite everything can't rewrite a hash that was kept elsewhere."""
    kept = (await verify(ledger)).head
    head = rewritten(engine, first, lambda row: row.update(author="somebody"))
    change(engine, "UPDATE record_head SET hash = ?", head)
    assert where(await verify(ledger)) == []
    assert where(await verify(ledger, kept)) == [None]


async def test_a_head_that_was_kept_is_found_again_after_more_was_recorded(ledger: Ledger) -> None:
    """S20: the chain goes through every head it ever had."""
    kept = (await verify(ledger)).head
    await write_notice(ledger, NOTICE, [MAIL])
    assert (await verify(ledger, kept)).violations == []
    assert (await verify(ledger)).head != kept


async def test_a_forged_entry_breaks_a_promise(ledger: Ledger, engine: sa.Engine) -> None:
    """S20, A21: a chain that is right in itself, head and all, still has to keep the promises."""
    delivery = number_of(engine, "notice.delivered")

    def forge(row: dict[str, Any]) -> None:
        row["kind"] = "case.noted"

    second = next(
        number
        for number in range(delivery + 1, ENTRIES)
        if row(engine, number)["kind"] == "notice.delivered"
    )
    head = rewritten(engine, second, forge)
    change(engine, "UPDATE record_head SET hash = ?", head)
    verified = await verify(ledger)
    assert kinds(verified) == {"P1"}
    assert verified.charges[0].told is None
