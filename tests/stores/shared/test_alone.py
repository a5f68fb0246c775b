"""F-37: what a process that counts alone knows, limit by limit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.support import count
from tests.stores.support import DAY, claim, limit, take, taken

from fairuse.stores.protocol import Exceeded, Outcome, Receipt, StoreAway

if TYPE_CHECKING:
    from tests.stores.shared.support import Opens, Pair
    from tests.stores.shared_store import SharedStore

    from fairuse.base.clock import ManualClock
    from fairuse.rules.terms import LimitTerms

pytestmark = REDIS_MARKS

THREE = limit("three", 3, "1 minute")
DAILY = limit("daily", 3, "calendar day")
AT_ONCE = limit("at-once", 3, "always", measure="in flight")
STORED = limit("stored", 100, "always", measure="gauge")
SEATS = limit("seats", 2, "calendar day", over="deny user", measure="users")
FLOWS = pytest.mark.parametrize("terms", [THREE, DAILY], ids=["rolling", "calendar"])


def let_in(store: SharedStore, clock: ManualClock, terms: LimitTerms) -> int:
    """Take units until one is refused, and give how many there were."""
    units = 0
    while isinstance(take(store, clock, claim(terms, clock.wall)), Receipt):
        units += 1
    return units


@FLOWS
def test_what_is_settled_is_known(pair: Pair, clock: ManualClock, terms: LimitTerms) -> None:
    """F-37: last-known begins with what all had used when the store was last heard of."""
    one, other = pair
    count(other, clock, claim(terms, clock.wall))
    count(one, clock, claim(terms, clock.wall))
    with one.away():
        assert let_in(one, clock, terms) == 1


@FLOWS
def test_what_is_open_here_is_known(pair: Pair, clock: ManualClock, terms: LimitTerms) -> None:
    """F-37: what this process has open itself counts, too, where nobody can be asked."""
    one, _ = pair
    for _ in range(2):
        taken(one, clock, claim(terms, clock.wall))
    with one.away():
        assert let_in(one, clock, terms) == 1


@FLOWS
def test_what_others_have_open_is_known(pair: Pair, clock: ManualClock, terms: LimitTerms) -> None:
    """F-37: last-known takes in what the store said others hold."""
    one, other = pair
    taken(other, clock, claim(terms, clock.wall, 2))
    receipt = taken(one, clock, claim(terms, clock.wall))
    one.settle(receipt, Outcome.REFUSED, {}, clock.now())
    with one.away():
        assert let_in(one, clock, terms) == 1


@FLOWS
def test_what_is_over_is_not_known(pair: Pair, clock: ManualClock, terms: LimitTerms) -> None:
    """F-37: what was used up in a window that is over refuses nobody in the next one."""
    one, _ = pair
    assert let_in(one, clock, terms) == 3
    clock.advance(DAY)
    with one.away():
        assert let_in(one, clock, terms) == 3


@FLOWS
def test_a_window_ends_in_an_outage(pair: Pair, clock: ManualClock, terms: LimitTerms) -> None:
    """F-37: who counts alone begins anew with each window, whatever was known before."""
    one, _ = pair
    assert let_in(one, clock, terms) == 3
    with one.away():
        assert let_in(one, clock, terms) == 0
        clock.advance(DAY)
        assert let_in(one, clock, terms) == 3


@FLOWS
def test_each_outage_is_counted_by_itself(
    pair: Pair, clock: ManualClock, terms: LimitTerms
) -> None:
    """F-37: what was counted alone is known in the next outage from the store, and not twice."""
    one, _ = pair
    for _ in range(3):
        with one.away():
            count_alone = taken(one, clock, claim(terms, clock.wall))
        one.settle(count_alone, Outcome.ACCEPTED, {}, clock.now())
        one.run(one.shared.flush())
        one.read("anna", clock.now())
    with one.away():
        assert let_in(one, clock, terms) == 0


def test_requests_in_flight_elsewhere_are_known(pair: Pair, clock: ManualClock) -> None:
    """F-37, E11: what is under way on other nodes when an outage begins is not let in again.

    What is under way here makes room as it ends, also without the store.
    """
    one, other = pair
    taken(other, clock, claim(AT_ONCE, clock.wall, 2))
    receipt = taken(one, clock, claim(AT_ONCE, clock.wall))
    with one.away():
        assert let_in(one, clock, AT_ONCE) == 0
        one.before(clock.now())
        one.shared.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
        assert let_in(one, clock, AT_ONCE) == 1


def test_a_level_is_known(pair: Pair, clock: ManualClock) -> None:
    """F-37, E22: what was stored when the store was last heard of is stored still."""
    one, other = pair
    other.record("anna", claim(STORED, clock.wall, 90), clock.wall, clock.now())
    assert isinstance(take(one, clock, claim(STORED, clock.wall, 11)), Exceeded)
    with one.away():
        assert isinstance(take(one, clock, claim(STORED, clock.wall, 11)), Exceeded)
        assert isinstance(take(one, clock, claim(STORED, clock.wall, 10)), Receipt)


def test_members_begin_anew(pair: Pair, clock: ManualClock) -> None:
    """F-37, E21: nobody is locked out by an outage; at most as many seats are let out once more."""
    one, _ = pair
    for member in "ab":
        count(one, clock, claim(SEATS, clock.wall, member=member))
    with one.away():
        for member in "ab":
            taken(one, clock, claim(SEATS, clock.wall, member=member))
        taken(one, clock, claim(replace(SEATS, store_away="open-local"), clock.wall, member="b"))


def test_what_is_said_of_an_outage(opens: Opens, clock: ManualClock) -> None:
    """F-37: a receipt given alone says what is used as far as is known, as any other does."""
    one = opens(strict=True)
    count(one, clock, claim(THREE, clock.wall))
    with one.away():
        receipt = taken(one, clock, claim(THREE, clock.wall))
        [(asked, units, resets_in)] = receipt.standings(clock.now())
        assert (asked.limit, units) == (THREE, 2)
        assert 0 < resets_in <= 60
        refusal = take(one, clock, claim(replace(THREE, store_away="closed"), clock.wall))
        assert isinstance(refusal, StoreAway)
