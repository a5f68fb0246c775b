"""RateLimit fields and Retry-After, as clients read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.headers import HardLimit, rate_limit_headers, retry_after

LIMITS = st.builds(
    HardLimit,
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
    st.integers(0, 2**53),
    st.integers(-(2**53), 2**53),
    st.integers(1, 2**40),
    st.floats(-1e9, 1e9),
)
ITEM = re.compile(r'"[a-z0-9-]+";(?:q=\d+;w=\d+|r=\d+;t=\d+)')


def test_the_fields_of_two_limits() -> None:
    """Each hard limit is an item of both fields: what is agreed, and what remains."""
    limits = [HardLimit("burst", 60, 12, 60, 40.1), HardLimit("per-day", 500, -3, 86_400, 0.0)]
    assert rate_limit_headers(limits) == [
        (b"ratelimit-policy", b'"burst";q=60;w=60, "per-day";q=500;w=86400'),
        (b"ratelimit", b'"burst";r=12;t=41, "per-day";r=0;t=0'),
    ]


def test_no_hard_limit_shows_nothing() -> None:
    """Where no hard limit applies there are no fields."""
    assert rate_limit_headers([]) == []


@given(st.lists(LIMITS, min_size=1, max_size=4))
def test_the_fields_are_lists_of_items(limits: list[HardLimit]) -> None:
    """F-29 (never more than granted): no field has a negative number or more than remains."""
    for (_, value), numbers in zip(
        rate_limit_headers(limits),
        ([limit.amount for limit in limits], [max(0, limit.remaining) for limit in limits]),
        strict=True,
    ):
        items = value.decode("ascii").split(", ")
        assert all(ITEM.fullmatch(item) for item in items)
        assert [int(re.split("[=;]", item)[2]) for item in items] == numbers


SECONDS = {0.0: 1, -5.0: 1, 0.001: 1, 1.0: 1, 1.001: 2, 59.5: 60, 3_600.0: 3_600}


@pytest.mark.parametrize(("seconds", "written"), SECONDS.items())
def test_retry_after_is_rounded_up(seconds: float, written: int) -> None:
    """HTTP-49 (Retry-After): whole seconds, never before the time, and at least 1."""
    assert retry_after(seconds) == (b"retry-after", str(written).encode())


@given(st.floats(-1e9, 1e9))
def test_retry_after_is_never_early(seconds: float) -> None:
    """HTTP-49, E18 (Retry-After): who waits as told is not early, and waits a second at least."""
    told = int(retry_after(seconds)[1])
    assert told >= max(1, seconds)
    assert told < max(seconds, 0) + 1 or told == 1
