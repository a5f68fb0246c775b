"""Claims: what is asked of a limit, and what they say of their hard limits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.stores.support import claim, limit
from tests.support import NOON

from fairuse.rules.claims import Claims
from fairuse.rules.units import Unit
from fairuse.rules.windows import Span

DAY = 86_400
MINUTE = limit("minute", 60)
MONTH = limit("month", 5_000, "calendar month")
SOFT = limit("soft", 5_000, "calendar month", over="case")
FULL = limit("full", 10, "always", measure="gauge")


def test_a_claim_knows_the_length_of_its_window() -> None:
    """F-29 (the window): a rolling one is as long as it says, November has 30 days, and none 0."""
    assert [claim(terms, NOON).window_seconds for terms in (MINUTE, MONTH, FULL)] == [
        60,
        30 * DAY,
        0,
    ]


@pytest.mark.parametrize("refusable", [True, False])
def test_a_hard_limit_refuses_what_can_be_refused(*, refusable: bool) -> None:
    """P4, E27: a soft limit never refuses, and no limit refuses what only lowers a level."""
    assert claim(MINUTE, NOON, refusable=refusable).hard == refusable
    assert not claim(SOFT, NOON, refusable=refusable).hard


@pytest.mark.parametrize("refusable", [True, False])
def test_the_same_claim_for_other_units_keeps_the_rest(*, refusable: bool) -> None:
    """B08: what is asked later on is asked of the same limit, amount and member, in its window."""
    known = claim(MONTH, NOON, 7, place="x", member="anna", refusable=refusable)
    known.counter = counter = object()
    other = known.but(cost=0, span=Span(0, DAY))
    assert (other.cost, other.span, other.window_seconds) == (0, (0, DAY), DAY)
    for name in ("limit", "scope", "amount", "member", "hard"):
        assert getattr(other, name) == getattr(known, name)
    assert other.counter is counter
    assert (known.cost, known.window_seconds) == (7, 30 * DAY)


def test_what_is_agreed_of_the_hard_limits() -> None:
    """P4, F-29: the policy names each hard limit that has a window once, and no soft one."""
    claims = Claims([claim(each, NOON) for each in (MINUTE, SOFT, FULL, MONTH)], NOON, NOON)
    agreed = f'"minute";q=60;w=60, "month";q=5000;w={30 * DAY}'
    assert claims.policy == (b"ratelimit-policy", agreed.encode())
    assert claims.state == b'"minute";r=%d;t=%d, "month";r=%d;t=%d'
    assert claims.policy is claims.policy
    assert Claims([claim(SOFT, NOON)], NOON, NOON).policy is None
    assert Claims([], NOON, NOON).policy is None


def test_parts_of_a_unit_are_shown_as_whole_ones() -> None:
    """F-29 (never more than granted): of 2.57 units 2 are shown, and of 0.99 none."""
    hundredths = replace(MINUTE, unit=Unit("unit", "units", 2))
    [shown] = [claim(replace(hundredths, timeline=limit("m", 257).timeline), NOON)]
    assert shown.one == 100
    assert Claims([shown]).policy == (b"ratelimit-policy", b'"minute";q=2;w=60')
    assert claim(MINUTE, NOON).one == 1


def test_a_claim_says_what_it_asks() -> None:
    """A claim in a log or a failed test can be told from another."""
    assert (
        repr(claim(MINUTE, NOON, 3, place="x")) == "Claim('minute', (('location', 'x'),), 3 of 60)"
    )
