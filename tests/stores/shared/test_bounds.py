"""F-27: the numbers that can be counted: from 0 to 2^53 - 1, which a double still has exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.support import count
from tests.stores.shared_store import SharedStore
from tests.stores.support import MemoryStore, claim, limit, refused, settled, take, taken, used
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.rules.amounts import MAX_AMOUNT, parse_units
from fairuse.stores.protocol import Exceeded, Outcome, Receipt

if TYPE_CHECKING:
    from tests.redis_servers import RedisServer
    from tests.stores.shared.support import Pair

    from fairuse.rules.terms import LimitTerms

pytestmark = REDIS_MARKS

HOUR = limit("all", MAX_AMOUNT, "1 hour")
DAILY = limit("all", MAX_AMOUNT, "calendar day")
SOFT = limit("soft", MAX_AMOUNT - 1, "calendar day", over="case")
THREE = limit("three", 3, "1 hour")
WINDOWS = pytest.mark.parametrize("terms", [HOUR, DAILY], ids=["rolling", "calendar"])


@pytest.mark.parametrize(
    "units", [-1, "-1", 10**18, "1e18", MAX_AMOUNT + 1, float("nan"), float("inf"), Decimal("NaN")]
)
def test_no_such_number_comes_in(units: object) -> None:
    """F-27: negative, no number, or more than can be counted: refused before any store is asked."""
    with pytest.raises(ValueError, match="no number of units"):
        parse_units(units, 0)


def test_what_costs_nothing_takes_nothing(pair: Pair, clock: ManualClock) -> None:
    """F-27: a cost of 0 fits where all is used, is open, settled and given back, and is nothing."""
    one, other = pair
    free = taken(one, clock, claim(THREE, clock.wall, 0))
    assert sum(used(other, clock).values()) == 0
    count(other, clock, claim(THREE, clock.wall, 3))
    for store in pair:
        count(store, clock, claim(THREE, clock.wall, 0))
    one.settle(free, Outcome.ACCEPTED, {}, clock.now())
    assert used(one, clock) == used(other, clock) == {"three": 3}
    assert isinstance(take(one, clock, claim(THREE, clock.wall)), Exceeded)


@WINDOWS
def test_the_last_units_are_exact(pair: Pair, clock: ManualClock, terms: LimitTerms) -> None:
    """F-27: next to 2^53 a unit is a unit."""
    one, other = pair
    count(one, clock, claim(terms, clock.wall, MAX_AMOUNT - 3))
    for left in (2, 1, 0):
        taken(other, clock, claim(terms, clock.wall))
        assert used(one, clock) == {"all": MAX_AMOUNT - left}
    for store in pair:
        assert refused(store, clock, claim(terms, clock.wall))[1] == MAX_AMOUNT


@WINDOWS
def test_more_than_can_be_counted_is_held_at_the_most(
    pair: Pair, clock: ManualClock, terms: LimitTerms
) -> None:
    """F-27: a sum beyond 2^53 - 1 stays there, is refused and read, and is over with its window."""
    one, other = pair
    for store in (one, other, one):
        now = clock.now()
        store.record("anna", claim(terms, now.wall, MAX_AMOUNT), now.wall, now)
        assert settled(other, clock) == {"all": MAX_AMOUNT}
        assert isinstance(take(store, clock, claim(terms, now.wall)), Exceeded)
    clock.advance(86_400)
    taken(one, clock, claim(terms, clock.wall, MAX_AMOUNT))
    assert used(other, clock) == {"all": MAX_AMOUNT}


def test_more_than_can_be_counted_is_open(pair: Pair, clock: ManualClock) -> None:
    """F-27: requests that hold more than can be counted, all together, stop nobody."""
    one, other = pair
    receipts = [taken(one, clock, claim(SOFT, clock.wall, MAX_AMOUNT)) for _ in range(3)]
    assert used(one, clock)["soft"] >= MAX_AMOUNT
    assert used(other, clock)["soft"] >= MAX_AMOUNT
    crossings = [one.settle(each, Outcome.ACCEPTED, {}, clock.now()) for each in receipts]
    assert [crossing.reading for told in crossings for crossing in told] == [MAX_AMOUNT]
    assert settled(other, clock) == used(other, clock) == {"soft": MAX_AMOUNT}


COSTS = st.integers(0, 5) | st.integers(MAX_AMOUNT - 5, MAX_AMOUNT) | st.integers(0, MAX_AMOUNT)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "relaxed"])
@WINDOWS
@settings(max_examples=40)
@given(costs=st.lists(st.tuples(COSTS, st.booleans()), max_size=8))
def test_large_numbers_are_counted_as_in_memory(
    server: RedisServer, terms: LimitTerms, costs: list[tuple[int, bool]], *, strict: bool
) -> None:
    """F-27: the script's doubles let in, refuse and count what Python's integers do."""
    clock = ManualClock(NOON)
    with SharedStore(server.url, strict=strict) as shared, MemoryStore() as memory:
        for cost, accepted in costs:
            outcome = Outcome.ACCEPTED if accepted else Outcome.REFUSED
            said = []
            for store in (shared, memory):
                decision = take(store, clock, claim(terms, clock.wall, cost))
                said.append(decision.used if isinstance(decision, Exceeded) else None)
                if isinstance(decision, Receipt):
                    store.settle(decision, outcome, {}, clock.now())
            assert said[0] == said[1]
            sums = [sum(used(store, clock).values()) for store in (shared, memory)]
            assert sums[0] == sums[1]
            clock.advance(60)
