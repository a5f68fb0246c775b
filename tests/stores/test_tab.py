"""Tabs: requests that are alike are counted as so many, and entered before anybody looks."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from tests.stores.support import MemoryStore, claim, fits, limit, settled, take, taken, used
from tests.support import NOON

from fairuse.rules.claims import Claims
from fairuse.rules.tally import Tally
from fairuse.stores.protocol import Exceeded, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.base.clock import ManualClock
    from fairuse.stores.protocol import Receipt

MINUTE = limit("minute", 20)
DAILY = limit("daily", 30, "calendar day")
SOFT = limit("soft", 8, "calendar month", over="case")
FULL = limit("full", 10, "always", measure="in flight", meter="f")


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """Give an empty store."""
    with MemoryStore() as store:
        yield store


@pytest.fixture
def plan() -> Claims:
    """Give what all requests claim."""
    return Claims([claim(MINUTE, NOON), claim(DAILY, NOON)])


def ask(store: MemoryStore, clock: ManualClock, plan: Claims) -> Receipt:
    """Let a request in."""
    return fits(store.reserve("anna", plan, clock.now()))


def on_a_tab(store: MemoryStore, clock: ManualClock, plan: Claims, requests: int) -> list[Receipt]:
    """Let requests in, the last of them on a tab."""
    receipts = [ask(store, clock, plan) for _ in range(requests)]
    assert plan.tab is not None
    assert plan.tab.taken == requests - 2
    return receipts


def test_the_third_request_goes_on_a_tab(
    store: MemoryStore, clock: ManualClock, plan: Claims
) -> None:
    """F-26: one request needs no tab, and two that are alike begin one."""
    tabs = []
    for _ in range(2):
        ask(store, clock, plan)
        tabs.append(plan.tab)
    assert tabs[0] is None
    assert (tabs[1].taken, tabs[1].left) == (0, 18)
    on = ask(store, clock, plan)
    assert [figures[1] for figures in on.standings(clock.now())] == [3, 3]


def test_a_reading_has_what_is_on_the_tab(
    store: MemoryStore, clock: ManualClock, plan: Claims
) -> None:
    """F-26: who looks at what is used sees every unit."""
    receipts = on_a_tab(store, clock, plan, 5)
    assert used(store, clock) == {"minute": 5, "daily": 5}
    store.settle(receipts[-1], Outcome.ACCEPTED, {}, clock.now())
    assert settled(store, clock) == {"minute": 1, "daily": 1}


def test_a_tab_never_lets_in_more(store: MemoryStore, clock: ManualClock, plan: Claims) -> None:
    """F-24, F-25: requests on a tab are let in up to the amount, and not one more."""
    on_a_tab(store, clock, plan, 20)
    assert isinstance(store.reserve("anna", plan, clock.now()), Exceeded)
    assert used(store, clock) == {"minute": 20, "daily": 20}


def test_others_see_what_is_on_the_tab(
    store: MemoryStore, clock: ManualClock, plan: Claims
) -> None:
    """F-25: a request of another kind is decided with all that is on a tab, and ends it."""
    on_a_tab(store, clock, plan, 15)
    assert isinstance(take(store, clock, claim(MINUTE, NOON, 6)), Exceeded)
    assert plan.tab is None
    taken(store, clock, claim(MINUTE, NOON, 5))
    assert isinstance(store.reserve("anna", plan, clock.now()), Exceeded)


def test_a_window_is_as_long_as_after_its_latest_unit(
    store: MemoryStore, clock: ManualClock, plan: Claims
) -> None:
    """E18: the last of a tab's units leaves a rolling window one window after it was taken."""
    on_a_tab(store, clock, plan, 3)
    clock.advance(0.5)
    last = ask(store, clock, plan)
    store.settle(last, Outcome.ACCEPTED, {}, clock.now())
    clock.advance(59.75)
    assert used(store, clock)["minute"] == 4
    clock.advance(0.25)
    assert "minute" not in used(store, clock)


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN])
def test_a_request_on_a_tab_is_given_back_by_itself(
    store: MemoryStore, clock: ManualClock, plan: Claims, outcome: Outcome
) -> None:
    """F-26: what the API refused goes back, and what else is on the tab stays."""
    receipts = on_a_tab(store, clock, plan, 6)
    store.settle(receipts[-1], outcome, {}, clock.now())
    store.settle(receipts[-2], Outcome.ACCEPTED, {}, clock.now())
    kept = 6 if outcome is Outcome.UNKNOWN else 5
    assert used(store, clock) == {"minute": kept, "daily": kept}


