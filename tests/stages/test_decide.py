"""Decide: asked at once or waited for, and what is told of the limits that were asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import terms
from tests.stores.support import MemoryStore, claim, fits, limit
from tests.support import NOON

from fairuse.base.address import Address
from fairuse.base.clock import ManualClock
from fairuse.rules.claims import Claims
from fairuse.rules.exchange import Subject
from fairuse.rules.refusal import PROBLEMS
from fairuse.rules.units import Unit
from fairuse.stages.decide import AWAY_SECONDS, decide, limit_headers, refusal_of
from fairuse.stores.protocol import Exceeded, Outcome, StoreAway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.base.wire import Headers
    from fairuse.rules.claims import Claim
    from fairuse.stores.protocol import Decision

MINUTE = limit("minute", 60)
DAILY = limit("daily", 500, "calendar day")
SOFT = limit("soft", 5, "calendar month", over="case")
FULL = limit("full", 10, "always", measure="in flight")
TO_MIDNIGHT = 39_600
"""From noon, 13:00 in Amsterdam."""


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """Give an empty store."""
    with MemoryStore() as store:
        yield store


def asked(store: MemoryStore, clock: ManualClock, *claims: Claim) -> tuple[Decision, Headers]:
    """Reserve, and give what is told of it."""
    decision = store.reserve("anna", claims, clock.now())
    return decision, limit_headers(Claims(claims, NOON, NOON), decision, clock.now())


def test_the_fields_of_two_limits(store: MemoryStore, clock: ManualClock) -> None:
    """F-29: each hard limit is an item of both fields: what is agreed, and what remains."""
    wide = claim(DAILY, NOON, 2)
    asked(store, clock, claim(MINUTE, NOON, 48))
    clock.advance(19.5)
    _, fields = asked(store, clock, claim(MINUTE, NOON, 2), wide)
    assert fields == [
        (b"ratelimit-policy", b'"minute";q=60;w=60, "daily";q=500;w=86400'),
        (b"ratelimit", b'"minute";r=10;t=60, "daily";r=498;t=%d' % (TO_MIDNIGHT - 19)),
    ]


def test_what_has_no_hard_limit_shows_nothing(store: MemoryStore, clock: ManualClock) -> None:
    """P4: soft limits and what has no window have no fields, alone or beside others."""
    assert asked(store, clock)[1] == []
    assert asked(store, clock, claim(SOFT, NOON), claim(FULL, NOON))[1] == []
    _, fields = asked(store, clock, claim(SOFT, NOON), claim(MINUTE, NOON), claim(FULL, NOON))
    assert [value for _, value in fields] == [b'"minute";q=60;w=60', b'"minute";r=59;t=60']


def test_a_refusal_shows_the_limit_that_refused(store: MemoryStore, clock: ManualClock) -> None:
    """P10: of several limits the one that refused is shown, with when to come again."""
    asked(store, clock, claim(MINUTE, NOON, 60), claim(DAILY, NOON))
    clock.advance(20)
    decision, fields = asked(store, clock, claim(DAILY, NOON), claim(MINUTE, NOON))
    assert isinstance(decision, Exceeded)
    assert [value for _, value in fields] == [b'"minute";q=60;w=60', b'"minute";r=0;t=40']


def test_what_never_fits_names_its_window(store: MemoryStore, clock: ManualClock) -> None:
    """P10: where time alone will not do the whole window is named, and nothing remains too much."""
    _, fields = asked(store, clock, claim(DAILY, NOON, 501))
    assert [value for _, value in fields] == [b'"daily";q=500;w=86400', b'"daily";r=500;t=86400']


def test_what_has_no_window_refuses_without_fields(store: MemoryStore, clock: ManualClock) -> None:
    """E11: places that are all taken have no window to be named, and their refusal no time."""
    asked(store, clock, claim(FULL, NOON, 10))
    decision, fields = asked(store, clock, claim(FULL, NOON))
    assert isinstance(decision, Exceeded)
    assert fields == []
    assert refusal_of(decision, clock.now()).until is None


def test_parts_of_a_unit_are_shown_as_whole_ones(store: MemoryStore, clock: ManualClock) -> None:
    """F-29 (never more than granted): with 2.43 of 3 pages left 2 are shown."""
    pages = replace(limit("pages", 300), unit=Unit("page", "pages", 2))
    _, fields = asked(store, clock, claim(pages, NOON, 57))
    assert [value for _, value in fields] == [b'"pages";q=3;w=60', b'"pages";r=2;t=60']


def test_what_came_to_more_leaves_nothing(store: MemoryStore, clock: ManualClock) -> None:
    """F-29: a limit that is over by what a request came to shows 0, and never less."""
    soft_and_hard = claim(MINUTE, NOON, refusable=False)
    decision, _ = asked(store, clock, soft_and_hard)
    store.settle(fits(decision), Outcome.ACCEPTED, {"m": 100}, clock.now())
    _, fields = asked(store, clock, soft_and_hard)
    assert fields[1] == (b"ratelimit", b'"minute";r=0;t=60')


@pytest.mark.parametrize("window", ["1 minute", "calendar day"])
@given(requests=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), max_size=12))
def test_no_more_is_shown_than_is_granted(window: str, requests: list[tuple[int, int]]) -> None:
    """F-29 (truth): as many units as are said to remain fit, and not one more."""
    clock, terms = ManualClock(NOON), limit("sixty", 60, window)
    with MemoryStore() as store:
        for cost, seconds in requests:
            clock.advance(seconds)
            _, fields = asked(store, clock, claim(terms, NOON, cost))
            left = int(fields[1][1].split(b";")[1].removeprefix(b"r="))
            more, _ = asked(store, clock, claim(terms, NOON, left + 1))
            assert isinstance(more, Exceeded)
            rest, _ = asked(store, clock, claim(terms, NOON, left))
            store.settle(fits(rest), Outcome.REFUSED, {}, clock.now())


SUBJECT = Subject("anna", "", "", Address("192.0.2.1", "192.0.2.1"), terms())


class Asked:
    """Counters that can say at once, or have to be waited for."""

    def __init__(self, at_once: Decision | None, waited: Decision) -> None:
        self.at_once = at_once
        self.waited = waited
        self.waits = 0

    def try_reserve(self, *_: object) -> Decision | None:
        """Say at once, or that it can't be said."""
        return self.at_once

    async def reserve(self, *_: object) -> Decision:
        """Say after a while."""
        self.waits += 1
        return self.waited


