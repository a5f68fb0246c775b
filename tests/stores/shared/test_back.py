"""S19, F-38: the store is back after an outage, and hears of what was counted without it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.support import TURN, count
from tests.stores.support import claim, limit, settled, take, taken, used

from fairuse.stores.protocol import Outcome, Receipt

if TYPE_CHECKING:
    from tests.stores.shared.support import Opens, Pair
    from tests.stores.shared_store import SharedStore

    from fairuse.base.clock import ManualClock
    from fairuse.rules.policy import StoreAway as Rule
    from fairuse.rules.terms import LimitTerms

pytestmark = REDIS_MARKS

TEN = limit("ten", 10, "1 minute")
DAILY = limit("daily", 10, "calendar day")
SOFT = limit("soft", 1, "calendar day", over="case")
SEATS = limit("seats", 5, "calendar day", over="deny user", measure="users")
STORED = limit("stored", 100, "always", measure="gauge")
AT_ONCE = limit("at-once", 3, "always", measure="in flight")
SECONDS = limit("seconds", 100, "calendar day", measure="seconds open")
FLOWS = pytest.mark.parametrize("terms", [TEN, DAILY], ids=["rolling", "calendar"])


def alone(store: SharedStore, clock: ManualClock, terms: LimitTerms, cost: int = 1) -> None:
    """Use units that fit, while nobody hears of it."""
    receipt = taken(store, clock, claim(terms, clock.wall, cost))
    store.shared.settle(receipt, Outcome.ACCEPTED, {}, clock.now())


def told(store: SharedStore, clock: ManualClock) -> None:
    """Have everything told."""
    store.before(clock.now())
    store.run(store.shared.flush())


@FLOWS
@pytest.mark.parametrize("rule", ["last-known", "open-local"])
def test_what_was_counted_alone_is_merged_once(
    pair: Pair, clock: ManualClock, terms: LimitTerms, rule: Rule
) -> None:
    """F-38: each unit of an outage counts once, and what last-known began with not again."""
    one, other = pair
    terms = replace(terms, store_away=rule)
    count(one, clock, claim(terms, clock.wall, 2))
    with one.away():
        alone(one, clock, terms, 3)
        count(other, clock, claim(terms, clock.wall))
        alone(one, clock, terms)
    for _ in range(2):
        told(one, clock)
        assert used(other, clock) == settled(other, clock) == {terms.name: 7}


@FLOWS
def test_what_was_let_in_in_an_outage_may_end_after_it(
    pair: Pair, clock: ManualClock, terms: LimitTerms
) -> None:
    """F-38, F-26: a receipt of an outage is settled after it, with what it came to, and once."""
    one, other = pair
    with one.away():
        receipts = [taken(one, clock, claim(terms, clock.wall, 2)) for _ in range(3)]
    told(one, clock)
    assert used(other, clock) == {}
    one.settle(receipts[0], Outcome.ACCEPTED, {"m": 4}, clock.now())
    one.settle(receipts[1], Outcome.REFUSED, {}, clock.now())
    one.settle(receipts[2], Outcome.UNKNOWN, {}, clock.now())
    for receipt in receipts:
        one.settle(receipt, Outcome.ACCEPTED, {"m": 9}, clock.now())
    assert used(other, clock) == settled(other, clock) == {terms.name: 6}


def test_each_unit_counts_in_its_day(strict: Pair, clock: ManualClock) -> None:
    """F-38: what was used before midnight is told of yesterday, also by a soft limit's crossing."""
    one, other = strict
    clock.advance(TURN - 5)
    with one.away():
        for terms in (DAILY, SOFT):
            alone(one, clock, terms, 2)
        clock.advance(10)
        for terms in (DAILY, SOFT):
            alone(one, clock, terms)
    crossings = one.record("anna", claim(DAILY, clock.wall, 0), clock.wall, clock.now())
    assert used(other, clock) == {"daily": 1, "soft": 1}
    [crossing] = crossings
    assert (crossing.reading, crossing.ends_at) == (2, clock.wall - 5)


