"""What docs/fair-process.md says of the ladder is what the ladder does."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from tests.docs.ladder import allowed_on, decided_by_people, row_of
from tests.support import REPOSITORY

from fairuse.rules.choices import CHOSEN
from fairuse.rules.ladder import LADDER, Happening, State
from fairuse.rules.process import Action, Trigger

PAGE = (REPOSITORY / "docs/fair-process.md").read_text()
REFERENCE = (REPOSITORY / "docs/configuration.md").read_text()
LEDGER = REPOSITORY / "tests/scenarios/ledgers/booking_accepted.txt"


def table(page: str, head: str) -> list[str]:
    """Give the rows of the table with a heading."""
    return page.split(f"{head}\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]


def first_cells(rows: list[str]) -> list[str]:
    """Give what stands in backticks in the first cells."""
    return [name for row in rows for name in re.findall(r"`(.*?)`", row.split(" | ")[0])]


def test_every_state_and_what_leads_on_is_described() -> None:
    """The table of states is the ladder, with each state once."""
    head = "| state | a case is here while | takes steps on | what happens leads to |"
    rows = table(PAGE, head)
    assert first_cells(rows) == [*LADDER] == [*get_args(State)]
    for state, row in zip(LADDER, rows, strict=True):
        assert row.endswith(row_of(state)), f"the row of {state} must end with {row_of(state)}"


def test_everything_that_happens_is_described() -> None:
    """What can happen to a case is in the table, each once."""
    described = first_cells(table(PAGE, "| what happens | because |"))
    assert sorted(described) == sorted(get_args(Happening))


def test_every_choice_is_described() -> None:
    """What a customer can choose is in the table, each once."""
    assert first_cells(table(PAGE, "| chosen | comes to |")) == [*CHOSEN]


@pytest.mark.parametrize("trigger", [each for each in get_args(Trigger) if each != "over"])
def test_what_a_step_may_do_is_described(trigger: Trigger) -> None:
    """What may come at each point is in the reference."""
    [row] = [
        row for row in table(REFERENCE, "| `on` | when | `do` may be |") if f"`{trigger}`" in row
    ]
    assert row.endswith(f"| {allowed_on(trigger)} |")


def test_every_action_is_described() -> None:
    """What a step can do is in the reference, each once; and what needs a person, always."""
    assert sorted(first_cells(table(REFERENCE, "| `do` | does |"))) == sorted(get_args(Action))
    assert f"{decided_by_people()} always wait." in PAGE


def test_the_example_is_what_the_scenario_proves() -> None:
    """The example is the ledger that a scenario compares with, line by line."""
    rows = [row.split(" | ") for row in table(PAGE, "| time | record | what it says |")]
    shown = [(row[0].removeprefix("| "), row[1].strip("`")) for row in rows]
    lines = LEDGER.read_text().splitlines()
    assert shown == [(line[:16], line.split()[3]) for line in lines]
    [charge] = [line for line in lines if "charge.made" in line]
    assert "amount 55.00, units 1100, basis notice, currency EUR" in charge
    assert "6,500 − max(5,000, 5,400) = 1,100 appointments, at EUR 0.05 each: EUR 55.00" in PAGE  # noqa: RUF001
