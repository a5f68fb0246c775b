"""What several processes that count together must come to, reckoned in one place."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tests.stores.support import limit

from fairuse.rules.rolling import GRAINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairuse.rules.claims import Claim
    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.protocol import Outcome, Reading, Receipt

MINUTE = 60
SILENCE = 10
"""Seconds after which a process that says nothing is given up."""
DAILY = limit("daily", 60, "calendar day")
BURST = limit("burst", 40)
AT_ONCE = limit("at-once", 4, "always", measure="in flight", meter="f")
SEATS = limit("seats", 2, "calendar day", over="deny user", measure="users", meter="s")


@dataclass
class Held:
    """A request that is open: what it holds, since when, and whose seat.

    `silent` says that its process was, for long: the store may have given away its seat and its
    place, and, where it is `doubtful`, its units.
    """

    receipt: Receipt
    units: int
    since: float
    user: str
    asked: frozenset[str]
    doubtful: bool = False
    silent: bool = False

    def asks(self, terms: LimitTerms) -> bool:
        """Tell whether it holds something of a limit."""
        return terms.name in self.asked


class Units(NamedTuple):
    """Units that were used between two moments."""

    units: int
    first: float
    last: float


class Lost(NamedTuple):
    """What a process that ended had open, and when it ended."""

    held: Held
    ended: float


def day_of(moment: float) -> int:
    """Give the start of the day that holds a moment."""
    span = DAILY.span(moment)
    assert span is not None
    return span.start


class Model:
    """Settled units and open requests, as far as they are sure and as far as they may be."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.open: list[Held] = []
        self.lost: list[Lost] = []
        self.burst: list[Units] = []
        self.daily: Counter[int] = Counter()
        self.seen: defaultdict[int, set[str]] = defaultdict(set)

    def settle(self, held: Held, outcome: Outcome, cost: int, now: float) -> None:
        """Count what a request came to."""
        self.open.remove(held)
        if not outcome.counts(hard=True):
            return
        if held.asks(DAILY):
            self.daily[day_of(held.since)] += cost
        if held.asks(SEATS):
            self.seen[day_of(held.since)].add(held.user)
        if held.asks(BURST):
            over = now >= held.since + MINUTE
            self.burst.append(Units(min(held.units, cost), held.since, held.since))
            beyond = max(0, cost - held.units)
            surely_over = now >= held.since + MINUTE + MINUTE / GRAINS
            first = now if surely_over else held.since
            self.burst.append(Units(beyond, first, now if over else held.since))

    def lose(self, held: Held, now: float) -> None:
        """Forget a request whose process is gone, or count it where nothing may be forgotten."""
        self.open.remove(held)
        self.lost.append(Lost(held, now))

    def check(self, claims: Sequence[Claim], now: float) -> None:
        """Make sure that what was let in is within what was agreed."""
        for each in claims:
            least, _ = self._used(each.limit, now)
            alone = each.limit is BURST and least == 0
            if each.limit is SEATS:
                least = len(self._seated(now) | {each.member}) - each.cost
                known = each.member in self._seated(now) | self._back(now)
                assert known or least + each.cost <= each.amount, each
            else:
                assert least + each.cost <= each.amount or alone, (each, least)

    def may_refuse(self, claims: Sequence[Claim], now: float) -> bool:
        """Tell whether one of the claims may be more than is left; leases may have the rest."""
        return not self.strict or any(
            self._used(each.limit, now)[1] + each.cost > each.amount for each in claims
        )

    def compare(self, readings: Mapping[str, Reading], now: float) -> None:
        """Make sure that what is read is what was settled and what is open."""
        for terms in (DAILY, BURST, AT_ONCE, SEATS):
            reading = readings.get(terms.name)
            least, most = self._used(terms, now)
            used = reading.used if reading is not None else 0
            assert least <= used <= most, (terms.name, least, used, most)
        daily = readings.get("daily")
        sure = self.daily[day_of(now)]
        gone = sum(lost.held.units for lost in self._gone(DAILY, day_of(now)))
        settled = daily.settled if daily is not None else 0
        assert sure <= settled <= sure + (gone if self.strict else 0)

    def _used(self, terms: LimitTerms, now: float) -> tuple[int, int]:
        """Give what of a limit is surely used, and what may be."""
        if terms is SEATS:
            least, most = len(self._seated(now)), len(self._seated(now) | self._maybe_seated(now))
        elif terms is AT_ONCE:
            held = [held for held in self.open if held.asks(terms)]
            least = sum(not each.silent for each in held)
            most = len(held) + sum(lost.held.asks(terms) for lost in self._latest(now))
        elif terms is DAILY:
            least, most = self._daily(now)
        else:
            least, most = self._burst(now)
        return least, most

    def _daily(self, now: float) -> tuple[int, int]:
        today = day_of(now)
        held = [each for each in self.open if each.asks(DAILY) and day_of(each.since) == today]
        most = self.daily[today] + sum(each.units for each in held)
        least = most - sum(each.units for each in held if each.doubtful)
        gone = sum(lost.held.units for lost in self._gone(DAILY, today))
        if self.strict:
            return least + gone, most + gone
        latest = [lost.held for lost in self._latest(now) if lost.held.asks(DAILY)]
        return least, most + sum(each.units for each in latest if day_of(each.since) == today)

    def _burst(self, now: float) -> tuple[int, int]:
        held = [each for each in self.open if each.asks(BURST)]
        units = [Units(each.units, each.since, each.since) for each in held]
        sure = [Units(each.units, each.since, each.since) for each in held if not each.doubtful]
        lost = self.lost if self.strict else self._latest(now)
        # Nobody says when units of a process that is gone were used: they end after its silence.
        gone = [
            Units(each.held.units, each.held.since, each.ended + SILENCE)
            for each in lost
            if each.held.asks(BURST)
        ]
        least = _surely([*self.burst, *sure, *(gone if self.strict else [])], now)
        return least, _maybe([*self.burst, *units, *gone], now)

    def _gone(self, terms: LimitTerms, day: int) -> list[Lost]:
        return [
            lost for lost in self.lost if lost.held.asks(terms) and day_of(lost.held.since) == day
        ]

    def _latest(self, now: float) -> list[Lost]:
        return [lost for lost in self.lost if now < lost.ended + SILENCE + 1]

    def _seated(self, now: float) -> set[str]:
        today = day_of(now)
        held = {
            each.user
            for each in self.open
            if each.asks(SEATS) and not each.silent and day_of(each.since) == today
        }
        return self.seen[today] | held

    def _back(self, now: float) -> set[str]:
        """Give who has his seat back: his process was silent and speaks again, full or not."""
        today = day_of(now)
        return {
            each.user
            for each in self.open
            if each.asks(SEATS) and each.silent and day_of(each.since) == today
        }

    def _maybe_seated(self, now: float) -> set[str]:
        """Give who may hold a seat besides: of yesterday, or of a process that is gone."""
        held = [*self.open, *(lost.held for lost in self._latest(now))]
        return {each.user for each in held if each.asks(SEATS)}


def _surely(units: Iterable[Units], now: float) -> int:
    """Add up what the last minute surely has."""
    return sum(each.units for each in units if each.first + MINUTE > now)


def _maybe(units: Iterable[Units], now: float) -> int:
    """Add up what may be held on to for a grain more."""
    ends = MINUTE + 2 * MINUTE / GRAINS
    return sum(each.units for each in units if each.last + ends > now)
