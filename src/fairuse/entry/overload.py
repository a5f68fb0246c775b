"""Overload, watched: once a second somebody looks at the load, and at whose it is.

Each process watches its own requests. What it finds out goes into the ledger, where one process
puts together what all of them saw.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING

from fairuse.base import metrics
from fairuse.base.errors import LedgerError
from fairuse.base.log import logger
from fairuse.rules.attribution import (
    ONE_INCIDENT_SECONDS,
    USUAL_SECONDS,
    Usual,
    fair_share,
    shares,
    stands_out,
)
from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.overload import Detector
from fairuse.rules.windows import Span, hour_of
from fairuse.stages.notify import notify_throttled
from fairuse.stores.load import Throttle
from fairuse.stores.rows import BreachRow
from fairuse.stores.usage import Use, hourly_usage

if TYPE_CHECKING:
    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.rules.attribution import Share
    from fairuse.rules.overload import Episode, Overload, Sample
    from fairuse.rules.terms import Terms
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.journal import Journal
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.load import Load

LOOK_SECONDS = 1.0
NOTE_SECONDS = 60
"""How often it is written down who kept the platform busy."""
NOTED = 20
"""Accounts of which it is: those with the most load of that time."""
THROTTLED_SECONDS = 10.0
"""How long a throttle holds that is not made anew."""
BUSY = "(busy)"
"""What the ledger keeps the milliseconds of work under; no meter can have this name."""
EVERYBODY = "(everybody)"
"""The account that has those of all; no account can have this name."""

log = logger(__name__)


class OverloadWatch:
    """Looks at the load, throttles where a policy allows it, and notes whose overload it was."""

    def __init__(
        self,
        clock: Clock,
        configuration: Configuration,
        load: Load,
        journal: Journal,
        ledger: Ledger,
    ) -> None:
        self._clock = clock
        self._configuration = configuration
        self._load = load
        self._journal = journal
        self._ledger = ledger
        self._detector = Detector()
        self._ended: list[Episode] = []
        self._busy: Counter[str] = Counter()
        self._noted_at = clock.now().monotonic
        self._usual: dict[str, Usual] = {}
        self._told: dict[str, float] = {}
        self._reads = True
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Look once a second, until cancelled; what lasts then ends then."""
        try:
            while True:
                await self._safely()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            metrics.OVERLOADED.set(0)
            if (episode := self._detector.end()) is not None:
                self._ended.append(episode)
                await self._safely()

    async def look(self) -> None:
        """Look once. Raises LedgerError; what could not be done then is done the next time."""
        async with self._one_at_a_time:
            await self._look()

    async def _look(self) -> None:
        at, rules = self._clock.now(), self._rules
        sample = self._load.look(at, rules.slow)
        if sample is not None:
            self._take(sample, rules)
        await self._tell(at)
        for episode in [*self._ended]:
            await self._attribute(episode, at)
            self._ended.remove(episode)
        await self._throttle(at)

    async def _safely(self) -> None:
        try:
            await self.look()
            self._reads = True
        except LedgerError as error:
            if self._reads:
                log.error("overload.put_off", reason=str(error))
            self._reads = False
        except Exception:  # a fault of ours must not end the watch
            log.exception("overload.failed")

    @property
    def _rules(self) -> Overload:
        return self._configuration.current.settings.overload

    @property
    def _capacity(self) -> int | None:
        """Give how many requests may be under way; None where nobody can say."""
        upstream = self._configuration.current.settings.upstream
        connections = None
        if upstream is not None:
            connections = upstream.max_connections * len(upstream.url)
        return self._rules.capacity(connections)

    def _take(self, sample: Sample, rules: Overload) -> None:
        """Find out whether an episode begins or ends, and what is usual."""
        before, capacity = self._detector.episode, self._capacity
        ended = self._detector.take(sample, rules, capacity)
        now = self._detector.episode
        metrics.UNDER_WAY.set(sample.total)
        metrics.OVERLOADED.set(now is not None)
        if before is None and now is not None:
            metrics.OVERLOADS.inc()
            self._usual.clear()
            causes = {"causes": now.causes, "under_way": sample.total, "room_for": capacity}
            log.warning("overload.began", **causes, top=dict(shares(now.busy)))
        if ended is not None:
            self._ended.append(ended)
        room = capacity is None or sample.total <= capacity
        if now is None and room and not sample.lost:
            self._note(sample)

    def _note(self, sample: Sample) -> None:
        """Have it written whom the platform works for as long as it is not overloaded."""
        for account, count in sample.under_way.items():
            self._busy[account] += round(count * sample.seconds * 1_000)
        if sample.at.monotonic - self._noted_at < NOTE_SECONDS:
            return
        self._noted_at = sample.at.monotonic
        top = [*self._busy.most_common(NOTED), (EVERYBODY, self._busy.total())]
        for account, units in top:
            if units:
                self._journal.note_usage(account, "", BUSY, units, hour_of(sample.at.wall, UTC))
        self._busy.clear()

    async def _attribute(self, episode: Episode, at: Instant) -> None:
        """Note an episode that was mostly one account's; log whosever it was."""
        top = await self._top(episode)
        span = {"seconds": round(episode.ends_at - episode.starts_at), "causes": episode.causes}
        whose = {"account": top.account if top else None, "top": dict(shares(episode.busy))}
        log.warning("overload.ended", **span, **whose)
        terms = self._terms_of(top, at)
        if top is None or terms is None or terms.rules.overload is None:
            return
        when = (episode.starts_at, episode.ends_at, episode.ends_at)
        figures = (top.per_cent, self._rules.top_share)
        self._journal.note_breach(
            BreachRow(terms.tenant, top.account, OVERLOAD, (), *when, *figures)
        )

    async def _throttle(self, at: Instant) -> None:
        """Throttle the account whose overload it is, as long as it is, where its policy says so."""
        episode, capacity = self._detector.episode, self._capacity
        if episode is None or capacity is None:
            self._load.put_in_force(None)
            return
        top = await self._top(episode)
        terms = self._terms_of(top, at)
        if top is None or terms is None or "throttle" not in terms.rules.emergency.allowed:
            self._load.put_in_force(None)
            return
        allowed = fair_share(capacity, self._load.accounts)
        until = at.monotonic + THROTTLED_SECONDS
        ends_at = at.wall + self._detector.ends_in(at, self._rules)
        self._load.put_in_force(
            Throttle(top.account, allowed, capacity, until, episode.starts_at, ends_at)
        )

    async def _tell(self, at: Instant) -> None:
        """Tell an account that is throttled, once an hour, and only if anything was refused."""
        throttle = self._load.throttle
        if throttle is None or not self._load.refused:
            return
        terms = self._configuration.current.accounts.get(throttle.account)
        told = self._told.get(throttle.account, -math.inf)
        if terms is None or throttle.since - told < ONE_INCIDENT_SECONDS:
            return
        head = self._configuration.letterhead
        await notify_throttled(throttle, terms, head, self._ledger, at)
        self._told[throttle.account] = throttle.since

    def _terms_of(self, top: Share | None, at: Instant) -> Terms | None:
        """Give the terms of an account, where its policy is for its contract."""
        if top is None:
            return None
        terms = self._configuration.current.accounts.get(top.account)
        return terms if terms is not None and terms.applies_at(at.wall) else None

    async def _top(self, episode: Episode) -> Share | None:
        """Give the account whose overload it is, if it is mostly one's. Raises LedgerError."""
        top = next(iter(shares(episode.busy)), None)
        if top is None or top.per_cent < self._rules.top_share:
            return None
        if top.account not in self._usual:
            self._usual[top.account] = await self._usual_of(top.account, episode.starts_at)
        usual = self._usual[top.account]
        known = stands_out(top, episode.busy, usual, self._rules, episode.starts_at)
        return top if known else None

    async def _usual_of(self, account: str, moment: float) -> Usual:
        """Look up how much of the platform's work was an account's before a moment."""
        span = Span(int(moment - USUAL_SECONDS), int(moment))
        own = await hourly_usage(self._ledger, Use(account, BUSY, None, span))
        everybody = await hourly_usage(self._ledger, Use(EVERYBODY, BUSY, None, span))
        since = everybody[0][0] if everybody else moment
        return Usual(
            sum(units for _, units in own), sum(units for _, units in everybody), float(since)
        )
