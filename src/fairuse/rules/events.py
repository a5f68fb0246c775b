"""Usage events: what was used elsewhere, told afterwards (CloudEvents 1.0).

subject     the account
type        what happened; the meters name the types that move them
time        when it happened
data        {"minutes": 2.5, "seconds": 150, "location": "...", "user": "...", "item": "..."}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fairuse.base.keys import bounded
from fairuse.rules.amounts import parse_units

if TYPE_CHECKING:
    from fairuse.rules.meters import Meter
    from fairuse.rules.terms import MeterTerms, Terms

FUTURE = 300
"""Seconds by which the sender's clock may be ahead of ours."""


class UsageEvent(NamedTuple):
    """One event, as it was told by a sender; times are seconds since 1970."""

    sender: str
    source: str
    id: str
    kind: str
    account: str
    happened_at: float
    data: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str, str]:
        """Give what makes it the same event (P8)."""
        return (self.sender, self.source, self.id)

    def text(self, name: str) -> str:
        """Give a text of the data, or "". Raises ValueError where it is no text."""
        value = self.data.get(name, "")
        if not isinstance(value, str):
            raise ValueError(f"data.{name} must be a text")
        return bounded(value if name == "user" else value.casefold())


class EventUnits(NamedTuple):
    """What one meter is moved by: units, the level of a gauge, or an item's pages."""

    meter: MeterTerms
    units: int
    releases: bool

    def less(self, units: int) -> EventUnits:
        """Give what is left when some of it has counted before."""
        return self._replace(units=max(0, self.units - units))


def moved_units(event: UsageEvent, terms: Terms) -> list[EventUnits]:
    """Work out what an event moves, and by how much. Raises ValueError that says what is wrong."""
    moved = terms.moved_by_event(event.kind)
    if not moved:
        raise ValueError(f'no meter of policy {terms.policy} counts events of type "{event.kind}"')
    return [
        EventUnits(meter, _units(event, meter.rule), releases)
        for meter, releases in moved
        if _long_enough(event, meter.rule)
    ]


def counts_as_of(event: UsageEvent, late: float, now: float) -> float:
    """Give the moment at which an event counts: its own, or now where it is told too late (S16).

    Raises ValueError for an event of the future.
    """
    if event.happened_at > now + FUTURE:
        raise ValueError("time lies in the future")
    return min(event.happened_at, now) if event.happened_at >= now - late else now


def _units(event: UsageEvent, rule: Meter) -> int:
    if rule.kind == "items" and not event.text("item"):
        raise ValueError("data.item is missing: which item was opened or closed")
    field = rule.cost.event_field if rule.cost is not None else None
    if field is None:
        return rule.one
    value: Any = event.data
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        raise ValueError(f"data.{field} is missing")
    return parse_units(value, rule.decimals)


def _long_enough(event: UsageEvent, rule: Meter) -> bool:
    """Say whether an event is as short or as long as its meter counts."""
    if rule.shorter_than is None and rule.longer_than is None:
        return True
    seconds = event.data.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError("data.seconds is missing: how long it took")
    short = rule.shorter_than is None or seconds < rule.shorter_than
    return short and (rule.longer_than is None or seconds > rule.longer_than)
