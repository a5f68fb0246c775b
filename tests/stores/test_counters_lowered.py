"""The promises of the counter protocol about amounts that change: nothing acts backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rules.support_grants import grant
from tests.stores.support import claim, limit, refused, take, taken, used

from fairuse.stores.protocol import Outcome, Receipt

if TYPE_CHECKING:
    from tests.stores.support import Store

    from fairuse.base.clock import ManualClock
    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.protocol import Crossing

MONTH = "calendar month"


def use(
    counters: Store, clock: ManualClock, terms: LimitTerms, count: int = 1, member: str = ""
) -> list[tuple[int, int]]:
    """Use so many units one after the other, and give the readings and amounts that were told."""
    told: list[Crossing] = []
    for _ in range(count):
        receipt = taken(counters, clock, claim(terms, clock.wall, member=member))
        told += counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    return [(crossing.reading, crossing.amount) for crossing in told]


def at_once(
    counters: Store, clock: ManualClock, terms: LimitTerms, count: int
) -> list[tuple[int, int]]:
    """Have so many requests under way at the same time, and give what was told of them."""
    receipts = [taken(counters, clock, claim(terms, clock.wall)) for _ in range(count)]
    told: list[Crossing] = []
    for receipt in receipts:
        told += counters.settle(receipt, Outcome.ACCEPTED, {}, clock.now())
    return [(crossing.reading, crossing.amount) for crossing in told]


def test_a_lowered_soft_limit_is_crossed_by_the_next_unit(
    counters: Store, clock: ManualClock
) -> None:
    """S17, P7, D22: five of ten were fine; of two the sixth is too much, told once."""
    assert use(counters, clock, limit("soft", 10, MONTH, over="case"), 5) == []
    assert use(counters, clock, limit("soft", 2, MONTH, over="case"), 3) == [(6, 2)]


def test_a_raised_soft_limit_is_crossed_later(counters: Store, clock: ManualClock) -> None:
    """D20, P7: with more granted in the middle of the month, the unit above all of it is told."""
    assert use(counters, clock, limit("soft", 2, MONTH, over="case"), 2) == []
    assert use(counters, clock, limit("soft", 4, MONTH, over="case"), 3) == [(5, 4)]


def test_who_was_seen_is_no_breach_of_a_lowered_limit(counters: Store, clock: ManualClock) -> None:
    """S17, P7: three users of ten were fine; with two agreed the next new one is told."""
    ten, two = (limit("seen", count, MONTH, over="case", measure="users") for count in (10, 2))
    for user in ("a", "b", "c"):
        assert use(counters, clock, ten, member=user) == []
    assert use(counters, clock, two, 2, member="a") == []
    assert use(counters, clock, two, member="d") == [(4, 2)]


def test_an_earlier_peak_is_no_breach_of_a_lowered_limit(
    counters: Store, clock: ManualClock
) -> None:
    """S17, P7, E12: three at once of ten were fine; with two agreed a higher peak is told."""
    ten, two = (limit("peak", n, MONTH, over="charge", measure="in flight") for n in (10, 2))
    assert at_once(counters, clock, ten, 3) == []
    assert at_once(counters, clock, two, 1) == []
    assert at_once(counters, clock, two, 4) == [(4, 2)]


def test_a_lowered_hard_limit_holds_from_the_next_unit_on(
    counters: Store, clock: ManualClock
) -> None:
    """D13, D22, P7: what a process has leased ahead of a higher amount is given back first."""
    use(counters, clock, limit("hard", 100_000, "1 hour"), 30)
    lower = limit("hard", 35, "1 hour")
    use(counters, clock, lower, 5)
    assert refused(counters, clock, claim(lower, clock.wall))[:2] == (lower, 35)
    use(counters, clock, limit("hard", 36, "1 hour"))


def test_a_limit_that_is_closed_lets_in_who_is_known(counters: Store, clock: ManualClock) -> None:
    """E21, P9 (deny new users): a soft limit refuses who is new, and tells of no breach."""
    soft = limit("users", 10, MONTH, over="case", measure="users")
    for user in ("a", "b"):
        use(counters, clock, soft, member=user)
    for user, let_in in (("a", True), ("c", False), ("b", True), ("a", True)):
        asked = claim(soft, clock.wall, member=user)
        asked.close(grant("deny new users", "0"))
        decision = take(counters, clock, asked)
        assert isinstance(decision, Receipt) == let_in
        if isinstance(decision, Receipt):
            assert counters.settle(decision, Outcome.ACCEPTED, {}, clock.now()) == []
    assert used(counters, clock) == {"users": 2}
    assert use(counters, clock, soft, member="c") == []
