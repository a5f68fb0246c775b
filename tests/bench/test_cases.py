"""The pass over all accounts is measured with everybody told who has to be, and comes to ratios."""

from __future__ import annotations

import asyncio

import pytest

from bench import cases


def test_a_pass_over_few_accounts() -> None:
    """A hundredth of the accounts is warned and a hundredth has a case, or there is no figure."""
    found = asyncio.run(cases.measure(200, 0.1))
    assert (found["accounts"], found["cases"], found["warned"]) == (200, 2, 2)
    assert {
        name for name, value in found.items() if isinstance(value, float) and value < 0
    } == set()


def test_the_ratio_is_of_one_account() -> None:
    """Ten times the accounts in ten times the time are a ratio of one; more than that is more."""
    small = {"accounts": 1_000, "seconds": 0.1, "case_seconds": 0.1}
    large = {"accounts": 10_000, "seconds": 1.0, "case_seconds": 2.0}
    rows = cases.summary([small, large])
    assert [row["microseconds"] for row in rows] == [200.0, 300.0]
    assert [row["ratio"] for row in rows] == pytest.approx([1.0, 1.5])
