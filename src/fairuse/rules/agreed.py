"""What a contract's amounts come to, and from when until when.

Purchases, overrides and the amounts that follow from them change at known moments only, so each
limit's amount is worked out once per such stretch of time, and a request just looks it up.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.amounts import Amount, counted, rounded
from fairuse.rules.cohorts import CohortKey, Snapshot, enough
from fairuse.rules.expression import Average, Expression, NotYet, OwnMedian
from fairuse.rules.grants import NOTHING, Granted, granted, latest_override, text_of
from fairuse.rules.tenant import Override
from fairuse.rules.windows import Calendar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairuse.rules.grants import Grant, Grants
    from fairuse.rules.meters import CohortAverage
    from fairuse.rules.policy import Policy
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.tenant import Tenant
    from fairuse.rules.windows import Unit


class MedianKey(NamedTuple):
    """Names an account's own median of a meter, over days, months or years."""

    account: str
    meter: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class History:
    """What is known of earlier use: frozen cohort averages, and each account's own medians.

    `earlier` are the averages that those in force took the place of.
    """

    snapshots: Mapping[CohortKey, Snapshot] = field(default_factory=dict)
    medians: Mapping[MedianKey, Fraction] = field(default_factory=dict)
    earlier: Mapping[CohortKey, Snapshot] = field(default_factory=dict)


class DatedAmount(NamedTuple):
    """An amount in [starts_at, ends_at), seconds since 1970; None while it can't be known.

    `granted` is what comes on top of it, and what caps it.
    """

    starts_at: float
    ends_at: float
    amount: Amount | None
    overridden: bool
    granted: Granted = NOTHING


class Agreement:
    """One account's contract, with what is known of earlier use, and what it was granted."""

    def __init__(
        self,
        account: str,
        tenant: Tenant,
        policy: Policy,
        history: History,
        grants: Grants = (),
    ) -> None:
        self.account = account
        self.tenant = tenant
        self.policy = policy
        self.history = history
        self.grants = grants

    def is_of(self, tenant: Tenant, policy: Policy, history: History, grants: Grants = ()) -> bool:
        """Say whether it was made of these very parts, and the same grants."""
        same = self.tenant is tenant and self.policy is policy and self.history is history
        return same and self.grants == grants

    @property
    def packages(self) -> str:
        """Name the packages it holds: who has the same ones is in the same cohort."""
        return "+".join(sorted(self.tenant.packages))

    def cohort(self, meter: str) -> CohortKey:
        """Name the cohort that a meter of the account is compared with."""
        rule = self.policy.meters[meter].average
        everybody = rule is None or rule.cohort == "policy"
        return CohortKey(self.tenant.policy, "" if everybody else self.packages, meter)

    def snapshot(self, meter: str) -> Snapshot | None:
        """Give the snapshot in force, where the cohort is large enough."""
        rule, known = self.policy.meters[meter].average, self.history.snapshots
        snapshot = known.get(self.cohort(meter))
        return snapshot if rule and enough(snapshot, rule.at_least) else None

    def before_renewal(self, meter: str) -> Agreement | None:
        """Give the agreement with the averages before those in force; None for a first one."""
        if self.cohort(meter) not in self.history.earlier:
            return None
        history = History(self.history.earlier, self.history.medians)
        return Agreement(self.account, self.tenant, self.policy, history, self.grants)

    def shares(self, average: CohortAverage, moment: float | None = None) -> int:
        """Give how many users or packs the use is spread over, in the end or at a moment.

        1 where the average is one of accounts.
        """
        return self.count(average.per, moment) if average.per else 1

    def count(self, name: str, moment: float | None = None) -> int:
        """Give how many of something the contract has, such as users, in the end or at a moment."""
        at = self._stretches[-1][0] if moment is None else moment
        return int(_Moment(self, at).total(name))

    def units(self, limit: str) -> Fraction | None:
        """Give what a limit's amount comes to in the end, before it is rounded."""
        try:
            return _Moment(self, self._stretches[-1][0]).units(limit)
        except NotYet:
            return None

    def timeline(self, limit: str, scope: ScopeKey = ()) -> tuple[DatedAmount, ...]:
        """Give a limit's amount over time, without gaps, for all of the account or a part of it."""
        joined: list[DatedAmount] = []
        for starts_at, ends_at in self._stretches:
            dated = _Moment(self, starts_at, scope).dated(limit, ends_at)
            if joined and joined[-1][2:] == dated[2:]:
                dated = dated._replace(starts_at=joined.pop().starts_at)
            joined.append(dated)
        return tuple(joined)

    @cached_property
    def _stretches(self) -> list[tuple[float, float]]:
        zone = self.tenant.timezone
        dated = [*self.tenant.purchases, *self.tenant.override.values()]
        edges = {moment(zone) for each in dated for moment in (each.starts_at, each.ends_at)}
        edges |= {moment for each in self.grants for moment in (each.starts_at, each.until)}
        in_order = sorted(edges | {float("-inf"), float("inf")})
        return [*itertools.pairwise(in_order)]

    @cached_property
    def as_agreed(self) -> Agreement:
        """Give the contract without grants."""
        return Agreement(self.account, self.tenant, self.policy, self.history)


