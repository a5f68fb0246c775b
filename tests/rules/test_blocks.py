"""Blocks: of addresses, never of accounts, and always with an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import THEN

from fairuse.base.address import LOCAL_SOCKET, Address, parse_ip, to_address
from fairuse.rules.blocks import EVERY_ACCOUNT, FORGIVEN_AFTER, Block, next_block
from fairuse.rules.policy import Then

ADDRESS, ACCOUNT, RULE = "203.0.113.9", "salon-anna", "burst"
KINDS = ["address", "account, address"]


def _then(block: str = "account, address", length: int = 900, at_most: int = 86_400) -> Then:
    spans = {"for": f"{length} seconds", "at_most": f"{at_most} seconds"}
    return Then.model_validate(THEN | spans | {"block": block})


def _address(text: str) -> Address:
    ip = parse_ip(text)
    assert ip is not None
    return to_address(ip)


def _next(
    then: Then, earlier: Block | None, moment: float, address: Address | None = None
) -> Block:
    return next_block(then, RULE, address or _address(ADDRESS), ACCOUNT, earlier, moment)


def test_the_first_block_is_as_long_as_its_rule_says() -> None:
    """A first block begins at once and runs for its time, the end not included."""
    block = _next(_then(), None, 1_000.0)
    assert block == Block(ADDRESS, ACCOUNT, RULE, 1_000.0, 1_900.0, 0)
    assert [block.runs_at(moment) for moment in (1_000.0, 1_899.9, 1_900.0)] == [True, True, False]


def test_a_block_never_runs_before_it_begins() -> None:
    """F-31: a wall clock that steps back to before a block makes it no longer than it was."""
    block = _next(_then(), None, 1_000.0)
    assert [block.runs_at(moment) for moment in (-1e9, 0.0, 999.9)] == [False] * 3


@pytest.mark.parametrize(
    ("kind", "account"), [("address", EVERY_ACCOUNT), ("account, address", ACCOUNT)]
)
def test_a_block_is_of_an_address(kind: str, account: str) -> None:
    """P3: a block is of an address, for everybody or for one account there, never of an account."""
    block = _next(_then(kind), None, 0.0)
    assert (block.address, block.account) == (ADDRESS, account)


def test_a_block_is_of_a_customer_line() -> None:
    """F-19: a block of an IPv6 address is of its whole /64."""
    block = _next(_then("address"), None, 0.0, _address("2001:db8::1"))
    assert (block.address, block.account) == ("2001:db8::/64", EVERY_ACCOUNT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "address",
    [_address("127.0.0.1"), _address("::ffff:127.0.0.2"), _address("::1"), LOCAL_SOCKET],
    ids=str,
)
def test_a_local_address_is_never_blocked_for_everybody(address: Address, kind: str) -> None:
    """P9: this machine's own address may be a proxy for all, so one account there is blocked."""
    block = _next(_then(kind), None, 0.0, address)
    assert (block.address, block.account) == (address.bucket, ACCOUNT)
    assert block.ends_at == 900.0


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
    st.sampled_from(KINDS),
    st.booleans(),
)
def test_every_block_ends(
    length: int, more: int, repetition: int | None, moment: float, kind: str, local: bool
) -> None:
    """P3, P6, P9, A32 (blocks): any block is of an address and ends, in its longest time."""
    address = Address(ADDRESS, ADDRESS, local)
    earlier = (
        None
        if repetition is None
        else Block(ADDRESS, ACCOUNT, RULE, moment - 1, moment, repetition)
    )
    block = _next(_then(kind, length, length + more), earlier, moment, address)
    assert block.address == ADDRESS
    assert (block.account == EVERY_ACCOUNT) == (kind == "address" and not local)
    assert block.starts_at == moment
    assert moment < block.ends_at <= moment + (length + more)
    assert not block.runs_at(block.ends_at)
    assert not block.runs_at(block.starts_at - 1)
