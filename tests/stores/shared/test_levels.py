"""Members and requests in flight, seen by two processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared.support import count
from tests.stores.support import claim, limit, settled, take, taken, used

from fairuse.stores.protocol import Exceeded, Outcome, Receipt

if TYPE_CHECKING:
    from tests.stores.shared.support import Pair
    from tests.stores.shared_store import SharedStore

    from fairuse.base.clock import ManualClock

pytestmark = REDIS_MARKS

SEATS = limit("seats", 2, "calendar month", over="deny user", measure="users")
AT_ONCE = limit("at-once", 3, "always", measure="in flight")
ONE = limit("one", 1, "always", measure="in flight")
STORED = limit("stored", 100, "always", measure="gauge")


def sit(store: SharedStore, clock: ManualClock, member: str) -> bool:
    """Let a member in, and tell whether it may be; its request is accepted."""
    receipt = take(store, clock, claim(SEATS, clock.wall, member=member))
    if isinstance(receipt, Receipt):
        store.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    return isinstance(receipt, Receipt)


def test_a_seat_taken_here_is_known_there(pair: Pair, clock: ManualClock) -> None:
    """E21: the same member has one seat on all nodes, and who comes too late has none on any."""
    one, other = pair
    assert [sit(store, clock, "anna") for store in (one, other, one)] == [True, True, True]
    assert sit(other, clock, "bert")
    for store in pair:
        assert [sit(store, clock, name) for name in ("anna", "bert", "carl")] == [True, True, False]
        assert used(store, clock) == {"seats": 2}


def test_an_open_request_holds_its_seat_everywhere(pair: Pair, clock: ManualClock) -> None:
    """E21, F-26: a seat is held while the request that takes it is open, and free if it fails."""
    one, other = pair
    request = taken(one, clock, claim(SEATS, clock.wall, member="anna"))
    assert sit(other, clock, "bert")
    assert not sit(other, clock, "carl")
    one.settle(request, Outcome.REFUSED, {}, clock.now())
    assert sit(other, clock, "carl")
    assert not sit(one, clock, "anna")


def test_one_seat_for_one_member_at_the_same_time(pair: Pair, clock: ManualClock) -> None:
    """E21: a member who is let in by two nodes at once is one, whichever request ends well."""
    one, other = pair
    first = taken(one, clock, claim(SEATS, clock.wall, member="anna"))
    second = taken(other, clock, claim(SEATS, clock.wall, member="anna"))
    assert used(one, clock) == {"seats": 1}
    one.settle(first, Outcome.REFUSED, {}, clock.now())
    assert used(one, clock) == {"seats": 1}
    other.settle(second, Outcome.ACCEPTED, {}, clock.now())
    assert used(one, clock) == settled(other, clock) == {"seats": 1}


def test_a_crashed_process_keeps_no_seat(pair: Pair, clock: ManualClock) -> None:
    """F-26: who was let in by a process that was killed is not seen, and its seat comes free."""
    one, other = pair
    taken(one, clock, claim(SEATS, clock.wall, member="anna"))
    assert sit(other, clock, "bert")
    one.crash()
    assert not sit(other, clock, "carl")
    clock.advance(11)
    assert sit(other, clock, "carl")


def test_requests_in_flight_are_known_to_all(pair: Pair, clock: ManualClock) -> None:
    """E11: at most so many are under way on all nodes together, and an end is heard at once."""
    one, other = pair
    first = [taken(store, clock, claim(AT_ONCE, clock.wall)) for store in (one, other, one)]
    for store in pair:
        assert isinstance(take(store, clock, claim(AT_ONCE, clock.wall)), Exceeded)
        assert used(store, clock) == {"at-once": 3}
    one.settle(first[0], Outcome.ACCEPTED, {}, clock.now())
    assert isinstance(take(other, clock, claim(AT_ONCE, clock.wall)), Receipt)
    assert isinstance(take(one, clock, claim(AT_ONCE, clock.wall)), Exceeded)


def test_what_a_killed_process_had_in_flight_comes_back(pair: Pair, clock: ManualClock) -> None:
    """E11: after some seconds of silence nothing is under way there any more."""
    one, other = pair
    for _ in range(3):
        taken(one, clock, claim(AT_ONCE, clock.wall))
    one.crash()
    clock.advance(9)
    assert isinstance(take(other, clock, claim(AT_ONCE, clock.wall)), Exceeded)
    clock.advance(2)
    for _ in range(3):
        taken(other, clock, claim(AT_ONCE, clock.wall))
    assert isinstance(take(other, clock, claim(AT_ONCE, clock.wall)), Exceeded)


def test_a_long_request_stays_in_flight(pair: Pair, clock: ManualClock) -> None:
    """E11: a stream of a minute holds its place all the time, for its process renews it."""
    one, other = pair
    request = taken(one, clock, claim(ONE, clock.wall))
    for _ in range(20):
        clock.advance(4)
        one.sweep(clock.now())
        assert isinstance(take(other, clock, claim(ONE, clock.wall)), Exceeded)
    one.settle(request, Outcome.ACCEPTED, {}, clock.now())
    assert isinstance(take(other, clock, claim(ONE, clock.wall)), Receipt)


def test_a_slow_process_is_heard_again(strict: Pair, clock: ManualClock) -> None:
    """F-26: what was given up for a process that was only slow counts once, as it says itself."""
    one, other = strict
    hour = limit("hour", 10, "1 hour")
    requests = [taken(one, clock, claim(hour, clock.wall, cost)) for cost in (3, 4)]
    clock.advance(11)
    count(other, clock, claim(hour, clock.wall))
    assert used(other, clock) == {"hour": 8}
    one.settle(requests[0], Outcome.REFUSED, {}, clock.now())
    one.settle(requests[1], Outcome.ACCEPTED, {}, clock.now())
    assert used(other, clock) == settled(other, clock) == {"hour": 5}


def test_given_up_units_are_taken_back_though_the_clock_was_set_back(
    strict: Pair, clock: ManualClock
) -> None:
    """F-26, F-31: a server's clock that goes back meanwhile makes nothing count twice."""
    one, other = strict
    hour = limit("hour", 100, "1 hour")
    request = taken(one, clock, claim(hour, clock.wall, 3))
    clock.advance(11)
    count(other, clock, claim(hour, clock.wall))
    clock.step_wall(-5)
    count(other, clock, claim(hour, clock.wall))
    one.settle(request, Outcome.REFUSED, {}, clock.now())
    assert used(other, clock) == {"hour": 2}


