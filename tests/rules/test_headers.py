"""RateLimit fields and Retry-After, as clients read them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.headers import (
    policy_header,
    policy_item,
    retry_after,
    state_figures,
    state_form,
    state_header,
)

NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
POLICY = re.compile(r'"(?P<name>[a-z0-9-]+)";q=(?P<amount>\d+);w=(?P<seconds>\d+)')
STATE = re.compile(r'"(?P<name>[a-z0-9-]+)";r=(?P<left>\d+);t=(?P<seconds>\d+)')


def test_the_items_of_a_limit() -> None:
    """Each hard limit is an item of both fields: what is agreed, and what remains."""
    assert policy_item("burst", 60, 60) == '"burst";q=60;w=60'
    figures = [*state_figures(12, 40.1), *state_figures(-3, 0.0)]
    shown = state_header(state_form(["burst", "per-day"]), figures)
    assert shown == (b"ratelimit", b'"burst";r=12;t=41, "per-day";r=0;t=0')
    assert policy_header(["a", "b"]) == (b"ratelimit-policy", b"a, b")


@given(NAMES, st.integers(0, 2**53), st.integers(1, 2**40))
def test_what_is_agreed_is_an_item(name: str, amount: int, seconds: int) -> None:
    """F-29 (as agreed): the policy is an Item of RFC 9651, with the amount and the window."""
    item = POLICY.fullmatch(policy_item(name, amount, seconds))
    assert item is not None
    assert item.groups() == (name, str(amount), str(seconds))


@given(NAMES, st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9))
def test_what_remains_is_an_item(name: str, remaining: int, resets_in: float) -> None:
    """F-29 (never more than granted): no item has a negative number or more than remains."""
    _, shown = state_header(state_form([name]), state_figures(remaining, resets_in))
    item = STATE.fullmatch(shown.decode())
    assert item is not None
    seconds = math.ceil(max(0.0, resets_in))
    assert item.groups() == (name, str(max(0, remaining)), str(seconds))


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