def test_each_unit_leaves_a_rolling_window_in_its_time(pair: Pair, clock: ManualClock) -> None:
    """F-38: what was used at the beginning of an outage is over a minute after that."""
    one, other = pair
    with one.away():
        alone(one, clock, TEN, 2)
        clock.advance(20)
        alone(one, clock, TEN, 3)
        clock.advance(30)
    told(one, clock)
    for seconds, units in ((9, 5), (1, 3), (19, 3), (1, 0)):
        clock.advance(seconds)
        assert sum(used(other, clock).values()) == units


def test_what_is_over_is_not_merged(pair: Pair, clock: ManualClock) -> None:
    """F-38: a unit that left its window during the outage is no unit of the next one."""
    one, other = pair
    with one.away():
        alone(one, clock, TEN, 10)
        clock.advance(61)
        alone(one, clock, TEN)
    told(one, clock)
    assert used(other, clock) == {"ten": 1}


def test_members_and_levels_are_merged(pair: Pair, clock: ManualClock) -> None:
    """F-38: who was seen in an outage has a seat, and the latest word on a level holds."""
    one, other = pair
    count(one, clock, claim(SEATS, clock.wall, member="a"))
    with one.away():
        for member in "ab":
            receipt = taken(one, clock, claim(SEATS, clock.wall, member=member))
            one.shared.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
        count(other, clock, claim(SEATS, clock.wall, member="c"))
        other.record("anna", claim(STORED, clock.wall, 50), clock.wall, clock.now())
        clock.advance(1)
        one.before(clock.now())
        one.shared.record("anna", claim(STORED, clock.wall, 70), clock.wall, clock.now())
    told(one, clock)
    assert used(other, clock) == {"seats": 3, "stored": 70}


def test_requests_of_an_outage_are_in_flight_here_only(pair: Pair, clock: ManualClock) -> None:
    """F-38, E11: places that were given alone are given back alone."""
    one, other = pair
    with one.away():
        receipt = taken(one, clock, claim(AT_ONCE, clock.wall))
    one.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    for _ in range(3):
        taken(other, clock, claim(AT_ONCE, clock.wall))
    assert used(one, clock) == {"at-once": 3}


def test_a_stream_counts_on_through_an_outage(pair: Pair, clock: ManualClock) -> None:
    """F-38, B08: what a long request comes to is told before, during and after an outage."""
    one, other = pair
    before = taken(one, clock, claim(SECONDS, clock.wall, 1))
    one.accrue(before, {"m": 5}, clock.now())
    with one.away():
        within = taken(one, clock, claim(SECONDS, clock.wall, 1))
        for receipt in (before, within):
            one.shared.accrue(receipt, {"m": 10}, clock.now())
    told(one, clock)
    assert settled(other, clock) == {"seconds": 25}
    for receipt in (before, within):
        one.accrue(receipt, {"m": 1}, clock.now())
        one.settle(receipt, Outcome.ACCEPTED, {"m": 0}, clock.now())
    assert used(other, clock) == settled(other, clock) == {"seconds": 27}


def test_a_limit_is_counted_by_one_share_after_a_long_outage(
    opens: Opens, clock: ManualClock
) -> None:
    """F-25, F-38: what an old receipt tells takes nothing from what the process holds by now."""
    one, other = opens(), opens()
    hour = limit("hour", 10, "1 hour")
    count(one, clock, claim(hour, clock.wall))
    with one.away():
        clock.advance(61)
        old = taken(one, clock, claim(hour, clock.wall))
        for _ in range(3):
            clock.advance(61)
            one.before(clock.now())
            one.shared.sweep(clock.now())
    for _ in range(5):
        taken(one, clock, claim(hour, clock.wall))
    one.settle(old, Outcome.ACCEPTED, {}, clock.now())
    assert used(other, clock) == {"hour": 7}
    let_in = 0
    while isinstance(take(other, clock, claim(hour, clock.wall)), Receipt):
        let_in += 1
    assert let_in == 3