class _Moment:
    """A contract at one moment, for all of the account or a part of it."""

    def __init__(self, agreement: Agreement, moment: float, scope: ScopeKey = ()) -> None:
        self.agreement = agreement
        self.moment = moment
        self.scope = scope

    @cached_property
    def packages(self) -> Sequence[Mapping[str, Fraction]]:
        """Give each package held, with its figures, its counts, and what was bought on top."""
        tenant, policy = self.agreement.tenant, self.agreement.policy
        held = []
        for name, counts in tenant.packages.items():
            package = policy.packages.get(name)
            figures = package.figures if package else {}
            values = {figure: known.fixed or Fraction(0) for figure, known in figures.items()}
            values |= {count: Fraction(number) for count, number in counts.items()}
            for purchase in tenant.purchases:
                if purchase.package == name and purchase.holds_at(self.moment, tenant.timezone):
                    for count, number in purchase.adds.items():
                        values[count] = values.get(count, Fraction(0)) + number
            held.append(values)
        return held

    def dated(self, limit: str, ends_at: float) -> DatedAmount:
        override = self._override(limit)
        try:
            amount = Amount(self._counted(limit, self.units(limit)), self._source(limit, override))
        except NotYet:
            amount = None
        overridden, granted = override is not None, self._granted(limit)
        return DatedAmount(self.moment, ends_at, amount, overridden, granted)

    def value(self, limit: str) -> int:
        """Work out a limit's amount with all that was granted, as it is counted. Raises NotYet."""
        return self._granted(limit).applied(self._counted(limit, self.units(limit)))

    def units(self, limit: str) -> Fraction:
        """Work out a limit's amount, without what comes on top of it. Raises NotYet."""
        override = self._override(limit)
        if override is None:
            return self.agreement.policy.limits[limit].amount.evaluate(_Figures(self, limit))
        if isinstance(override, Override):
            return override.amount.evaluate(_Figures(self, limit))
        return self._units_of(override, limit)

    def total(self, count: str) -> Fraction:
        """Give how many of something the contract has, over all its packages."""
        return sum((held.get(count, Fraction(0)) for held in self.packages), Fraction(0))

    def _counted(self, limit: str, units: Fraction) -> int:
        policy = self.agreement.policy
        return counted(units, policy.meters[policy.limits[limit].meter].decimals)

    def _override(self, limit: str) -> Grant | Override | None:
        """Give the override in force: the operator's latest beats the contract's own (A27)."""
        made = latest_override(self._grants(limit))
        tenant = self.agreement.tenant
        override = tenant.override.get(limit)
        if made is not None or override is None:
            return made
        return override if override.holds_at(self.moment, tenant.timezone) else None

    def _grants(self, limit: str) -> list[Grant]:
        return [
            grant
            for grant in self.agreement.grants
            if grant.holds_at(self.moment) and grant.is_for(limit, self.scope)
        ]

    def _granted(self, limit: str) -> Granted:
        grants = self._grants(limit) if self.agreement.grants else []
        if not grants:
            return NOTHING
        policy, zone = self.agreement.policy, self.agreement.tenant.timezone
        decimals = policy.meters[policy.limits[limit].meter].decimals
        return granted(grants, lambda grant: self._units_of(grant, limit), decimals, zone)

    def _units_of(self, grant: Grant, limit: str) -> Fraction:
        """Work out a grant's amount: its names stand for what the contract says. Raises NotYet.

        So it may be a part of the very limit that it is for.
        """
        policy = self.agreement.policy
        if grant.expression.names(summed=False) - policy.counts.keys() - policy.limits.keys():
            raise NotYet  # the policy has changed since: what it means now nobody can say
        as_agreed = _Moment(self.agreement.as_agreed, self.moment, self.scope)
        return grant.expression.evaluate(_Figures(as_agreed, limit))

    def _source(self, limit: str, override: Grant | Override | None) -> str:
        """Say where an amount comes from, and how it was worked out where it is no mere number."""
        if override is None:
            expression = self.agreement.policy.limits[limit].amount
            source = f"policy {self.agreement.tenant.policy}"
        elif isinstance(override, Override):
            expression, source = override.amount, override.source()
        else:
            expression = override.expression
            source = text_of(override, self.agreement.tenant.timezone)
        return source + self._reason(limit, expression)

    def _reason(self, limit: str, expression: Expression) -> str:
        """Say how the amount was worked out, where it is more than a number."""
        if expression.fixed is not None:
            return ""
        reason = f": {expression}"
        figures = _Figures(self, limit)
        if expression.uses(Average):
            reason += f", {figures.average_source()}"
        if expression.uses(OwnMedian):
            reason += f", own median {rounded(figures.own_median())}"
        return reason


