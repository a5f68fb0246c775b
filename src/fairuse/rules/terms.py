"""The terms in force for one tenant: its policy and its overrides, made ready for the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairuse.rules.amounts import Amount
from fairuse.rules.routes import Route
from fairuse.rules.windows import Calendar, Span

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from fairuse.rules.policy import Limit, Policy, Scope, Then
    from fairuse.rules.tenant import Tenant
    from fairuse.rules.windows import Window


@dataclass(frozen=True, slots=True)
class DatedAmount:
    """An amount that holds in [starts_at, ends_at), seconds since 1970."""

    starts_at: float
    ends_at: float
    amount: Amount


@dataclass(frozen=True, slots=True)
class LimitTerms:
    """One limit as it holds for one tenant."""

    name: str
    meter: str
    unit: str
    scope: Scope
    window: Window
    window_text: str
    hard: bool
    then: Then | None
    zone: ZoneInfo
    agreed: Amount
    override: DatedAmount | None

    def amount(self, moment: float) -> Amount:
        """Give the amount in force at a moment, with its source."""
        override = self.override
        if override is not None and override.starts_at <= moment < override.ends_at:
            return override.amount
        return self.agreed

    def span(self, moment: float) -> Span | None:
        """Give the calendar window that holds the moment; a rolling one has none."""
        window = self.window
        return window.span(moment, self.zone) if isinstance(window, Calendar) else None


class Terms:
    """What one tenant's contract comes to."""

    __slots__ = (
        "_limits_of",
        "_routes",
        "contact",
        "language",
        "limits",
        "policy",
        "tenant",
        "zone",
    )

    def __init__(self, name: str, tenant: Tenant, policy: Policy) -> None:
        self.tenant = name
        self.policy = tenant.policy
        self.zone = tenant.timezone
        self.language = tenant.language
        self.contact = tuple(tenant.contact)
        self.limits = tuple(
            _limit_terms(limit_name, limit, tenant, policy)
            for limit_name, limit in policy.limits.items()
        )
        self._routes = tuple(
            (Route(text), meter_name)
            for meter_name, meter in policy.meters.items()
            for text in meter.count
        )
        self._limits_of = {
            meter: tuple(limit for limit in self.limits if limit.meter == meter)
            for meter in policy.meters
        }

    def limit(self, name: str) -> LimitTerms | None:
        """Give a limit by its name."""
        return next((limit for limit in self.limits if limit.name == name), None)

    def meters_of(self, method: str, path: str) -> dict[str, tuple[LimitTerms, ...]]:
        """Give the meters that a request moves, each with its limits."""
        return {
            meter: self._limits_of[meter]
            for route, meter in self._routes
            if route.matches(method, path)
        }


def _limit_terms(name: str, limit: Limit, tenant: Tenant, policy: Policy) -> LimitTerms:
    return LimitTerms(
        name=name,
        meter=limit.meter,
        unit=policy.meters[limit.meter].unit,
        scope=limit.scope,
        window=limit.window,
        window_text=str(limit.window),
        hard=limit.over == "refuse",
        then=limit.then,
        zone=tenant.timezone,
        agreed=Amount(limit.amount, f"policy {tenant.policy}"),
        override=_dated(name, tenant),
    )


def _dated(name: str, tenant: Tenant) -> DatedAmount | None:
    override = tenant.override.get(name)
    if override is None:
        return None
    return DatedAmount(
        override.starts_at(tenant.timezone),
        override.ends_at(tenant.timezone),
        Amount(override.amount, override.source()),
    )
