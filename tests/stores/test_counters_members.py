"""The promises of the counter protocol about members: who was seen, and who finds no seat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.support import DAY, MemoryStore, claim, limit, refused, settled, take, taken, used
from tests.support import NOON

from fairuse.rules import members
from fairuse.stores.protocol import Exceeded, Outcome

if TYPE_CHECKING:
    from tests.stores.support import Store

    from fairuse.base.clock import ManualClock
    from fairuse.rules.claims import Claim
    from fairuse.stores.protocol import Receipt

MONTH = "calendar month"
SEATS = limit("seats", 10, MONTH, over="deny user", measure="users")
PLACES = limit("places", 2, MONTH, over="case", measure="locations")
TEN = [f"user-{number}" for number in range(1, 11)]


def seat(clock: ManualClock, user: str) -> Claim:
    """Ask for a user's seat."""
    return claim(SEATS, clock.wall, member=user)


def sit(counters: Store, clock: ManualClock, *users: str) -> None:
    """Let users in who are accepted."""
    for user in users:
        receipt = taken(counters, clock, seat(clock, user))
        assert counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now()) == []


def test_the_eleventh_of_ten_is_refused_and_the_ten_are_not(
    counters: Store, clock: ManualClock
) -> None:
    """S10, E21: user 11 of 10 is refused each time, and users 1-10 are served each time."""
    for _ in range(3):
        sit(counters, clock, *TEN)
        ask = seat(clock, "user-11")
        assert ask.span is not None
        assert refused(counters, clock, ask) == (SEATS, 10, ask.span.end - clock.wall)
    assert used(counters, clock) == settled(counters, clock) == {"seats": 10}


def test_who_is_refused_takes_no_seat(counters: Store, clock: ManualClock) -> None:
    """E21: neither a refused user nor one whose requests the API refused is counted."""
    sit(counters, clock, *TEN[:9])
    for user in ("x", "y"):
        receipt = taken(counters, clock, seat(clock, user))
        assert isinstance(take(counters, clock, seat(clock, "z")), Exceeded)
        counters.settle(receipt, Outcome.REFUSED, {}, clock.now())
    assert used(counters, clock) == {"seats": 9}
    sit(counters, clock, "z")


def test_seats_are_taken_while_requests_are_under_way(counters: Store, clock: ManualClock) -> None:
    """E21, F-23: users who come at the same time can't share a seat; one user takes one only."""
    sit(counters, clock, *TEN[:9])
    open_receipts = [taken(counters, clock, seat(clock, "user-10")) for _ in range(3)]
    assert isinstance(take(counters, clock, seat(clock, "user-11")), Exceeded)
    for receipt in open_receipts[:2]:
        counters.settle(receipt, Outcome.REFUSED, {}, clock.now())
        assert isinstance(take(counters, clock, seat(clock, "user-11")), Exceeded)
    counters.settle(open_receipts[2], Outcome.ACCEPTED, {}, clock.now())
    assert settled(counters, clock) == {"seats": 10}


def test_who_has_a_seat_keeps_it_when_there_are_fewer(counters: Store, clock: ManualClock) -> None:
    """S17, E21: with the seats lowered to 8 the ten go on, and nobody else comes in."""
    sit(counters, clock, *TEN)
    fewer = limit("seats", 8, MONTH, over="deny user", measure="users")
    for user in TEN:
        taken(counters, clock, claim(fewer, clock.wall, member=user))
    other = claim(fewer, clock.wall, member="user-11")
    assert isinstance(take(counters, clock, other), Exceeded)


def test_a_new_month_has_all_seats_free(counters: Store, clock: ManualClock) -> None:
    """E21: users who don't come back in the next month have left their seats to others."""
    sit(counters, clock, *TEN)
    clock.advance(30 * DAY)
    assert used(counters, clock) == {}
    sit(counters, clock, *(f"new-{number}" for number in range(10)))
    assert isinstance(take(counters, clock, seat(clock, TEN[0])), Exceeded)


def test_seats_without_a_window_are_kept(counters: Store, clock: ManualClock) -> None:
    """E19, E21: where seats are taken for good, the same users have them years later."""
    always = limit("seats", 1, "always", over="deny user", measure="users")
    receipt = taken(counters, clock, claim(always, clock.wall, member="a"))
    counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    clock.advance(800 * DAY)
    taken(counters, clock, claim(always, clock.wall, member="a"))
    other = claim(always, clock.wall, member="b")
    assert refused(counters, clock, other) == (always, 1, None)


def visit(counters: Store, clock: ManualClock, place: str) -> Receipt:
    """Begin a request about a place."""
    return taken(counters, clock, claim(PLACES, clock.wall, member=place))


def test_places_are_told_apart_and_over_their_number_told_once(
    counters: Store, clock: ManualClock
) -> None:
    """A25: the third of two agreed places is served and told; coming back adds nothing."""
    told = []
    for place in ("a", "b", "a", "c", "b", "d"):
        receipt = visit(counters, clock, place)
        told += counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    assert [crossing.reading for crossing in told] == [3]
    assert settled(counters, clock) == {"places": 4}


@pytest.mark.parametrize("months", [1, 2])
def test_who_came_in_before_midnight_is_settled_after_it(
    counters: Store, clock: ManualClock, months: int
) -> None:
    """A25: a request that outlives its month is settled in it, and changes no later month."""
    terms = limit("places", 1, MONTH, over="case", measure="locations")
    claims = [claim(terms, clock.wall, member=place) for place in "ab"]
    receipts = [taken(counters, clock, each) for each in claims]
    counters.settle(receipts[0], Outcome.ACCEPTED, {}, clock.now())
    for _ in range(months):
        clock.advance(30 * DAY)
        new = taken(counters, clock, claim(terms, clock.wall, member="c"))
        assert counters.settle(new, Outcome.ACCEPTED, {}, clock.now()) == []
    told = counters.settle(receipts[1], Outcome.ACCEPTED, {}, clock.now())
    if months == 1:
        [crossing] = told
        assert claims[0].span is not None
        assert (crossing.reading, crossing.starts_at) == (2, claims[0].span.start)
    assert used(counters, clock) == settled(counters, clock) == {"places": 1}


def test_who_was_seen_in_a_closed_month_belongs_to_it(counters: Store, clock: ManualClock) -> None:
    """S16, A25: places told late raise the month they were used in, each once."""
    clock.advance(30 * DAY)
    counters.settle(visit(counters, clock, "a"), Outcome.ACCEPTED, {}, clock.now())
    told = [
        counters.record("anna", claim(PLACES, NOON, member=place), NOON, clock.now())
        for place in ("a", "b", "b", "c")
    ]
    assert [[crossing.reading for crossing in each] for each in told] == [[], [], [], [3]]
    assert settled(counters, clock) == {"places": 1}


def test_made_up_names_fill_no_memory(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-44: beyond a bound nobody more is told apart, and everybody is still served."""
    monkeypatch.setattr(members, "MAX_MEMBERS", 50)
    with MemoryStore() as counters:
        for number in range(100):
            receipt = visit(counters, clock, f"place-{number}")
            counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
        assert settled(counters, clock) == {"places": 50}