def test_what_came_to_more_is_counted(store: MemoryStore, clock: ManualClock, plan: Claims) -> None:
    """B08: a request on a tab that came to more than others counts with what it came to."""
    receipts = on_a_tab(store, clock, plan, 4)
    store.settle(receipts[-1], Outcome.ACCEPTED, {"m": 9}, clock.now())
    assert used(store, clock) == {"minute": 12, "daily": 12}
    assert isinstance(take(store, clock, claim(MINUTE, NOON, 9)), Exceeded)


def test_a_soft_limit_is_gone_over_in_sight(store: MemoryStore, clock: ManualClock) -> None:
    """P1: the unit that takes a soft limit over its amount is on no tab, and is told."""
    plan, told = Claims([claim(SOFT, NOON)]), []
    for _ in range(10):
        receipt = ask(store, clock, plan)
        told.append(len(store.settle(receipt, Outcome.ACCEPTED, {}, clock.now())))
    assert told == [*[0] * 8, 1, 0]


def test_levels_are_on_no_tab(store: MemoryStore, clock: ManualClock) -> None:
    """E11: places that are taken are counted one by one."""
    plan = Claims([claim(MINUTE, NOON), claim(FULL, NOON)])
    for _ in range(4):
        ask(store, clock, plan)
    assert plan.tab is None


@pytest.mark.parametrize("strict", [False, True], ids=["relaxed", "strict"])
def test_what_is_on_a_tab_is_written(clock: ManualClock, plan: Claims, *, strict: bool) -> None:
    """S15: the ledger gets the units of a tab; a strict one those that are open, too."""
    with MemoryStore(strict=strict) as store:
        receipts = on_a_tab(store, clock, plan, 6)
        store.settle(receipts[-1], Outcome.ACCEPTED, {}, clock.now())
        assert set(store.write(clock.now()).values()) == {6 if strict else 1}
        store.settle(receipts[-2], Outcome.ACCEPTED, {}, clock.now())
        assert set(store.write(clock.now()).values()) == {6 if strict else 2}


def test_units_leave_a_window_while_a_tab_is_open(store: MemoryStore, clock: ManualClock) -> None:
    """F-29: what has left a long window is not told as used by requests on a tab."""
    day = Claims([claim(limit("day", 1_000, "24 hours"), NOON)])
    for _ in range(9):
        ask(store, clock, day)
    clock.advance(86_399)
    for _ in range(3):
        ask(store, clock, day)
    clock.advance(1)
    assert [used for _, used, _ in ask(store, clock, day).standings(clock.now())] == [4]


def test_what_is_forgotten_is_held_by_nobody(clock: ManualClock) -> None:
    """F-44: limits in two scopes, of which each meets many others, keep no forgotten count."""
    with MemoryStore(most=20) as store:
        held = taken(store, clock, claim(DAILY, NOON, place="0"), claim(MINUTE, NOON, place="0"))
        for number in range(500):
            day = claim(DAILY, NOON, place=str(number))
            minute = claim(MINUTE, NOON, place=str(number + 1))
            store.settle(taken(store, clock, day, minute), Outcome.ACCEPTED, {}, clock.now())
        store.write(clock.now())
        gc.collect()
        left = [each for each in gc.get_objects() if isinstance(each, Tally)]
        assert len(left) < 200
        assert held.open
