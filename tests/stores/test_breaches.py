"""Breaches: one a calendar window, and one an episode of a short one, however often it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.rules.support import terms as terms_of
from tests.stores.support import DAY, claim, limit
from tests.support import NOON

from fairuse.base.clock import ManualClock
from fairuse.stores.breaches import WITHOUT_A_WINDOW, Breaches
from fairuse.stores.history import breaches_since, open_episodes
from fairuse.stores.journal import Journal
from fairuse.stores.protocol import Crossing, Exceeded

if TYPE_CHECKING:
    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import BreachRow

pytestmark = pytest.mark.anyio

MINUTE = limit("minute", 10)
SOFT_MINUTE = limit("soft-minute", 10, over="case")
MONTH = limit("month", 10, "calendar month")
SOFT_MONTH = limit("soft-month", 10, "calendar month", over="case")
SEATS = limit("seats", 10, "always", over="deny user", measure="users")


class Watch:
    """Breaches with a ledger behind them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.clock = ManualClock(NOON)
        self.terms = terms_of()
        self.journal = Journal()
        self.breaches = Breaches(self.journal)

    def refused(self, terms: LimitTerms, place: str = "") -> BreachRow | None:
        """Let a hard limit refuse."""
        exceeded = Exceeded(claim(terms, self.clock.wall, place=place), 10, None)
        return self.breaches.refused("anna", exceeded, self.terms, self.clock.now())

    def crossed(self, terms: LimitTerms, reading: int = 11) -> BreachRow | None:
        """Let a soft limit be gone over."""
        window = terms.span(self.clock.wall) or (self.clock.wall - 60, self.clock.wall + 60)
        crossing = Crossing("anna", terms, (), 10, reading, *window)
        return self.breaches.crossed(crossing, self.terms, self.clock.now())

    async def written(self) -> list[BreachRow]:
        """Give what is in the ledger."""
        assert await self.journal.flush(self.ledger, self.clock.now())
        return await breaches_since(self.ledger, 0)

    async def restart(self) -> None:
        """Begin again with what is in the ledger."""
        await self.written()
        self.breaches = Breaches(self.journal)
        self.breaches.restore(await open_episodes(self.ledger, self.clock.wall))


@pytest.fixture
def watch(ledger: Ledger) -> Watch:
    """Give breaches of an empty ledger."""
    return Watch(ledger)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("soft", [False, True])
async def test_violations_that_follow_each_other_are_one_episode(
    watch: Watch, *, soft: bool, restart: bool
) -> None:
    """E32, S12: bad minutes in a row are one breach, and one after a clean minute is another."""
    new = []
    for seconds in (0, 30, 59, 59, 60, 1):
        watch.clock.advance(seconds)
        if restart:
            await watch.restart()
        new.append((watch.crossed(SOFT_MINUTE) if soft else watch.refused(MINUTE)) is not None)
    assert new == [True, False, False, False, True, False]
    first, second = await watch.written()
    assert (first.starts_at, first.last_at, first.ends_at) == (NOON, NOON + 148, NOON + 208)
    assert (second.starts_at, second.last_at) == (NOON + 208, NOON + 209)


async def test_an_episode_keeps_its_latest_figures(watch: Watch) -> None:
    """E32: what goes on is written with what it has come to, in one row."""
    for reading in (11, 14):
        watch.crossed(SOFT_MINUTE, reading)
        watch.clock.advance(10)
    [breach] = await watch.written()
    assert breach == (
        *("salon-anna", "anna", "soft-minute", (), NOON, NOON + 70, NOON + 10),
        *(14, 10),
    )


@pytest.mark.parametrize("restart", [False, True])
async def test_a_calendar_window_is_one_breach_however_often_it_refuses(
    watch: Watch, *, restart: bool
) -> None:
    """B25, E25, E32: a month that refuses on its 2nd and 29th is one breach, December another."""
    span = MONTH.span(NOON)
    assert span is not None
    new = []
    for moment in (NOON, NOON + DAY, NOON + 27 * DAY, span.end - 60, span.end + 60):
        watch.clock.advance(moment - watch.clock.wall)
        if restart:
            await watch.restart()
        new.append(watch.refused(MONTH) is not None)
    assert new == [True, False, False, False, True]
    first, second = await watch.written()
    assert (first.starts_at, first.ends_at, first.last_at) == (*span, span.end - 60)
    assert second.starts_at == span.end


async def test_a_soft_calendar_window_is_one_row(watch: Watch) -> None:
    """B25: a month told over twice, by a restart or by late events, is one breach in the ledger."""
    for _ in range(2):
        watch.crossed(SOFT_MONTH)
        await watch.restart()
    span = SOFT_MONTH.span(NOON)
    [breach] = await watch.written()
    assert (breach.starts_at, breach.ends_at) == span


async def test_what_has_no_window_is_over_after_a_clean_day(watch: Watch) -> None:
    """E21, E32: users beyond the seats are one episode until a day goes by without one."""
    new = []
    for seconds in (0, WITHOUT_A_WINDOW - 1, WITHOUT_A_WINDOW):
        watch.clock.advance(seconds)
        new.append(watch.refused(SEATS) is not None)
    assert new == [True, False, True]


async def test_places_and_limits_have_episodes_of_their_own(watch: Watch) -> None:
    """E32: a violation of another limit, or at another place, is another breach."""
    other = limit("other", 10)
    new = [watch.refused(terms, place) for terms in (MINUTE, other) for place in ("", "x", "")]
    assert [breach is not None for breach in new] == [True, True, False] * 2
    assert len(await watch.written()) == 4
