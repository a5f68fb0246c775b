"""Claims: what a request asks of each limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fairuse.rules.headers import policy_header, policy_item, state_form
from fairuse.rules.windows import Rolling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.base.wire import Header
    from fairuse.rules.grants import Grant
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.terms import LimitTerms
    from fairuse.rules.windows import Span


class Claim:
    """What one request asks of one limit: `cost` units (>= 0) within `amount`.

    `span` is the calendar window of this moment, and None for other windows; `member` is who is
    told apart. `hard` says that it is refused where it does not fit: what only lowers a level never
    is. `flow` tells units that add up from levels and members, `plain` those of a hard limit.
    `window_seconds` are 0 where there is no window; clients are told of what is `announced`. `one`
    is how many counted units are a whole one. `closed` is a measure that lets nobody in who is not
    known already. `counter` is the store's own mark: where it counted a claim like this last.
    """

    __slots__ = (
        "amount",
        "announced",
        "closed",
        "cost",
        "counter",
        "flow",
        "hard",
        "limit",
        "member",
        "one",
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
        self.announced = limit.hard and self.window_seconds > 0
        self.one: int = 10**limit.unit.decimals
        self.closed: Grant | None = None
        self.counter: Any = None

    def close(self, measure: Grant) -> None:
        """Let nobody in who is not known already: that is how a full limit treats members."""
        self.amount, self.hard, self.closed = 0, True, measure

    def but(self, *, cost: int, span: Span | None) -> Claim:
        """Give the same claim for other units and another window."""
        claim = Claim(self.limit, self.scope, self.amount, cost, span, self.member)
        claim.hard, claim.closed = self.hard, self.closed
        claim.counter = self.counter
        return claim

    def __repr__(self) -> str:
        return f"Claim({self.limit.name!r}, {self.scope!r}, {self.cost} of {self.amount})"


def _window_seconds(limit: LimitTerms, span: Span | None) -> int:
    if span is not None:
        return span.end - span.start
    return limit.window.seconds if isinstance(limit.window, Rolling) else 0


class Claims(list[Claim]):
    """The claims of a request: the same for every request like it until a window turns.

    From `since` until before `until` (seconds since 1970) windows and amounts are the same. It
    `adds_up` where all of it are units that add up within a window. `mark` is nobody else's. `tab`
    and `slots` are the store's own marks: what requests like this have taken and is not entered
    yet, and which slots the one before took from.
    """

    __slots__ = ("_policy", "_state", "adds_up", "mark", "since", "slots", "tab", "until")

    def __init__(
        self, claims: Iterable[Claim] = (), since: float = -math.inf, until: float = math.inf
    ) -> None:
        super().__init__(claims)
        self.since = since
        self.until = until
        self.adds_up = all(claim.flow and claim.window_seconds for claim in self)
        self.mark = object()
        self.tab: Any = None
        self.slots: Any = None
        self._policy: Header | None = None
        self._state = b""

    @property
    def policy(self) -> Header | None:
        """Give RateLimit-Policy: what is agreed of the hard limits; None where there are none."""
        if self._policy is None and any(claim.announced for claim in self):
            self._policy = policy_header(
                policy_item(claim.limit.name, claim.amount // claim.one, claim.window_seconds)
                for claim in self
                if claim.announced
            )
        return self._policy

    @property
    def state(self) -> bytes:
        """Give the form of RateLimit: two places for each limit, as `state_form` has them."""
        if not self._state:
            self._state = state_form(claim.limit.name for claim in self if claim.announced)
        return self._state
