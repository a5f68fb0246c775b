"""Blocks: of addresses, never of accounts, and always with an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import THEN

from fairuse.rules.blocks import EVERY_ACCOUNT, FORGIVEN_AFTER, Block, next_block
from fairuse.rules.policy import Then

ADDRESS, ACCOUNT, RULE = "203.0.113.9", "salon-anna", "burst"


def _then(block: str = "account, address", length: int = 900, at_most: int = 86_400) -> Then:
    spans = {"for": f"{length} seconds", "at_most": f"{at_most} seconds"}
    return Then.model_validate(THEN | spans | {"block": block})


def _next(then: Then, earlier: Block | None, moment: float) -> Block:
    return next_block(then, RULE, ADDRESS, ACCOUNT, earlier, moment)


def test_the_first_block_is_as_long_as_its_rule_says() -> None:
    """A first block begins at once and runs for its time, the end not included."""
    block = _next(_then(), None, 1_000.0)
    assert block == Block(ADDRESS, ACCOUNT, RULE, 1_000.0, 1_900.0, 0)
    assert [block.runs_at(moment) for moment in (1_000.0, 1_899.9, 1_900.0)] == [True, True, False]


@pytest.mark.parametrize(
    ("kind", "account"), [("address", EVERY_ACCOUNT), ("account, address", ACCOUNT)]
)
def test_a_block_is_of_an_address(kind: str, account: str) -> None:
    """P3: a block is of an address, for everybody or for one account there, never of an account."""
    block = _next(_then(kind), None, 0.0)
    assert (block.address, block.account) == (ADDRESS, account)


def test_a_block_doubles_each_time() -> None:
    """A block that comes back is twice as long each time, up to its longest."""
    block, lengths = None, []
    for _ in range(9):
        block = _next(_then(), block, block.ends_at if block else 0.0)
        lengths.append((block.ends_at - block.starts_at) / 900)
    assert lengths == [1, 2, 4, 8, 16, 32, 64, 96, 96]
    assert block is not None
    assert block.repetition == 8


@pytest.mark.parametrize(("after", "repetition"), [(0, 4), (FORGIVEN_AFTER - 1, 4), (86_400, 0)])
def test_a_day_without_a_block_forgives(after: int, repetition: int) -> None:
    """P6: a day after the last block's end the next one is short again."""
    earlier = Block(ADDRESS, ACCOUNT, RULE, 0.0, 1_000.0, 3)
    assert _next(_then(), earlier, earlier.ends_at + after).repetition == repetition


@given(
    st.integers(1, 10**6),
    st.integers(0, 10**6),
    st.none() | st.integers(0, 10**9),
    st.floats(0, 5e9),
    st.sampled_from(["address", "account, address"]),
)
def test_every_block_ends(
    length: int, more: int, repetition: int | None, moment: float, kind: str
) -> None:
    """P3, P6, A32 (blocks): any block is of an address and ends, its longest time at the latest."""
    earlier = (
        None
        if repetition is None
        else Block(ADDRESS, ACCOUNT, RULE, moment - 1, moment, repetition)
    )
    block = _next(_then(kind, length, length + more), earlier, moment)
    assert block.address == ADDRESS
    assert block.starts_at == moment
    assert moment < block.ends_at <= moment + (length + more)
    assert not block.runs_at(block.ends_at)
