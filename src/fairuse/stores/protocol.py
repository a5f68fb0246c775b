"""The promises of every counter store.

Called by the stages on the event loop: `try_reserve` once per request, `reserve` only where that
could not say, and `settle` once. What a store has to wait for it waits for by itself; a request
waits in `reserve` alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim, Claims
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.terms import LimitTerms

    Standing = tuple[Claim, int, float]
    """A claim, what is used of its limit, and in how many seconds nothing would be."""


class Receipt:
    """Units reserved on every limit of a request, until they are settled once."""

    __slots__ = ("claims", "open")

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = claims
        self.open = True

    def standings(self, at: Instant) -> list[Standing]:
        """Give how each limit stands."""
        raise NotImplementedError


class Exceeded(NamedTuple):
    """Nothing was reserved: `claim` is over, and may fit again in `frees_in` seconds.

    Of several it is the one that takes longest; None where time alone will not do. `others` are
    the other claims that did not fit.
    """

    claim: Claim
    used: int
    frees_in: float | None
    others: tuple[Claim, ...] = ()


def longest(exceeded: Sequence[Exceeded]) -> Exceeded:
    """Give of several the one that takes longest: until it is over, all are."""
    found = max(exceeded, key=lambda each: math.inf if each.frees_in is None else each.frees_in)
    return found._replace(others=tuple(each.claim for each in exceeded if each is not found))


class StoreAway(NamedTuple):
    """Nothing was reserved: the store can't be asked, and `claim` may not be decided without it."""

    claim: Claim


Decision = Receipt | Exceeded | StoreAway


class Crossing(NamedTuple):
    """The settled units of a soft limit went over its amount; `reading` is their number then.

    `starts_at` and `ends_at` bound the window, in seconds since 1970.
    """

    account: str
    limit: LimitTerms
    scope: ScopeKey
    amount: int
    reading: int
    starts_at: float
    ends_at: float


class Reading(NamedTuple):
    """What is used of one limit in one scope: `settled` units, and `used` with the open ones.

    Of a level, `used` is the level and `settled` the highest of the window. `starts_at` and
    `ends_at` bound the window on wall time; a rolling one ends when it is empty.
    """

    limit: str
    window: str
    scope: ScopeKey
    settled: int
    used: int
    starts_at: float
    ends_at: float


class Outcome(Enum):
    """What became of a request.

    UNKNOWN is a client that broke off before its request was complete: the API may have accepted
    it. That counts for hard limits, or breaking off would be a way around them, and not for what
    the customer is measured by.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"

    def counts(self, *, hard: bool) -> bool:
        """Say whether the units of such a request stay counted."""
        return self is Outcome.ACCEPTED or (hard and self is Outcome.UNKNOWN)


Costs = Mapping[str, int | None]
"""Units by meter."""

Crossed = Callable[[Crossing], None]
"""Hears of soft limits that were gone over: of a calendar window once, of a rolling one always."""


class Counters(Protocol):
    """Counts units. Every implementation keeps the same promises."""

    @property
    def away(self) -> str:
        """Say why the store can't be asked at the moment; "" where it can."""
        ...

    def try_reserve(self, account: str, claims: Claims, at: Instant) -> Decision | None:
        """Reserve without waiting on all claims or on none (F-25); None where it has to be asked.

        A refused request burns nothing (F-24). Hard limits refuse, soft ones never do (P4).
        """
        ...

    async def reserve(self, account: str, claims: Claims, at: Instant) -> Decision:
        """Reserve in the same way, and wait for the answer, for a bounded time (F-37)."""
        ...

    def settle(self, receipt: Receipt, outcome: Outcome, costs: Costs, at: Instant) -> None:
        """Close a receipt: the units count, or are given back. A second time does nothing (F-26).

        `costs` says what the meters really came to, where that is not what was reserved; None
        where nobody told.
        """
        ...

    def accrue(self, receipt: Receipt, costs: Mapping[str, int], at: Instant) -> None:
        """Count units of a receipt that stays open, such as the seconds of a long stream (B08)."""
        ...

    def record(self, account: str, claim: Claim, moment: float, at: Instant) -> None:
        """Count what was used at an earlier moment; facts are never refused (S16).

        `claim.cost` are the units, the level, or 1 for a member; `claim.span` the window of the
        moment.
        """
        ...

    async def read(self, account: str, at: Instant) -> list[Reading]:
        """Give what the account has used, limit by limit and scope by scope.

        Raises StoreError where nobody knows.
        """
        ...

    async def flush(self) -> None:
        """Wait until the store has all that was counted so far. Raises StoreError."""
        ...

    def sweep(self, at: Instant) -> None:
        """Forget what is over; called again and again, at least once a minute."""
        ...
