"""Whose overload it was: shares, who stands out, and what counts as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.attribution import (
    KNOWN_AFTER_SECONDS,
    Incident,
    Usual,
    fair_share,
    incidents,
    shares,
    stands_out,
)
from fairuse.rules.overload import Overload

if TYPE_CHECKING:
    from collections.abc import Mapping

RULES = Overload()
NOW = 1_000_000_000.0
LONG_AGO = NOW - KNOWN_AFTER_SECONDS
ACCOUNTS = st.dictionaries(st.text("abc", min_size=1), st.integers(0, 10**9), max_size=9)


def whose(busy: Mapping[str, int], usual: Usual) -> str | None:
    """Name the account whose overload it was."""
    found = shares(busy, most=1)
    meant = [top.account for top in found if stands_out(top, busy, usual, RULES, NOW)]
    return meant[0] if meant else None


CASES = {
    "grew tenfold": ({"salon": 900, "others": 90}, Usual(90, 180, LONG_AGO), "salon"),
    "is new": ({"salon": 900, "others": 90}, Usual(0, 180, LONG_AGO), "salon"),
    "three times its use (A03)": ({"salon": 270, "others": 90}, Usual(90, 180, LONG_AGO), None),
    "all grew alike (A03)": ({"salon": 900, "others": 90}, Usual(100, 110, LONG_AGO), None),
    "is large as ever": ({"salon": 95, "others": 5}, Usual(95, 100, LONG_AGO), None),
    "has half of it": ({"salon": 50, "others": 50}, Usual(1, 100, LONG_AGO), None),
    "the only one there is": ({"salon": 900}, Usual(90, 90, LONG_AGO), None),
    "nothing is known": ({"salon": 900, "others": 90}, Usual(0, 0, NOW), None),
    "known for too short": ({"salon": 900, "o": 9}, Usual(1, 99, LONG_AGO + 1), None),
    "no load": ({}, Usual(1, 99, LONG_AGO), None),
}


@pytest.mark.parametrize(("busy", "usual", "expected"), CASES.values(), ids=CASES)
def test_who_stands_out(busy: dict[str, int], usual: Usual, expected: str | None) -> None:
    """A12, A03: who had most of the load, and far more of it than usual; nobody else."""
    assert whose(busy, usual) == expected


@given(busy=ACCOUNTS, most=st.integers(1, 9))
def test_shares_are_parts_of_one(busy: dict[str, int], most: int) -> None:
    """Shares sum to at most 100 %, and the largest come first."""
    found = shares(busy, most)
    assert sum(share.per_cent for share in found) <= 100
    assert len(found) <= most
    assert [share.per_cent for share in found] == sorted(
        (share.per_cent for share in found), reverse=True
    )


@given(busy=ACCOUNTS, own=st.integers(0, 10**6), others=st.integers(0, 10**6))
def test_who_has_no_more_than_the_rest_never_stands_out(
    busy: dict[str, int], own: int, others: int
) -> None:
    """A12: where another has as much nobody is meant, whatever they used before."""
    twins = busy | dict.fromkeys(("one", "another"), max(busy.values(), default=1))
    assert whose(twins, Usual(own, own + others, LONG_AGO)) is None


@given(before=ACCOUNTS, times=st.integers(1, 1_000))
def test_who_grew_as_the_others_did_never_stands_out(before: dict[str, int], times: int) -> None:
    """A03: where all use as many times more as before nobody is meant, however much that is."""
    busy = {account: used * times for account, used in before.items()}
    own = max(before.values(), default=0)
    assert whose(busy, Usual(own, sum(before.values()), LONG_AGO)) is None


def test_what_several_nodes_saw_is_one_incident() -> None:
    """A12: spans that overlap, or lie less than an hour apart, count once."""
    first, second = Incident(0, 60, 70), Incident(30, 90, 80)
    soon, later = Incident(3_689, 3_700, 60), Incident(7_300, 7_400, 90)
    assert incidents([later, second, first, soon]) == [Incident(0, 3_700, 80), later]


@given(capacity=st.integers(1, 10**6), accounts=st.integers(0, 10**6))
def test_a_fair_share_leaves_room_for_one(capacity: int, accounts: int) -> None:
    """A31, P3: whoever is throttled may go on with one request at least."""
    assert 1 <= fair_share(capacity, accounts) <= capacity
