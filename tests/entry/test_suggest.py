"""`fairuse suggest`: an amount to agree on, with its inputs; and nothing changes by asking."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.entry.test_check_usage import record
from tests.scenarios.support import contract, shipped
from typer.testing import CliRunner

from fairuse.entry import desk, policy_commands
from fairuse.entry.cli import app

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.base.clock import ManualClock

CREDITS = """
[packages.automation]
email-credits = 1
sms-credits = {sms}
phone-credits = 1
push-credits = 1
[tariffs]
email = [{{ price = "EUR 0.01" }}]
sms = [{{ price = "EUR 0.01" }}]
phone = [{{ price = "EUR 0.01" }}]
push = [{{ price = "EUR 0.01" }}]
"""
SEPTEMBER, OCTOBER = "2026-09-15T12:00", "2026-10-15T12:00"


@pytest.fixture(autouse=True)
def _same_time(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    """Have the command live in the test's time: November 2026."""
    for module in (policy_commands, desk):
        monkeypatch.setattr(module, "SystemClock", lambda: clock)


@pytest.fixture
def studios(tmp_path: Path) -> Path:
    """Write four studios that send text messages, and an account on another policy."""
    names = {"anna": 200, "bert": 100, "carl": 100, "dora": 100}
    tenants = {
        name: contract(name, "credits", CREDITS.format(sms=sms)) for name, sms in names.items()
    }
    tenants["shop"] = contract("shop", "hosting", "[packages.shared]")
    config = shipped(tmp_path, tenants)
    used = {
        ("anna", "", SEPTEMBER): 400,
        ("anna", "", OCTOBER): 200,
        ("bert", "", SEPTEMBER): 600,
        ("bert", "", OCTOBER): 300,
    }
    record(config, used, "sms")
    return config


def run(config: Path, *arguments: str) -> tuple[int, str]:
    """Run a command, and give its exit code and everything it said."""
    result = CliRunner().invoke(app, [*arguments, "--config", str(config)])
    return result.exit_code, result.output


def suggested(config: Path, *arguments: str) -> Any:
    """Give what is suggested, read as JSON."""
    code, output = run(config, "suggest", *arguments, "-o", "json")
    assert code == 0, output
    return json.loads(output)


def test_the_three_inputs_and_the_arithmetic_are_shown(studios: Path) -> None:
    """D09: size, comparable customers and load, each step to the amount, and the command."""
    code, output = run(studios, "suggest", "anna", "sms")
    assert code == 0
    assert output.splitlines() == [
        "sms of anna, calendar month by account: 200 (policy credits: sms-credits)",
        "  size         1 account on automation",
        "  comparable   3 others use 150 a month for each account",
        "  own use      400 in the busiest of 2 months, 300 on average",
        "  system load  40% of all use; the latest month of all was 500 below the busiest",
        "  need         400 x 120% = 480",
        "  by size      150 x 1 = 150",
        "  room         300 + 500 = 800",
        "  suggested    480: the larger of need and size, but no more than the largest of room,"
        " size and 400; rounded up",
        "  nothing is changed; to agree on it:",
        "  fairuse override anna sms 480 --by NAME --reason REASON",
    ]


def test_the_command_that_is_shown_is_one(studios: Path) -> None:
    """D09, D12: what is shown can be given as it is; only then the amount is another."""
    before = [*_dump(studios)]
    last = run(studios, "suggest", "anna", "sms")[1].splitlines()[-1]
    assert [*_dump(studios)] == before
    _, *command = shlex.split(last)
    assert run(studios, *command) == (0, "anna: sms is 480\n")
    [after] = suggested(studios, "anna", "sms")
    assert (after["amount"], after["source"]) == (480, "override")


def test_programs_read_the_same(studios: Path) -> None:
    """D09: as JSON, in units; every limit of the account where none is named."""
    found = {each["limit"]: each for each in suggested(studios, "anna")}
    assert [*found] == ["email", "sms", "phone", "push"]
    assert found["email"]["suggested"] is None
    assert found["sms"]["suggested"] == {"by_size": 150, "need": 480, "room": 800, "amount": 480}
    assert found["sms"]["comparable"] == {"n": 3, "average": 150.0}
    assert found["sms"]["load"] == {"own": [200, 400], "whole": [500, 1_000], "share": 0.4}


def test_by_size_is_by_what_the_contract_is_sold_by(tmp_path: Path) -> None:
    """D09: four users get four times what comparable customers use for one."""
    users = {"duo": 2, "team": 4, "solo": 1}
    tenants = {
        name: contract(name, "telephony", f"[packages.unlimited]\nusers = {count}")
        for name, count in users.items()
    }
    config = shipped(tmp_path, tenants)
    used = {("duo", "", OCTOBER): 60_000, ("solo", "", OCTOBER): 30_000, ("team", "", OCTOBER): 1}
    record(config, used, "minutes")
    [found] = suggested(config, "team", "minutes-per-month")
    assert found["size"] == {"number": 4, "of": "users", "packages": "unlimited"}
    assert found["comparable"] == {"n": 2, "average": 300.0}
    assert found["suggested"]["by_size"] == found["suggested"]["amount"] == 1_200


def test_a_location_is_compared_with_locations(tmp_path: Path) -> None:
    """D09: where a limit is counted by location, the busiest one is what is looked at."""
    salons = {
        name: contract(name, "booking", "[packages.standard]\nlocations = 2")
        for name in ("anna", "bert")
    }
    config = shipped(tmp_path, salons)
    used = {
        ("anna", "west", OCTOBER): 1_000,
        ("anna", "east", OCTOBER): 100,
        ("bert", "north", OCTOBER): 300,
        ("bert", "south", OCTOBER): 100,
    }
    record(config, used, "appointments")
    [found] = suggested(config, "anna", "appointments-per-month")
    assert found["load"] == {"own": [1_000], "whole": [1_500], "share": 1_000 / 1_500}
    assert found["comparable"] == {"n": 2, "average": 200.0}
    assert "--location LOCATION" in run(config, "suggest", "anna", "appointments-per-month")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ana"], 'there is no account "ana"; did you mean "anna"?'),
        (
            ["anna", "smss"],
            'no amount can be suggested for "smss" of anna; did you mean "sms"?',
        ),
    ],
)
def test_a_wrong_name_has_its_nearest_match(studios: Path, arguments: list[str], said: str) -> None:
    """What is not there ends with 1, and says what was probably meant."""
    assert run(studios, "suggest", *arguments) == (1, f"{said}\n")


def test_without_a_ledger_nothing_is_suggested(tmp_path: Path) -> None:
    """Who has recorded nothing yet is told so, with 1."""
    config = shipped(tmp_path, {"shop": contract("shop", "hosting", "[packages.shared]")})
    code, output = run(config, "suggest", "shop")
    assert (code, output) == (1, "there is no ledger yet, so nobody's use is recorded\n")


def _dump(config: Path) -> list[str]:
    with closing(sqlite3.connect(config.parent / "fairuse.db")) as connection:
        return [*connection.iterdump()]