@dataclass(frozen=True, slots=True)
class _Figures:
    """What the names in one limit's amount stand for at one moment."""

    at: _Moment
    limit: str

    @property
    def packages(self) -> Sequence[Mapping[str, Fraction]]:
        return self.at.packages

    def named(self, name: str) -> Fraction:
        policy = self.at.agreement.policy
        if name in policy.limits:
            return Fraction(self.at.value(name), policy.meters[policy.limits[name].meter].one)
        return self.at.total(name)

    def average(self) -> Fraction:
        agreement = self.at.agreement
        snapshot = agreement.snapshot(self._meter)
        if snapshot is not None:
            return snapshot.average_for(agreement.account) / self._one
        rule = self._rule
        if rule is None or rule.otherwise is None or rule.otherwise.fixed is None:
            raise NotYet
        return rule.otherwise.fixed

    def average_source(self) -> str:
        rule, snapshot = self._rule, self.at.agreement.snapshot(self._meter)
        average = rounded(self.average())
        if snapshot is not None:
            return f"average {average} ({snapshot.method} of {snapshot.n}, {snapshot.day})"
        at_least = rule.at_least if rule else 0
        return f"average {average} until {at_least} accounts are known"

    def own_median(self) -> Fraction:
        agreement = self.at.agreement
        window = agreement.policy.limits[self.limit].window
        if isinstance(window, Calendar):
            key = MedianKey(agreement.account, self._meter, window.unit)
            known = agreement.history.medians.get(key)
            if known is not None:
                return known / self._one
        raise NotYet

    @property
    def _meter(self) -> str:
        return self.at.agreement.policy.limits[self.limit].meter

    @property
    def _one(self) -> int:
        return self.at.agreement.policy.meters[self._meter].one

    @property
    def _rule(self) -> CohortAverage | None:
        return self.at.agreement.policy.meters[self._meter].average
