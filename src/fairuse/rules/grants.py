"""Grants: what an operator gives or takes besides the contract, for a time, with a reason (P7).

An override puts another amount in the place of the contract's (A27, D12, D21). Extra capacity and
top-ups add to it (D20), a measure that reduces or throttles caps it while it is in force (D13,
B16). Each holds for the units that come after its beginning, and none acts backwards.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, time, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from fairuse.rules.amounts import counted, parse_amount, rounded
from fairuse.rules.expression import NotYet
from fairuse.rules.tenant import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from fairuse.rules.expression import Expression
    from fairuse.rules.measures import Measure
    from fairuse.rules.tally import ScopeKey

GrantKind = Literal["override", "extra", "top-up", "reduce", "throttle", "deny new users"]

CAPS: frozenset[GrantKind] = frozenset({"reduce", "throttle"})
"""Grants of which the amount holds at most, while they are in force."""
BY_MEASURE: frozenset[str] = CAPS | {"deny new users"}
"""The measures that change what a limit lets in; the others refuse requests as a whole."""

UNNUMBERED = 0
"""The id of a grant before the ledger gives it one."""


class Grant(NamedTuple):
    """One change of what an account may use of a limit. Times are wall seconds since 1970.

    `amount` is a number of units, or arithmetic as in a policy, of which the names stand for what
    the contract says. It is for the part of the account that `scope` names, in [starts_at,
    ends_at). `once` names it where it may be asked for twice (P8). `review_at` is when a measure
    without an end is looked at again.
    """

    id: int
    account: str
    limit: str
    kind: GrantKind
    amount: str
    scope: ScopeKey = ()
    made_at: float = 0.0
    starts_at: float = 0.0
    ends_at: float | None = None
    by: str = ""
    reason: str = ""
    once: str | None = None
    review_at: float | None = None

    @property
    def until(self) -> float:
        """Give the first moment it no longer holds, or NEVER."""
        return NEVER if self.ends_at is None else self.ends_at

    @property
    def expression(self) -> Expression:
        """Give the amount as a tree. Raises ValueError where it is none."""
        return _parsed(self.amount)

    def holds_at(self, moment: float) -> bool:
        """Say whether it is in force at a moment."""
        return self.starts_at <= moment < self.until

    def is_for(self, limit: str, scope: ScopeKey) -> bool:
        """Say whether it is for a limit, as it counts a part of the account (P9)."""
        return self.limit == limit and set(self.scope) <= set(scope)


Grants = tuple[Grant, ...]
"""Those of one account."""


class Granted(NamedTuple):
    """What the grants of a stretch of time come to for a limit, in counted units.

    `extra` and `topped_up` come on top of the amount, and `at_most` caps the sum; the texts say
    so. `closed` is the measure that keeps out who was not seen before.
    """

    extra: int = 0
    extra_text: str = ""
    topped_up: int = 0
    topped_up_text: str = ""
    at_most: int | None = None
    at_most_text: str = ""
    closed: Grant | None = None

    def applied(self, value: int) -> int:
        """Give what an amount comes to with them."""
        value += self.extra + self.topped_up
        return value if self.at_most is None else min(value, self.at_most)

    def source(self, value: int, source: str) -> str:
        """Say where that comes from: "policy booking, +500 top-up"."""
        if self.at_most is not None and self.at_most < value + self.extra + self.topped_up:
            return self.at_most_text
        added = (text for text in (self.extra_text, self.topped_up_text) if text)
        return ", ".join((source, *added))


NOTHING = Granted()


def of_measure(measure: Measure) -> Grant | None:
    """Give what a measure does to a limit's amount; None where it refuses requests as a whole.

    Raises ValueError where its amount is none.
    """
    if measure.kind not in BY_MEASURE or measure.starts_at is None:
        return None
    amount = measure.amount or "0"
    return Grant(
        id=-measure.id,
        account=measure.account,
        limit=measure.limit,
        kind=measure.kind,  # type: ignore[arg-type]  # one of BY_MEASURE
        amount=_parsed(amount).text,
        scope=measure.scope,
        made_at=measure.starts_at,
        starts_at=measure.starts_at,
        ends_at=measure.ends_at,
        by=measure.by,
        reason=measure.reason,
        review_at=None if measure.until_under else measure.review_at,
    )


def granted(
    grants: Sequence[Grant], units_of: Callable[[Grant], Fraction], decimals: int, zone: ZoneInfo
) -> Granted:
    """Work out what grants that are in force add to a limit's amount, and what caps it.

    `units_of` works out a grant's amount; it raises NotYet where that can't be known yet.
    """
    added: dict[GrantKind, tuple[int, str]] = {"extra": (0, ""), "top-up": (0, "")}
    for kind in added:
        of_kind = [grant for grant in grants if grant.kind == kind]
        units = sum((units_of(grant) for grant in of_kind), Fraction(0))
        ends = {_until(grant.until, zone) for grant in of_kind if kind == "extra"}
        text = f"+{rounded(units)} {kind}{ends.pop() if len(ends) == 1 else ''}"
        added[kind] = int(units * 10**decimals), text if units else ""
    caps: list[tuple[int, str]] = []
    for grant in grants:
        if grant.kind in CAPS:
            with suppress(NotYet):  # it would be a part of what is not known yet
                caps.append((counted(units_of(grant), decimals), text_of(grant, zone)))
    at_most, text = min(caps, default=(None, ""))
    closed = (grant for grant in grants if grant.kind == "deny new users")
    return Granted(*added["extra"], *added["top-up"], at_most, text, next(closed, None))


def text_of(grant: Grant, zone: ZoneInfo) -> str:
    """Name a grant as the source of an amount: "override until 2026-12-31"."""
    return f"{_SOURCES.get(grant.kind, grant.kind)}{_until(grant.until, zone)}"


_SOURCES: dict[GrantKind, str] = {"reduce": "reduced", "throttle": "throttled"}


def _until(until: float, zone: ZoneInfo) -> str:
    """Name the last day that something holds, or the minute it ends on a day."""
    if until == NEVER:
        return ""
    ends = datetime.fromtimestamp(until, zone)
    if ends.time() == time.min:
        return f" until {ends.date() - timedelta(days=1)}"
    return f" until {ends:%Y-%m-%d %H:%M}"


def latest_override(grants: Iterable[Grant]) -> Grant | None:
    """Give of several overrides the one that was made last; it beats the others."""
    overrides = [grant for grant in grants if grant.kind == "override"]
    return max(overrides, key=lambda grant: (grant.made_at, grant.id), default=None)


def unused(top_ups: Sequence[Grant], one: int, base: int, reading: int) -> dict[Grant, int]:
    """Give what is left of each top-up of a window that is over, in counted units (D20).

    `base` is the window's amount without them, `reading` what was used in it, and `one` how many
    counted units are a whole one. The oldest top-up is used first.
    """
    spent = max(0, reading - base)
    left = {}
    for grant in sorted(top_ups, key=lambda each: (each.starts_at, each.id)):
        units = int((grant.expression.fixed or 0) * one)
        used = min(units, spent)
        spent -= used
        if units > used:
            left[grant] = units - used
    return left


@lru_cache(maxsize=4_096)
def _parsed(text: str) -> Expression:
    return parse_amount(text)
