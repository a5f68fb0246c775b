"""Claims: what a request asks of each limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairuse.rules.headers import policy_item
from fairuse.rules.windows import Rolling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.terms import LimitTerms
    from fairuse.rules.windows import Span


class Claim:
    """What one request asks of one limit: `cost` units (>= 0) within `amount`.

    `span` is the calendar window of this moment, and None for other windows; `member` is who is
    told apart. `hard` says that it is refused where it does not fit: what only lowers a level never
    is. `flow` tells units that add up from levels and members, `plain` those of a hard limit.
    `window_seconds` are 0 where there is no window. `counter` is the store's own mark: where it
    counted a claim like this last.
    """

    __slots__ = (
        "amount",
        "cost",
        "counter",
        "flow",
        "hard",
        "limit",
        "member",
        "plain",
        "scope",
        "span",
        "window_seconds",
    )

    def __init__(
        self,
        limit: LimitTerms,
        scope: ScopeKey,
        amount: int,
        cost: int,
        span: Span | None,
        member: str = "",
        *,
        refusable: bool = True,
    ) -> None:
        self.limit = limit
        self.scope = scope
        self.amount = amount
        self.cost = cost
        self.span = span
        self.member = member
        self.hard = limit.hard and refusable
        self.flow = limit.kind == "flow"
        self.plain = self.flow and limit.hard
        self.window_seconds = _window_seconds(limit, span)
        self.counter: Any = None

    def but(self, *, cost: int, span: Span | None) -> Claim:
        """Give the same claim for other units and another window."""
        claim = Claim(self.limit, self.scope, self.amount, cost, span, self.member)
        claim.hard = self.hard
        claim.counter = self.counter
        return claim

    def whole(self, counted: int) -> int:
        """Turn what is counted into whole units, rounded down."""
        decimals = self.limit.unit.decimals
        return int(counted // 10**decimals) if decimals else counted

    def __repr__(self) -> str:
        return f"Claim({self.limit.name!r}, {self.scope!r}, {self.cost} of {self.amount})"


def _window_seconds(limit: LimitTerms, span: Span | None) -> int:
    if span is not None:
        return span.end - span.start
    return limit.window.seconds if isinstance(limit.window, Rolling) else 0


class Claims:
    """The claims of a request: the same for every request like it until a window turns.

    From `since` until before `until` (seconds since 1970) windows and amounts are the same.
    """

    __slots__ = ("_policy", "all", "since", "until")

    def __init__(self, claims: Sequence[Claim], since: float, until: float) -> None:
        self.all = claims
        self.since = since
        self.until = until
        self._policy: str | None = None

    @property
    def policy(self) -> str:
        """Give what RateLimit-Policy says of the hard limits; "" where there are none."""
        if self._policy is None:
            self._policy = ", ".join(
                policy_item(claim.limit.name, claim.whole(claim.amount), claim.window_seconds)
                for claim in self.all
                if claim.limit.hard and claim.window_seconds
            )
        return self._policy
