"""The terms in force for one account: its contract and its policy, made ready for the way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.agreed import Agreement, DatedAmount, History
from fairuse.rules.meters import parse_source
from fairuse.rules.tenant import NEVER
from fairuse.rules.timelines import Parts, amount_at, dated_at, without_top_ups
from fairuse.rules.units import Unit
from fairuse.rules.versions import version_name
from fairuse.rules.windows import Calendar, Span

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from fairuse.rules.amounts import Amount
    from fairuse.rules.grants import Grant, Grants
    from fairuse.rules.meters import Kind, Measure, Meter
    from fairuse.rules.policy import Breaches, Limit, Over, Policy, Scope, StoreAway, Then
    from fairuse.rules.routes import Route
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.tariffs import Tariff
    from fairuse.rules.tenant import Tenant
    from fairuse.rules.windows import BillingDay, Window


RENEWED_WITHIN = 1 / 15
"""The part of a window, two days of a month, within which a new average may still be for it."""


@dataclass(frozen=True, slots=True)
class LimitTerms:
    """One limit as it holds for one account, or for a part of it: see `within`."""

    name: str
    meter: str
    kind: Kind
    measure: Measure
    unit: Unit
    scope: Scope
    window: Window
    window_text: str
    over: Over
    hard: bool
    whatever_the_answer: bool
    then: Then | None
    case_after: Breaches | None
    tariffs: tuple[Tariff, ...]
    zone: ZoneInfo
    billing: BillingDay
    timeline: tuple[DatedAmount, ...]
    renewed_at: float = -NEVER
    before_renewal: tuple[DatedAmount, ...] = ()
    store_away: StoreAway = "last-known"

    parts: Parts | None = field(default=None, compare=False)

    def within(self, scope: ScopeKey) -> LimitTerms:
        """Give the limit as it holds for a part of the account."""
        return self if self.parts is None or not scope else self.parts.of(scope)

    def amount(self, moment: float) -> Amount | None:
        """Give the amount in force at a moment, with its source; None while none is known.

        Where counts changed within a calendar window, the highest amount of the window holds: the
        customer's favour. An override holds as it says.
        """
        timeline = self._timeline_of(moment) if self.before_renewal else self.timeline
        if len(timeline) == 1:
            return timeline[0].amount
        return amount_at(timeline, moment, self.span(moment))

    def highest(self, since: float, moment: float) -> Amount | None:
        """Give the highest amount that was in force at any moment since another (P7, S17)."""
        turns = [turn for turn in self._turns() if since < turn <= moment]
        known = [self.amount(each) for each in (since, *turns)]
        amounts = [amount for amount in known if amount is not None]
        return max(amounts, key=lambda amount: amount.value, default=None)

    def without_top_ups(self, moment: float) -> int | None:
        """Give what a calendar window's amount came to but for top-ups and caps, as of a moment."""
        span = self.span(moment)
        return None if span is None else without_top_ups(self._timeline_of(moment), moment, span)

    def closed_at(self, moment: float) -> Grant | None:
        """Give the measure that keeps out who was not seen before it began, if one is in force.

        In a window that began later nobody was seen before, so there it keeps out nobody.
        """
        if self.measure != "users" or len(self.timeline) == 1:
            return None
        closed, span = dated_at(self.timeline, moment).granted.closed, self.span(moment)
        late = closed is not None and span is not None and span.start > closed.starts_at
        return None if late else closed

    def _timeline_of(self, moment: float) -> tuple[DatedAmount, ...]:
        """Give the amounts of a moment: a new average changes no window that has begun (P7).

        It may be taken some hours after the window's start, when the month is over everywhere.
        """
        span = self.span(moment)
        if span is None:
            return self.timeline
        begun = span.start + (span.end - span.start) * RENEWED_WITHIN < self.renewed_at
        return self.before_renewal if begun else self.timeline

    def holds_until(self, moment: float) -> float:
        """Give until when the window and the amount of a moment are sure to be the same."""
        span = self.span(moment)
        turns = [turn for turn in self._turns() if turn > moment]
        return min(turns, default=math.inf) if span is None else min([span.end, *turns])

    def _turns(self) -> list[float]:
        """Give the moments at which the amount may change."""
        whole = (*self.timeline, *self.before_renewal)
        return [turn for dated in whole for turn in (dated.starts_at, dated.ends_at)]

    def span(self, moment: float) -> Span | None:
        """Give the calendar window that holds the moment; other windows have none."""
        window = self.window
        if isinstance(window, Calendar):
            return window.span(moment, self.zone, self.billing)
        return None


@dataclass(frozen=True, slots=True)
class MeterTerms:
    """One meter as it holds for one account, with its limits.

    `one` is how many counts make one unit; `simple` says that each accepted request is one unit,
    or is one member's: there is nothing to find out about it.
    """

    name: str
    rule: Meter
    limits: tuple[LimitTerms, ...]
    kind: Kind
    one: int
    simple: bool
    whatever_the_answer: bool


class Moved(NamedTuple):
    """A meter that a request or an event moves; `releases` where it can only lower it."""

    meter: MeterTerms
    releases: bool
    item: str


