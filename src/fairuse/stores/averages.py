"""Averages of cohorts and own medians: taken from the ledger when due, and frozen until then."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING

from fairuse.base.log import logger
from fairuse.rules.agreed import History, MedianKey
from fairuse.rules.cohorts import Member, Snapshot, due, enough
from fairuse.rules.expression import OwnMedian
from fairuse.rules.windows import Calendar, Span, midnight, months_before
from fairuse.stores.history import (
    add_snapshot,
    earlier_snapshots,
    latest_snapshot_id,
    latest_snapshots,
)
from fairuse.stores.usage import Use, first_usage, hourly_usage, total_usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fairuse.rules.cohorts import CohortKey
    from fairuse.rules.config import Config
    from fairuse.rules.meters import CohortAverage
    from fairuse.rules.terms import Terms
    from fairuse.rules.windows import Unit
    from fairuse.stores.ledger import Ledger

MEDIAN_MONTHS = 6
FEWEST: dict[Unit, int] = {"day": 7, "month": 3, "year": 2}
"""How many days, months or years with use a median needs before it means something."""

log = logger(__name__)


class Averages:
    """Knows the snapshots and medians in force, and renews those that are due."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._latest = 0
        self._medians_of = ""
        self._tried: dict[CohortKey, str] = {}
        self.history = History()

    async def renew(self, config: Config, moment: float) -> bool:
        """Take what is due, and take up what somebody else took; says whether anything changed.

        Raises LedgerError.
        """
        today = datetime.fromtimestamp(moment, UTC).date().isoformat()
        for cohort, rule, members in _cohorts(config):
            if self._tried.get(cohort) != today and self._due(cohort, rule, moment):
                await take(self._ledger, cohort, rule, members, moment)
                self._tried[cohort] = today
        return await self.take_up(config, moment)

    def _due(self, cohort: CohortKey, rule: CohortAverage, moment: float) -> bool:
        """Say whether an average is due; one of too few accounts is tried again each month."""
        snapshot = self.history.snapshots.get(cohort)
        latest = snapshot.taken_at if snapshot is not None else None
        if rule.refresh == "yearly" and not enough(snapshot, rule.at_least):
            return due("monthly", latest, moment)
        return due(rule.refresh, latest, moment)

    async def take_up(self, config: Config, moment: float) -> bool:
        """Take up what the ledger has, and each day's medians; says whether anything changed."""
        latest = await latest_snapshot_id(self._ledger)
        today = datetime.fromtimestamp(moment, UTC).date().isoformat()
        if (latest, today) == (self._latest, self._medians_of):
            return False
        medians = self.history.medians
        if today != self._medians_of:
            medians = await _medians(self._ledger, config, moment)
        snapshots = await latest_snapshots(self._ledger)
        history = History(snapshots, medians, await earlier_snapshots(self._ledger))
        changed, self.history = history != self.history, history
        self._latest, self._medians_of = latest, today
        return changed


async def take_all(ledger: Ledger, config: Config, moment: float) -> list[Snapshot]:
    """Take a snapshot of every cohort now, whatever is due. Raises LedgerError."""
    taken = [
        await take(ledger, cohort, rule, members, moment)
        for cohort, rule, members in _cohorts(config)
    ]
    return [snapshot for snapshot in taken if snapshot is not None]


async def take(
    ledger: Ledger, cohort: CohortKey, rule: CohortAverage, members: list[Terms], moment: float
) -> Snapshot | None:
    """Freeze a cohort's average over the months that are over; None before the first one is."""
    accounts = {terms.account for terms in members}
    known = await first_usage(ledger, cohort.meter)
    began = {account: hour for account, hour in known.items() if account in accounts}
    if not began:
        return None
    usage: dict[Span, dict[str, int]] = {}
    found = {}
    for terms in members:
        billing = terms.agreement.tenant.billing
        months = _months(terms, rule, began, moment)
        shares = terms.agreement.shares(rule, moment)
        if not months or not shares:
            continue
        span = Span(months_before(moment, months, terms.zone, billing)[-1].start, 0)
        span = span._replace(end=Calendar("month").span(moment, terms.zone, billing).start)
        if span not in usage:
            usage[span] = await total_usage(ledger, cohort.meter, span)
        used = usage[span].get(terms.account, 0)
        found[terms.account] = Member(Fraction(used, months), shares)
    if not found:
        return None
    snapshot = Snapshot(cohort, moment, rule.method, found)
    average = snapshot.average
    await add_snapshot(ledger, snapshot, average)
    log.info("snapshot.taken", cohort="/".join(cohort), n=snapshot.n, average=float(average))
    return snapshot


def _months(terms: Terms, rule: CohortAverage, began: dict[str, int], moment: float) -> int:
    """Count the months an account's use is averaged over, all of them over.

    They are those it was there, and no month before anybody's use was counted.
    """
    months = months_before(moment, rule.over, terms.zone, terms.agreement.tenant.billing)
    known = [began[terms.account]] if terms.account in began else []
    since = terms.agreement.tenant.contract.since
    if since is not None:
        known.append(midnight(since, terms.zone))
    first = max(min(known, default=0), min(began.values()))
    return sum(month.end > first for month in months)


def _cohorts(config: Config) -> Iterator[tuple[CohortKey, CohortAverage, list[Terms]]]:
    found: dict[CohortKey, tuple[CohortAverage, list[Terms]]] = {}
    for terms in config.accounts.values():
        for name, meter in terms.rules.meters.items():
            if meter.average is not None:
                cohort = terms.agreement.cohort(name)
                found.setdefault(cohort, (meter.average, []))[1].append(terms)
    for cohort, (rule, members) in found.items():
        yield cohort, rule, members


async def _medians(ledger: Ledger, config: Config, moment: float) -> dict[MedianKey, Fraction]:
    medians = {}
    for terms in config.accounts.values():
        for limit in terms.limits:
            if not terms.rules.limits[limit.name].amount.uses(OwnMedian):
                continue
            window = limit.window
            if isinstance(window, Calendar):
                key = MedianKey(terms.account, limit.meter, window.unit)
                value = await _own_median(ledger, terms, key, moment)
                if value is not None:
                    medians[key] = value
    return medians


async def _own_median(
    ledger: Ledger, terms: Terms, key: MedianKey, moment: float
) -> Fraction | None:
    """Give what the account used in half of its days or months with use.

    Half a year is looked at; of years, six.
    """
    billing = terms.agreement.tenant.billing
    months = MEDIAN_MONTHS if key.unit != "year" else 12 * MEDIAN_MONTHS
    start = months_before(moment, months, terms.zone, billing)[-1].start
    calendar = Calendar(key.unit)
    end = calendar.span(moment, terms.zone, billing).start
    totals: Counter[int] = Counter()
    use = Use(key.account, key.meter, None, Span(start, end))
    for hour, units in await hourly_usage(ledger, use):
        totals[calendar.span(hour, terms.zone, billing).start] += units
    return _middle(totals.values(), FEWEST[key.unit])


def _middle(totals: Iterable[int], fewest: int) -> Fraction | None:
    used = [total for total in totals if total]
    return Fraction(median(used)) if len(used) >= fewest else None
