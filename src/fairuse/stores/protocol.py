"""The promises of every counter store.

Called by the stages on the event loop, by `decide` once and by `settle` once per request. The
store is told what time it is; it never reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fairuse.rules.windows import Rolling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.base.instant import Instant
    from fairuse.rules.tally import ScopeKey, Slot, Tally
    from fairuse.rules.terms import LimitTerms
    from fairuse.rules.windows import Span


class Claim(NamedTuple):
    """What one request asks of one limit: `cost` units (>= 0) within `amount`.

    `span` is the calendar window of this moment, and None for other windows; `member` is who is
    told apart. What only lowers a level is never refused.
    """

    limit: LimitTerms
    scope: ScopeKey
    amount: int
    cost: int
    span: Span | None
    member: str = ""
    refusable: bool = True

    @property
    def window_seconds(self) -> int:
        """Give the length of the window; 0 where there is none."""
        if self.span is not None:
            return self.span.end - self.span.start
        return self.limit.window.seconds if isinstance(self.limit.window, Rolling) else 0


class Hold(NamedTuple):
    """Units reserved on one limit."""

    claim: Claim
    tally: Tally
    slot: Slot


class Receipt:
    """Units reserved on every limit of a request, until they are settled once."""

    __slots__ = ("holds", "open")

    def __init__(self, holds: list[Hold]) -> None:
        self.holds = holds
        self.open = True


class Exceeded(NamedTuple):
    """Nothing was reserved: `claim` is over, and may fit again in `frees_in` seconds.

    Of several it is the one that takes longest; None where time alone will not do. `others` are
    the other claims that did not fit.
    """

    claim: Claim
    used: int
    frees_in: float | None
    others: tuple[Claim, ...] = ()


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


class Counters(Protocol):
    """Counts units. Every implementation keeps the same promises."""

    def reserve(self, account: str, claims: Iterable[Claim], at: Instant) -> Receipt | Exceeded:
        """Reserve on all claims or on none (F-25); a refused request burns nothing (F-24).

        Hard limits refuse, soft ones never do (P4).
        """
        ...

    def settle(
        self, receipt: Receipt, outcome: Outcome, costs: Costs, at: Instant
    ) -> list[Crossing]:
        """Close a receipt: the units count, or are given back. A second time does nothing (F-26).

        `costs` says what the meters really came to, where that is not what was reserved; None
        where nobody told. Gives the soft limits that this receipt took over their amount: of a
        calendar window once, of a rolling one each time.
        """
        ...

    def accrue(self, receipt: Receipt, costs: Mapping[str, int], at: Instant) -> list[Crossing]:
        """Count units of a receipt that stays open, such as the seconds of a long stream (B08)."""
        ...

    def record(self, account: str, claim: Claim, moment: float, at: Instant) -> Crossing | None:
        """Count what was used at an earlier moment; facts are never refused (S16).

        `claim.cost` are the units, the level, or 1 for a member; `claim.span` the window of the
        moment.
        """
        ...

    def read(self, account: str, at: Instant) -> list[Reading]:
        """Give what the account has used, limit by limit and scope by scope."""
        ...