class Terms:
    """What one account's contract comes to."""

    __slots__ = (
        "_events",
        "_routes",
        "account",
        "agreement",
        "applies_from",
        "contact",
        "evidence_of",
        "language",
        "limits",
        "meters",
        "policy",
        "rules",
        "tenant",
        "zone",
    )

    def __init__(
        self,
        name: str,
        account: str,
        tenant: Tenant,
        policy: Policy,
        history: History,
        grants: Grants = (),
    ) -> None:
        self.tenant = name
        self.account = account
        self.policy = tenant.policy
        self.rules = policy
        self.zone = tenant.timezone
        self.language = tenant.language
        self.contact = tuple(tenant.contact)
        self.applies_from = tenant.applies_from(policy.applies)
        self.agreement = Agreement(account, tenant, policy, history, grants)
        self.limits = tuple(
            limit_terms(limit_name, limit, self.agreement)
            for limit_name, limit in policy.limits.items()
        )
        self.meters = {
            meter_name: _meter_terms(meter_name, meter, self.limits)
            for meter_name, meter in policy.meters.items()
        }
        self.evidence_of = _evidence_of(self.limits) if self.keeps_evidence else frozenset()
        self._routes: list[tuple[Route, MeterTerms, bool]] = []
        self._events: dict[str, list[tuple[MeterTerms, bool]]] = {}
        for meter in self.meters.values():
            for releases, sources in ((True, meter.rule.release), (False, meter.rule.count)):
                for source in map(parse_source, sources):
                    if source.route is not None:
                        self._routes.append((source.route, meter, releases))
                    else:
                        self._events.setdefault(source.event, []).append((meter, releases))
        self._routes.sort(key=lambda known: known[0].breadth)  # the exact ones come first

    def day(self, moment: float) -> date:
        """Give the customer's day of a moment, which is wall time."""
        return datetime.fromtimestamp(moment, self.zone).date()

    @property
    def version(self) -> str:
        """Name the policy in force, with its version where it has one (D25): booking@2026-11."""
        return version_name(self.policy, self.rules)

    @property
    def keeps_evidence(self) -> bool:
        """Say whether the tenant wants it kept where use came from (C16)."""
        return self.agreement.tenant.evidence

    def limit(self, name: str) -> LimitTerms | None:
        """Give a limit by its name."""
        return next((limit for limit in self.limits if limit.name == name), None)

    def applies_at(self, moment: float) -> bool:
        """Say whether the policy holds for the contract at a moment; usage is metered anyway."""
        return moment >= self.applies_from

    def applies_until(self, moment: float) -> float:
        """Give until when the answer to `applies_at` is sure to be the same."""
        return math.inf if self.applies_at(moment) else self.applies_from

    def moved_by(self, method: str, path: str) -> list[Moved]:
        """Give the meters that a request moves, each once."""
        moved: dict[str, Moved] = {}
        for route, meter, releases in self._routes:
            if route.matches(method, path) and meter.name not in moved:
                moved[meter.name] = Moved(meter, releases, route.part(path, "item"))
        return [*moved.values()]

    def moved_by_event(self, kind: str) -> list[tuple[MeterTerms, bool]]:
        """Give the meters that usage events of a type move, and whether they lower them."""
        return self._events.get(kind, [])


def _meter_terms(name: str, meter: Meter, limits: tuple[LimitTerms, ...]) -> MeterTerms:
    asks_more = meter.cost or meter.shorter_than or meter.longer_than
    return MeterTerms(
        name,
        meter,
        tuple(limit for limit in limits if limit.meter == name),
        meter.kind,
        meter.one,
        (meter.measure == "requests" or meter.kind == "members") and not asks_more,
        meter.whatever_the_answer,
    )


def _evidence_of(limits: tuple[LimitTerms, ...]) -> frozenset[str]:
    """Give the meters of which is noted where use came from: those whose excess is told (C16)."""
    return frozenset(limit.meter for limit in limits if limit.over in {"case", "charge"})


def price_list(name: str, agreement: Agreement) -> tuple[Tariff, ...]:
    """Give the prices of a tariff for an account: its own, or those of the policy (D17)."""
    tenant, policy = agreement.tenant, agreement.policy
    return tuple(tenant.tariffs.get(name) or policy.tariffs.get(name) or ())


def limit_terms(name: str, limit: Limit, agreement: Agreement, scope: ScopeKey = ()) -> LimitTerms:
    """Give a limit of the agreement's policy as it holds for its account, or a part of it."""
    policy, tenant = agreement.policy, agreement.tenant
    pairs = frozenset(pair for grant in agreement.grants for pair in grant.scope)
    parts = Parts(pairs, partial(limit_terms, name, limit, agreement)) if pairs else None
    meter = policy.meters[limit.meter]
    tariffs = price_list(limit.tariff, agreement) if limit.tariff else ()
    snapshot = agreement.snapshot(limit.meter)
    before = agreement.before_renewal(limit.meter) if snapshot is not None else None
    return LimitTerms(
        name=name,
        meter=limit.meter,
        kind=meter.kind,
        measure=meter.measure,
        unit=Unit(meter.unit, meter.plural, meter.decimals, policy.words),
        scope=limit.scope,
        window=limit.window,
        window_text=str(limit.window),
        over=limit.over,
        hard=limit.hard,
        whatever_the_answer=meter.whatever_the_answer,
        store_away=limit.store_away,
        then=limit.then,
        case_after=limit.case_after,
        tariffs=tariffs,
        zone=tenant.timezone,
        billing=tenant.billing,
        timeline=agreement.timeline(name, scope),
        renewed_at=snapshot.taken_at if snapshot else -NEVER,
        before_renewal=before.timeline(name, scope) if before is not None else (),
        parts=None if scope else parts,
    )
