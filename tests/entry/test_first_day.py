"""The commands in a fresh folder, before any gateway ran: each says so, and leaves it as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fairuse.entry.cli import app

if TYPE_CHECKING:
    from pathlib import Path

WRITES = {
    "approve": ["1"],
    "reject": ["1"],
    "close": ["1"],
    "extend": ["1", "--for", "7 days", "--reason", "x"],
    "open": ["salon", "reselling", "--reason", "x"],
    "cost": ["1", "EUR 5.00", "--for", "x"],
    "waive": ["1", "all", "--reason", "x"],
    "propose": ["1", "degrade", "--route", "GET /x", "--until", "7 days"],
    "override": ["salon", "appointments-per-month", "8000", "--reason", "x"],
    "topup": ["salon", "appointments-per-month", "5", "--key", "a"],
    "forgive": ["salon", "appointments-per-month", "--reason", "x"],
    "resend": ["1"],
    "done": ["1"],
}
READS = {
    "cases": ([], "there are no cases"),
    "notices": ([], "nothing waits to be delivered"),
    "verify": ([], "nothing is proven, for there is no ledger yet"),
    "snapshot": ([], "0 snapshots"),
    "usage": (["salon"], "appointments-per-month: 0 of 5,000"),
}


def run(config: Path, command: str, *arguments: str) -> tuple[int, str]:
    """Run a command, and give its exit code and everything it said."""
    result = CliRunner().invoke(app, [command, *arguments, "--config", str(config)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.mark.parametrize("command", WRITES)
def test_what_needs_a_ledger_says_that_there_is_none(config: Path, command: str) -> None:
    """Nothing can be decided before a gateway ran: it is said in a sentence, with 1.

    No empty ledger is left behind, which every later command would stumble over.
    """
    code, output = run(config, command, *WRITES[command])
    assert code == 1
    assert output.startswith("there is no ledger ")
    assert output.endswith("yet; starting the gateway makes it\n")
    assert not (config.parent / "fairuse.db").exists()


@pytest.mark.parametrize("command", READS)
def test_what_only_reads_shows_that_there_is_nothing(config: Path, command: str) -> None:
    """Lists are empty, and end with 0; no ledger is made by looking for one."""
    arguments, said = READS[command]
    code, output = run(config, command, *arguments)
    assert code == 0
    assert said in output
    assert not (config.parent / "fairuse.db").exists()


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("cases", ["--account", "salonn"], 'there is no account "salonn"; did you mean "salon"?'),
        ("propose", ["1", "degrad"], '"degrad" is nothing that can be proposed'),
    ],
)
def test_a_wrong_name_is_said_with_the_nearest(
    config: Path, command: str, arguments: list[str], said: str
) -> None:
    """A name that is not there is not passed over in silence."""
    code, output = run(config, command, *arguments)
    assert code in {1, 2}
    assert said in output
