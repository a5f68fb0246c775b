"""Where so many used units stand against an amount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.standing import standing

CASES = [
    (0, 5_000, "within"), (3_999, 5_000, "within"), (4_000, 5_000, "warning"),
    (5_000, 5_000, "warning"), (5_001, 5_000, "excessive"), (0, 0, "within"), (1, 0, "excessive"),
]  # fmt: skip


@pytest.mark.parametrize(("used", "amount", "expected"), CASES)
def test_the_standing_of_a_tally(used: int, amount: int, expected: str) -> None:
    """A05 (strictly over), A06 (a state of its own): unit 5,000 isn't excessive, 5,001 is."""
    assert standing(used, amount) == expected


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_excessive_means_over(used: int, amount: int) -> None:
    """A05 (strictly over): a tally is excessive exactly when it is over its amount."""
    assert (standing(used, amount) == "excessive") == (used > amount)