@pytest.mark.anyio
@pytest.mark.parametrize("at_once", [True, False])
async def test_nobody_waits_for_what_can_be_said_at_once(
    clock: ManualClock, *, at_once: bool
) -> None:
    """F-25: the store is waited for only where it can't say without, and asked once."""
    away, over = StoreAway(claim(MINUTE, NOON)), Exceeded(claim(MINUTE, NOON), 60, 1.0)
    counters: Any = Asked(over if at_once else None, away)
    decision = await decide(SUBJECT, Claims([], NOON, NOON), counters, clock.now())
    assert (decision, counters.waits) == ((over, 0) if at_once else (away, 1))


def test_a_store_that_is_away_is_asked_again_soon(clock: ManualClock) -> None:
    """F-37: who can't be decided on gets a 503 that says when to come again, and no figures."""
    away = StoreAway(claim(MINUTE, NOON))
    refusal = refusal_of(away, clock.now())
    assert (refusal.kind, refusal.rule, refusal.figures) == ("store-away", "minute", None)
    assert refusal.until == NOON + AWAY_SECONDS
    assert PROBLEMS[refusal.kind].status == 503
    assert limit_headers(Claims([away.claim], NOON, NOON), away, clock.now()) == []


def test_what_could_not_be_counted_is_not_told(store: MemoryStore, clock: ManualClock) -> None:
    """F-44: of a request that was let in without some of its limits being counted, those show."""
    asked_of = Claims([claim(MINUTE, NOON), claim(DAILY, NOON)])
    counted = store.reserve("anna", Claims([claim(DAILY, NOON)]), clock.now())
    fields = limit_headers(asked_of, counted, clock.now())
    assert [value.partition(b";")[0] for _, value in fields] == [b'"daily"', b'"daily"']