@pytest.mark.parametrize("kind", ["strict", "relaxed"])
def test_what_a_crashed_process_had_open(
    kind: str, request: pytest.FixtureRequest, clock: ManualClock
) -> None:
    """F-26: where nothing may be forgotten it counts; otherwise the units come free."""
    one, other = request.getfixturevalue(kind)
    hour = limit("hour", 10, "1 hour")
    taken(one, clock, claim(hour, clock.wall, 4))
    one.sweep(clock.now())
    one.crash()
    assert used(other, clock) == {"hour": 4}
    clock.advance(11)
    left = {"hour": 4} if kind == "strict" else {}
    assert used(other, clock) == left
    count(other, clock, claim(hour, clock.wall))
    assert used(other, clock) == {"hour": 5 if kind == "strict" else 1}


def test_the_latest_word_on_a_level_holds(pair: Pair, clock: ManualClock) -> None:
    """E22: what is stored is what was told last, by whichever node."""
    one, other = pair
    for store, level in ((one, 70), (other, 90), (one, 40)):
        store.record("anna", claim(STORED, clock.wall, level), clock.wall, clock.now())
        assert used(one, clock) == used(other, clock) == {"stored": level}
        clock.advance(1)
    assert isinstance(take(other, clock, claim(STORED, clock.wall, 61)), Exceeded)
    assert isinstance(take(other, clock, claim(STORED, clock.wall, 60)), Receipt)
