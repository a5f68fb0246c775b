"""The load: which requests are under way, and how many were answered since somebody looked.

Requests only come and go here; who they are of, and since when, is looked at once a second.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.exchange import CLIENT_GONE
from fairuse.rules.overload import Sample

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.exchange import Exchange

SERVER_ERROR = 500


class Throttle(NamedTuple):
    """While `capacity` requests or more are under way, an account may have `allowed` of them.

    It is made anew every second, and holds until `until`, monotonic seconds, if it is not. The
    overload it is for began at `since` and ends at `ends_at` at the earliest, on wall time.
    """

    account: str
    allowed: int
    capacity: int
    until: float
    since: float
    ends_at: float


class Load:
    """Requests under way; `throttle` is in force while overload is mostly one account's.

    `of_throttled` counts its requests that are under way, and `refused` those that were refused.
    `accounts` is how many had any the last time somebody looked.
    """

    __slots__ = (
        "_answered",
        "_failed",
        "_looked_at",
        "accounts",
        "of_throttled",
        "refused",
        "throttle",
        "under_way",
    )

    def __init__(self) -> None:
        self.under_way: set[Exchange] = set()
        self.throttle: Throttle | None = None
        self.of_throttled = 0
        self.refused = 0
        self.accounts = 0
        self._answered = 0
        self._failed = 0
        self._looked_at: float | None = None

    def begin(self, exchange: Exchange) -> None:
        """Have a request under way."""
        self.under_way.add(exchange)
        if self.throttle is not None and _account(exchange) == self.throttle.account:
            self.of_throttled += 1

    def end(self, exchange: Exchange) -> None:
        """Have it answered, or given up by its client."""
        self.under_way.discard(exchange)
        if self.throttle is not None and _account(exchange) == self.throttle.account:
            self.of_throttled -= 1
        status = exchange.status
        if status is None and exchange.fault == CLIENT_GONE:
            return
        self._answered += 1
        if status is None or status >= SERVER_ERROR:
            self._failed += 1

    def put_in_force(self, throttle: Throttle | None) -> None:
        """Throttle an account, or nobody any more."""
        before, self.throttle = self.throttle, throttle
        if throttle is None:
            return
        self.of_throttled = sum(_account(each) == throttle.account for each in self.under_way)
        if before is None or before.account != throttle.account:
            self.refused = 0

    def look(self, at: Instant, slow: float) -> Sample | None:
        """Give what there is to see since the last look; None the first time.

        Slow is who waits for the beginning of an answer for longer than so many seconds.
        """
        before, self._looked_at = self._looked_at, at.monotonic
        if before is None or at.monotonic <= before:
            return None
        counts = Counter(map(_account, self.under_way))
        self.accounts = len(counts)
        since, until = before - slow, at.monotonic - slow
        late = sum(
            since < exchange.began <= until and exchange.status is None
            for exchange in self.under_way
        )
        sample = Sample(at, at.monotonic - before, counts, self._answered, late, self._failed)
        self._answered = self._failed = 0
        return sample


def _account(exchange: Exchange) -> str:
    return exchange.subject.account if exchange.subject is not None else ""
