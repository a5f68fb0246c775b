"""`fairuse export`: a month's statement as files, from the ledger that a gateway is using."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from tests.stores.recording import DAY, HOUR, charge_of, delivered, opened
from tests.stores.recording import case_from as case_of
from tests.support import NOON, write_config

from fairuse.base.clock import ManualClock
from fairuse.base.errors import ConfigurationError
from fairuse.entry.export import export
from fairuse.stores.charges import add_charge, finalise
from fairuse.stores.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

FILES = ["2026-12-charges.csv", "2026-12-lines.csv", "2026-12.json", "2026-12.cloudevents.json"]
MADE = NOON + 30 * DAY
CLOCK = ManualClock(MADE + 14 * DAY + HOUR)


def rows(file: Path) -> list[dict[str, str]]:
    """Read a CSV file."""
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))


async def charged(folder: Path) -> Path:
    """Write a configuration whose ledger has a final charge of anna's and an open one of bert's."""
    config = write_config(folder)
    ledger = await Ledger.open(f"sqlite:///{folder}/fairuse.db")
    for account, at in {"bert": MADE + DAY, "anna": MADE}.items():
        case = await delivered(ledger, await opened(ledger, case_of(account=account)))
        async with ledger.transaction() as connection:
            assert await add_charge(connection, charge_of(case), at, "fairuse")
    [final] = await finalise(ledger, MADE + 14 * DAY + HOUR)
    assert final.account == "anna"
    await ledger.close()
    return config


async def test_a_month_is_written_the_same_twice(tmp_path: Path) -> None:
    """A21, D15, E36: charges, lines, the whole, and events; byte for byte the same another day."""
    config = await charged(tmp_path)
    first = await export(config, "2026-12", tmp_path / "first/deep", clock=CLOCK)
    again = await export(config, "2026-12", tmp_path / "again", clock=CLOCK)
    assert [path.name for path in first] == [path.name for path in again] == FILES
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    charges, lines, whole, events = first
    accounts = [row["account"] for row in rows(charges)]
    assert accounts == ["anna", "bert"]
    assert [row["subtotal"] for row in rows(lines)] == ["55", "55"]
    assert json.loads(whole.read_text())["sums"] == [
        {"currency": "EUR", "amount": "110.00", "waived": "0.00", "due": "110.00"}
    ]
    assert [event["subject"] for event in json.loads(events.read_text())] == ["anna"]


@pytest.mark.parametrize(
    ("account", "rule", "found"),
    [("anna", None, ["anna"]), (None, "month", ["anna", "bert"]), ("anna", "other", [])],
)
async def test_an_account_or_a_rule_alone(
    tmp_path: Path, account: str | None, rule: str | None, found: list[str]
) -> None:
    """A21: a statement may be of one account, or of one rule."""
    config = await charged(tmp_path)
    files = await export(
        config, "2026-12", tmp_path / "out", account=account, rule=rule, clock=CLOCK
    )
    whole = json.loads(files[2].read_text())
    assert [each["account"] for each in whole["accounts"]] == found


@pytest.mark.parametrize("month", ["2026-11", "2027-01"])
async def test_other_months_have_other_charges(tmp_path: Path, month: str) -> None:
    """E36: a charge is in the statement of its month alone."""
    files = await export(await charged(tmp_path), month, tmp_path / "out", clock=CLOCK)
    assert json.loads(files[2].read_text()) == {
        "month": month,
        "complete": month < "2026-12",
        "accounts": [],
        "sums": [],
    }


async def test_without_a_ledger_there_is_nothing_to_pay(tmp_path: Path) -> None:
    """A21: before anything was counted a statement is empty, and no ledger is made by asking."""
    files = await export(write_config(tmp_path), "2026-12", tmp_path / "out", clock=CLOCK)
    assert json.loads(files[3].read_text()) == []
    assert not (tmp_path / "fairuse.db").exists()


async def test_a_ledger_in_use_is_read_all_the_same(tmp_path: Path) -> None:
    """A21: a statement is written beside a running gateway, and changes nothing in its ledger."""
    config = await charged(tmp_path)
    ledger = await Ledger.open(f"sqlite:///{tmp_path}/fairuse.db")
    files = await export(config, "2026-12", tmp_path / "out", clock=CLOCK)
    await ledger.close()
    assert len(rows(files[0])) == 2


async def test_what_cant_be_exported_is_said(tmp_path: Path) -> None:
    """E36: a wrong month writes nothing, and a broken configuration neither."""
    config = write_config(tmp_path)
    with pytest.raises(ValueError, match='"October" is no month'):
        await export(config, "October", tmp_path / "out", clock=CLOCK)
    (config / "gateway.toml").write_text("contact = 5")
    with pytest.raises(ConfigurationError):
        await export(config, "2026-12", tmp_path / "out", clock=CLOCK)
    assert not (tmp_path / "out").exists()
