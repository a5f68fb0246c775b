"""What is not wrong and deserves a second look: parts of a unit, and limits nobody can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.rules.support import DOCUMENTS, PAGES, agreement, at_most

from fairuse.rules.cohorts import CohortKey
from fairuse.rules.problems import cohorts_of, warnings

if TYPE_CHECKING:
    from fairuse.rules.agreed import Agreement


def _warned(agreed: Agreement, others: int = 0) -> list[str]:
    """Give the warnings of an account among others like it."""
    cohorts = cohorts_of([agreed])
    for cohort in cohorts.values():
        cohort.update({f"a{number}": cohort["salon"] for number in range(others)})
    return [f"{key}: {message}" for key, message in warnings(agreed, cohorts)]


PARTS = {250: "0.25", 1: "0.001", 999: "0.999", 1_000: "", 0: ""}


@pytest.mark.parametrize(("included", "part"), PARTS.items(), ids=map(str, PARTS))
def test_a_percentage_below_one_is_pointed_out(included: int, part: str) -> None:
    """E17, E (ambiguity 1): 0.1% of 250 pages is none a minute; it is taken as 1, and said so."""
    limits = {"a": at_most(included), "b": at_most("0.1% of a")}
    where = "limits.b of policy booking: comes to"
    expected = [f"{where} {part} pages; it is taken as 1"] if part else []
    assert _warned(agreement(DOCUMENTS | {"limits": limits})) == expected
    exact = {"pages": PAGES | {"decimals": 3}}
    assert _warned(agreement(DOCUMENTS | {"limits": limits, "meters": exact})) == []


def test_an_amount_out_of_reach_is_pointed_out() -> None:
    """C07 (check warns): five times a mean of five, itself included, is more than anybody uses."""
    meters = {"pages": PAGES | {"average": {"at_least": 2}}}
    agreed = agreement(DOCUMENTS | {"meters": meters, "limits": {"a": at_most("5 * average")}})
    message = "can't be reached: what the account uses lifts the average of its cohort of"
    found = f"limits.a of policy booking: {message} 5, itself included"
    assert _warned(agreed, others=4) == [found]
    assert _warned(agreed, others=5) == []
    assert _warned(agreed) == []


def test_cohorts_are_of_the_same_package() -> None:
    """C05, B22: who holds the same packages is together, with the users it brings; none, not."""
    meters = {"pages": PAGES | {"average": {"per": "users"}}}
    rules = DOCUMENTS | {"meters": meters}
    one, other, none = (
        agreement(rules, packages={name: {"users": users}})
        for name, users in (("advanced", 3), ("standard", 2), ("standard", 0))
    )
    assert cohorts_of([one, other, none]) == {
        CohortKey("booking", "advanced", "pages"): {"salon": 3},
        CohortKey("booking", "standard", "pages"): {"salon": 2},
    }
