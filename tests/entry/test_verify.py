"""`fairuse verify`: the proof, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from tests.stores.recording import whole_process
from tests.stores.tampering import change, way_into

from fairuse.base.errors import LedgerError
from fairuse.entry.verify import as_json, head_hash, show, verify
from fairuse.rules.promises import PROMISES
from fairuse.stores.ledger import Ledger
from fairuse.stores.verify import Verified, Violation

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

NOTHING = "0" * 64


async def recorded(folder: Path) -> str:
    """Write a whole process into a ledger, and give its URL."""
    url = f"sqlite:///{folder}/fairuse.db"
    ledger = await Ledger.open(url)
    await whole_process(ledger)
    await ledger.close()
    return url


def printed(verified: Verified) -> str:
    """Give what is printed."""
    console = Console(width=200, force_terminal=False, highlight=False, emoji=False)
    with console.capture() as capture:
        show(verified, console)
    return capture.get()


async def test_each_charge_is_printed_with_its_proof(tmp_path: Path) -> None:
    """A21: which notice came first, when, how, at which reading; the choice, the units, the sum."""
    text = printed(await verify(await recorded(tmp_path)))
    for told in (
        "1 of bert, month, case 2: 1,100 units from the notice on, EUR 55.00, of which 5.00 is",
        "notice 2 was delivered 2026-11-02T13:00:00+00:00 by mailto:anna@salon.example, at 5,400",
        "charged 2026-12-01T13:00:00+00:00; choice: accept charges",
        "20 entries: fine",
    ):
        assert told in text
    assert "broken" not in text


async def test_every_promise_is_named(tmp_path: Path) -> None:
    """P1-P10: promise by promise, in the words that customers read."""
    verified = await verify(await recorded(tmp_path))
    lines = printed(verified).splitlines()
    for promise, words in PROMISES.items():
        assert f"{promise:7}kept    {words}" in lines
    verified.violations.append(Violation("P5", 7, "[too] much"))
    assert [line for line in printed(verified).splitlines() if "P5" in line] == [
        f"{'P5':7}broken  {PROMISES['P5']}",
        "         P5: entry 7: [too] much",
    ]


async def test_programs_get_the_same(tmp_path: Path) -> None:
    """A21: as JSON, with the notice of each charge."""
    verified = await verify(await recorded(tmp_path))
    found = json.loads(json.dumps(as_json(verified)))
    assert (found["fine"], found["entries"], found["findings"]) == (True, 20, [])
    assert found["promises"] == dict.fromkeys(PROMISES, True)
    [charge] = found["charges"]
    assert (charge["units"], charge["amount"], charge["choice"]) == (
        1_100,
        "55.00",
        "accept charges",
    )
    assert charge["notice"]["notice"] == 2
    assert charge["notice"]["reading"] == 5_400


async def test_what_was_changed_is_said(tmp_path: Path) -> None:
    """S20: a charge that somebody raised is found, and so is the head it should have."""
    url = await recorded(tmp_path)
    kept = (await verify(url)).head
    change(way_into(tmp_path), "UPDATE charges SET amount = '550.00'")
    change(way_into(tmp_path), "DELETE FROM record WHERE number = 20")
    verified = await verify(url, kept)
    text = printed(verified)
    assert "charge 1: amount is '550.00', and '55.00' was recorded" in text
    assert f"the chain does not go through {kept}" in text
    assert as_json(verified)["fine"] is False


async def test_a_charge_without_a_notice_is_printed_as_that(tmp_path: Path) -> None:
    """P1: what nobody was told of has no proof."""
    verified = await verify(await recorded(tmp_path))
    verified.charges = [charge._replace(told=None) for charge in verified.charges]
    assert "no notice was delivered before" in printed(verified)
    assert as_json(verified)["charges"][0]["notice"] is None


async def test_where_there_is_no_ledger_nothing_is_wrong_unless_there_was_one(
    tmp_path: Path,
) -> None:
    """S20: a ledger that was removed is missed by who kept its head."""
    url = f"sqlite:///{tmp_path}/fairuse.db"
    assert await verify(url) == Verified()
    assert "0 entries: fine" in printed(await verify(url))
    assert [str(violation) for violation in (await verify(url, NOTHING)).violations] == [
        "chain: there is no ledger"
    ]


async def test_a_file_that_is_no_ledger_is_an_error(tmp_path: Path) -> None:
    """S20: what can't be read is not fine."""
    (tmp_path / "fairuse.db").write_bytes(b"something else" * 1_000)
    with pytest.raises(LedgerError):
        await verify(f"sqlite:///{tmp_path}/fairuse.db")


@pytest.mark.parametrize(
    "head", ["", "abc", NOTHING[1:], NOTHING.replace("0", "G"), f"{NOTHING}\n"]
)
def test_a_head_is_a_hash(head: str) -> None:
    """S20: a head that was not copied whole is a wrong call, and no finding."""
    assert head_hash(NOTHING) == NOTHING
    with pytest.raises(ValueError, match="is no hash"):
        head_hash(head)
