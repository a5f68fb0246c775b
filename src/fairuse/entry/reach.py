"""`fairuse check --usage`: whom the policies in a folder would have touched (A02, A07)."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.errors import NotPossible
from fairuse.rules.agreed import Agreement, History
from fairuse.rules.reach import (
    LimitReach,
    PolicyReach,
    looked_at,
    touches,
    untold,
    windows_of,
)
from fairuse.rules.statement import parse_month
from fairuse.rules.terms import limit_terms
from fairuse.rules.versions import NEXT
from fairuse.stores.forces import Forces
from fairuse.stores.history import earlier_snapshots, latest_snapshots
from fairuse.stores.ledger import Ledger
from fairuse.stores.spans import MOST_EDGES, used_in_spans

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from fairuse.rules.policy import Limit, Policy
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.rules.windows import BillingDay, Span
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.spans import Used

LAST = "last"
"""The latest month that is over."""


class _Calendar(NamedTuple):
    """Whose months begin at the same moments."""

    zone: ZoneInfo
    billing: BillingDay


def end_of(month: str, now: float) -> float:
    """Give a moment at which a month such as "2026-10" is over everywhere. Raises ValueError."""
    if month == LAST:
        return now
    first = parse_month(month)
    following = (first.replace(day=1) + timedelta(days=32)).replace(day=2)
    return datetime(following.year, following.month, following.day, tzinfo=UTC).timestamp()


async def reach_of(configuration: Configuration, moment: float) -> list[PolicyReach]:
    """Give whom each policy would have touched in the latest month that is over at a moment.

    A next version that lies beside a policy is looked at, too. One query a limit, however many
    accounts there are. Raises LedgerError, and NotPossible where there is no ledger.
    """
    ledger = await Ledger.look_into(configuration.current.settings.ledger.url)
    if ledger is None:
        raise NotPossible("there is no ledger yet, so nobody's use is recorded")
    try:
        history = History(await latest_snapshots(ledger), {}, await earlier_snapshots(ledger))
        await Forces().look(ledger, configuration, moment)
        return [
            await _Looked(name, policy, accounts, history, moment).reach(ledger)
            for name, policy, accounts in _policies(configuration)
        ]
    finally:
        await ledger.close()


def _policies(
    configuration: Configuration,
) -> Iterator[tuple[str, Policy, Mapping[str, Terms]]]:
    accounts: dict[str, dict[str, Terms]] = {}
    for name, terms in configuration.current.accounts.items():
        accounts.setdefault(terms.policy, {})[name] = terms
    for name, policy in configuration.policies.items():
        held = accounts.get(name.removesuffix(NEXT))
        if held:
            yield name, policy, held


class _Held(NamedTuple):
    """Whom a policy is for, and since when."""

    terms: Terms
    calendar: _Calendar
    applies_from: float


class _Looked:
    """One policy that is looked at, and the accounts it is or would be for."""

    def __init__(
        self,
        name: str,
        policy: Policy,
        accounts: Mapping[str, Terms],
        history: History,
        moment: float,
    ) -> None:
        self._name = name
        self._policy = policy
        self._history = history
        self._averages = any(meter.average for meter in policy.meters.values())
        self._moment = moment
        held = {account: _held(terms, policy) for account, terms in accounts.items()}
        self._accounts = {name: one for name, one in held.items() if one.applies_from < moment}
        self._calendars = sorted({one.calendar for one in self._accounts.values()}, key=str)

    async def reach(self, ledger: Ledger) -> PolicyReach:
        """Look at each limit that customers can notice. Raises LedgerError."""
        found = [
            await self._limit(ledger, name, limit)
            for name, limit in self._policy.limits.items()
            if limit.over != "signal"
        ]
        return PolicyReach(
            self._name,
            len(self._accounts),
            len(set().union(*(touched for _, touched in found))),
            self._policy.expected_share,
            tuple(limit for limit, _ in found),
        )

    async def _limit(
        self, ledger: Ledger, name: str, limit: Limit
    ) -> tuple[LimitReach, frozenset[str]]:
        why_not = untold(limit, self._policy.meters[limit.meter])
        if why_not:
            return LimitReach(name, limit.over, why_not=why_not), frozenset()
        touched: set[str] = set()
        unknown: set[str] = set()
        recorded = False
        for windows in self._windows(limit):
            async with aclosing(_used(ledger, limit, windows)) as rows:
                async for used in rows:
                    held = self._accounts.get(used.account)
                    if held is not None and held.calendar in windows:
                        recorded = True
                        is_touched = self._touches(held, name, used, windows[held.calendar])
                        if is_touched is not False:
                            (touched if is_touched else unknown).add(used.account)
        counts = len(touched), len(unknown - touched), recorded
        return LimitReach(name, limit.over, looked_at(limit), *counts), frozenset(touched)

    def _windows(self, limit: Limit) -> Iterator[dict[_Calendar, tuple[Span, ...]]]:
        """Give the windows that are looked at, of as many calendars at once as a query can take."""
        some: dict[_Calendar, tuple[Span, ...]] = {}
        edges: set[int] = set()
        for calendar in self._calendars:
            windows = windows_of(limit, self._moment, *calendar)
            more = edges | {edge for span in windows for edge in span}
            if len(more) > MOST_EDGES and some:
                yield some
                some, more = {}, {edge for span in windows for edge in span}
            some[calendar], edges = windows, more
        if some:
            yield some

    def _touches(
        self, held: _Held, name: str, used: Used, windows: tuple[Span, ...]
    ) -> bool | None:
        scope = (("location", used.location),) if used.location else ()
        units = {span: used.within(span) for span in windows}
        return touches(self._of(held.terms, name).within(scope), units, held.applies_from)

    def _of(self, terms: Terms, name: str) -> LimitTerms:
        """Give the limit as it holds, or would hold, for an account."""
        known = terms.limit(name)
        if terms.rules is self._policy and known is not None and not self._averages:
            return known
        of = terms.agreement
        agreement = Agreement(of.account, of.tenant, self._policy, self._history, of.grants)
        return limit_terms(name, self._policy.limits[name], agreement)


def _held(terms: Terms, policy: Policy) -> _Held:
    tenant = terms.agreement.tenant
    return _Held(terms, _Calendar(terms.zone, tenant.billing), tenant.applies_from(policy.applies))


def _used(
    ledger: Ledger, limit: Limit, windows: Mapping[_Calendar, tuple[Span, ...]]
) -> AsyncGenerator[Used, None]:
    spans = {span for of in windows.values() for span in of}
    return used_in_spans(ledger, limit.meter, spans, by_location="location" in limit.scope)
