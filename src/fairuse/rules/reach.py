"""Whom a limit touches: what use was recorded in closed windows, beside the amounts (A02, A07).

A policy is for the few who use far more than others. One that touches many customers is a mistake
in the making, and how many it touches can be worked out before it is in force.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import BeforeValidator, InstanceOf

from fairuse.rules.model import written
from fairuse.rules.windows import Calendar, months_before

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from fairuse.rules.meters import Meter
    from fairuse.rules.policy import Limit, Over
    from fairuse.rules.terms import LimitTerms
    from fairuse.rules.windows import BillingDay, Span, Unit

_PERCENT = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,4})?|100)%")


def _share(value: object) -> Fraction:
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, Fraction):
        return value
    if found is None:
        raise ValueError(f'{value!r} is no share; write it like "5%"')
    return Fraction(found[1]) / 100


Share = Annotated[InstanceOf[Fraction], BeforeValidator(_share), written("5%")]
FEW = Fraction(5, 100)
"""The share of accounts that a policy touches at most, unless it says otherwise."""


class LimitReach(NamedTuple):
    """How many accounts' recorded use was above a limit, of those the policy was in force for.

    `unknown` are accounts with use whose amount is not known yet; `recorded` says whether anybody's
    use is. `why_not` says why recorded use can't tell, and is "" where it can.
    """

    limit: str
    over: Over
    looked_at: str = ""
    touched: int = 0
    unknown: int = 0
    recorded: bool = False
    why_not: str = ""


class PolicyReach(NamedTuple):
    """How many of a policy's accounts at least one of its limits would have touched.

    `policy` is the name of its file, so `booking.next` is the next version of `booking`.
    """

    policy: str
    accounts: int
    touched: int
    expected: Fraction
    limits: tuple[LimitReach, ...]

    @property
    def share(self) -> Fraction:
        """Give the share of accounts that are touched."""
        return Fraction(self.touched, self.accounts) if self.accounts else Fraction(0)

    @property
    def problem(self) -> str | None:
        """Say that more accounts are touched than a fair-use policy is expected to (A07)."""
        if self.share <= self.expected:
            return None
        return (
            f"{self.touched:,} of {self.accounts:,} accounts ({percent(self.share)}) would be"
            f" touched, and at most {percent(self.expected)} are expected: a fair-use policy is not"
            " for most customers"
        )


def percent(share: Fraction) -> str:
    """Write a share for people; something is never nothing."""
    if 0 < share < Fraction(1, 1000):
        return "under 0.1%"
    return f"{float(100 * share):.1f}".removesuffix(".0") + "%"


def untold(limit: Limit, meter: Meter) -> str:
    """Say why recorded use, by account, location and hour, can't tell whom a limit touches."""
    if meter.kind != "flow":
        return f"the past of {meter.measure} is not kept"
    if not isinstance(limit.window, Calendar):
        return f"use is kept by the hour, and its window is {limit.window}"
    if not {*limit.scope} <= {"location"}:
        return f"use is not kept by {' and '.join({*limit.scope} - {'location'})}"
    return ""


def looked_at(limit: Limit) -> str:
    """Name the windows that are looked at."""
    if limit.case_after is not None:
        return f"{limit.case_after.breaches} breaches in {limit.case_after.months} months"
    return {"day": "each day of the month", "month": "the month", "year": "the year"}[_unit(limit)]


def windows_of(
    limit: Limit, moment: float, zone: ZoneInfo, billing: BillingDay
) -> tuple[Span, ...]:
    """Give the closed windows that decide whether a limit touches somebody, latest first.

    They are those of the latest month that is over, or of as many as a case needs.
    """
    calendar = Calendar(_unit(limit))
    if calendar.unit == "year":
        return (calendar.span(calendar.span(moment, zone, billing).start - 1, zone, billing),)
    months = months_before(
        moment, limit.case_after.months if limit.case_after else 1, zone, billing
    )
    if calendar.unit == "month":
        return tuple(months)
    days, end = [], months[0].end
    while end > months[-1].start:
        days.append(calendar.span(end - 1, zone, billing))
        end = days[-1].start
    return tuple(days)


def _unit(limit: Limit) -> Unit:
    return limit.window.unit if isinstance(limit.window, Calendar) else "month"


def touches(limit: LimitTerms, used: Mapping[Span, int], applies_from: float) -> bool | None:
    """Say whether a limit would have touched who used so much; None while no amount is known.

    `used` is by window. Where a limit refuses, whoever used all of it is taken to have been
    refused: use that was refused is recorded nowhere.
    """
    over = unknown = 0
    for span, units in used.items():
        if span.start < applies_from:
            continue
        amount = limit.amount(span.end - 1)
        if amount is None:
            unknown += 1
        elif limit.hard:
            over += units >= max(amount.value, 1)
        else:
            over += units > amount.value
    if over >= (limit.case_after.breaches if limit.case_after else 1):
        return True
    return None if unknown else False
