"""Every decider decides, and its rounds come to a ratio."""

import asyncio

import pytest
from bench.deciders import Decider

from bench import deciders, decision, growth


async def ask(decider: Decider, keys: int) -> None:
    """Ask twice about each key."""
    names = [f"account-{number}" for number in range(keys)]
    try:
        await decision.decide_all(decider, names)
        await decision.decide_all(decider, names)
    finally:
        if decider.close is not None:
            await decider.close()


@pytest.mark.parametrize("name", decision.CONTENDERS)
def test_every_decider_lets_all_in(name: str) -> None:
    """Six limits that are never reached refuse nothing: a refusal would be an error."""
    asyncio.run(ask(decision.CONTENDERS[name].make(3), 3))


@pytest.mark.parametrize("limits", growth.WINDOWS)
@pytest.mark.parametrize("name", growth.CONTENDERS)
def test_every_store_takes_one_limit_and_six(name: str, limits: int) -> None:
    """The same deciders have as many limits as they are told."""
    windows = growth.WINDOWS[limits]
    assert len(windows) == limits
    asyncio.run(ask(growth.CONTENDERS[name](3, windows), 3))


def test_nothing_is_no_decision() -> None:
    """What is taken off every figure is a call that does nothing."""
    assert deciders.nothing().decide("account-0") is None


def test_deciders_are_compared_by_their_medians() -> None:
    """Ratios are to fairuse, with settling and without."""
    rows = decision.summary(
        {
            decision.BASE: [4.0, 4.0, 40.0],
            decision.RESERVED: [2.0, 2.0, 2.0],
            "limits": [80.0, 8.0, 12.0],
        }
    )
    assert rows[2] == {
        "decider": "limits",
        "microseconds": 12.0,
        "ratio_to_fairuse": 3.0,
        "ratio_to_reserved": 6.0,
        "rounds": [80.0, 8.0, 12.0],
    }
    assert {column.field for column in decision.COLUMNS} <= set(rows[0])


def test_memory_is_compared_by_the_number_of_limits() -> None:
    """One limit is compared with one limit, and six with six."""
    rows = growth.summary({growth.BASE: {1: 100.0, 6: 200.0}, "limits": {1: 300.0, 6: 2_000.0}})
    assert rows[1] == {
        "store": "limits",
        "one_limit_bytes": 300.0,
        "one_limit_ratio": 3.0,
        "six_limits_bytes": 2_000.0,
        "six_limits_ratio": 10.0,
    }
    assert {column.field for column in growth.COLUMNS} <= set(rows[0])
