"""Ways through the ladder that a case once did not come out of, on a real ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.model.ladders import TARIFF, shipped
from tests.model.office import Office

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = 86_400
CHARGED = {"on": "accepted", "do": "charge", "tariff": TARIFF, "approval": "operator"}
BOUGHT = {"grace": "14 days", "offer": ["accept charges", "extra capacity"], "steps": [CHARGED]}


@pytest.fixture
def told() -> Iterator[Callable[[dict[str, Any]], Office]]:
    """Begin under a ladder, with a case of which the customer was told."""
    offices = []

    def begun(ladder: dict[str, Any]) -> Office:
        offices.append(Office(ladder))
        offices[-1].use(150)
        offices[-1].deliver()
        offices[-1].clock.advance(3_600)  # what is used in the hour of the notice is free
        offices[-1].use(20)
        return offices[-1]

    yield begun
    for office in offices:
        office.close()


def pick(office: Office, option: str) -> None:
    """Have the customer choose."""
    office.choose(*next(each for each in office.choices() if each[1] == option))


def states(office: Office) -> list[str]:
    """Give the states of the cases that are not closed."""
    return [case.state for case in office.cases()]


def test_use_that_did_not_last_long_enough_for_a_step_is_resolved(
    told: Callable[[dict[str, Any]], Office],
) -> None:
    """C19: one month of two, and no answer: nothing is charged, and the case does not stay."""
    office = told(shipped()["hosting"])
    for _ in range(4):
        office.clock.advance(16 * DAY)
        office.work()
    assert states(office) == []
    assert office.verify().charges == []


def test_who_agreed_to_charges_that_a_new_policy_does_not_know_pays_nothing(
    told: Callable[[dict[str, Any]], Office],
) -> None:
    """P7: the case ends with its window; it does not wait for a step that never comes."""
    office = told(shipped()["booking"])
    pick(office, "accept charges")
    office.change_policy(shipped()["hosting"])
    office.clock.advance(40 * DAY)
    office.work()
    assert states(office) == []
    assert office.verify().charges == []


def test_what_is_proposed_is_the_operators_to_decide(
    told: Callable[[dict[str, Any]], Office],
) -> None:
    """P8, A18: nothing can be chosen any more, and what is approved is charged once."""
    office = told(BOUGHT)
    pick(office, "accept charges")
    office.clock.advance(40 * DAY)
    office.work()
    assert (states(office), [*office.choices()]) == (["proposed"], [])
    office.decide(office.cases()[0], "approved")
    assert (states(office), office.live_measures()) == ([], [])
    assert len(office.verify().charges) == 1
