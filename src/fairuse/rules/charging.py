"""Charging: what of a case's use is charged, and what an operator adds to it.

Of use, what came after the delivered notice and above the agreed amount (P1, P5), or all that came
above the amount, where the policy says so; and what finding and mending it cost (C20).
"""

from __future__ import annotations

import math
from datetime import date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from fairuse.base.errors import ChargeError
from fairuse.rules.charges import UNNUMBERED, Charge, Figures
from fairuse.rules.money import is_in_minor_units, to_minor_units
from fairuse.rules.rating import Line, Rated, Used, as_read, rate, read_at, units_above
from fairuse.rules.terms import price_list
from fairuse.rules.windows import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zoneinfo import ZoneInfo

    from fairuse.rules.charges import Basis, Kind
    from fairuse.rules.ladder import Case
    from fairuse.rules.rating import Above
    from fairuse.rules.tariffs import Price, Tariff
    from fairuse.rules.terms import LimitTerms, Terms

Hourly = list[tuple[int, int]]
"""Hours, by their start in seconds since 1970, and what was counted in each."""


def usage_charge(
    case: Case,
    limit: LimitTerms,
    terms: Terms,
    reading_end: int,
    hourly: Hourly | None = None,
    *,
    basis: Basis = "notice",
    tariff: str | None = None,
) -> Charge | None:
    """Give the charge of a case's window; None where there is nothing to charge.

    For another window of the case, hand in the case with that window and its amount. `reading_end`
    is the count at its end, `hourly` what was counted by the hour: each unit then costs what it did
    on its day, and is above the amount in force at that hour; those of the notice's hour and of
    earlier ones are free, whenever they were told. Without it, the tariff is that of the day of the
    notice, and the amount the highest of the window. `tariff` names another price list than the
    limit's own.

    With the basis "switch" the case has the notice of the switch, and no amount is included.
    """
    if hourly is not None:
        case = _told_by_hour(case, basis, reading_end, hourly)
    free_until = _free_until(case, basis)
    if case.notified_at is None or free_until is None:
        return None
    if hourly is None:
        used = [Used(_day_of(case, basis), reading_end)]
    else:
        used = as_read(hourly, reading_end, case.starts_at)
    switched = basis == "switch"
    amount = _nothing if switched else _amount_of(case, limit, by_hour=hourly is not None)
    above = list(units_above(used, amount, free_until))
    tariffs = price_list(tariff, terms.agreement) if tariff else limit.tariffs
    before = 0 if switched or not above else max(0, free_until - amount(above[0].at))
    rated = _rated(above, tariffs, limit, before)
    if rated is None or not rated.amount:
        return None
    first, allowed = above[0], amount(above[0].at)
    from_reading = first.reading - first.units
    notice = (case.notified_reading or 0) if _is_in_window(case) else 0
    figures = Figures(allowed, notice, from_reading, above[-1].reading)
    return _charge(case, "usage", basis, rated, limit.zone)._replace(
        figures=figures, units=rated.units, decimals=limit.unit.decimals
    )


def cost_charge(case: Case, terms: Terms, text: str, price: Price, moment: float) -> Charge:
    """Give the charge of a cost that an operator names: what for, and how much (C20).

    Raises ChargeError where it says neither.
    """
    if not text.strip():
        raise ChargeError("a cost needs a text that says what it was for")
    if not price.value or not is_in_minor_units(price.value, price.currency):
        raise ChargeError(f"{price} is no amount that can be paid")
    line = Line(1, 1, price.value, date.min, Fraction(price.value))
    charge = _charge(case, "cost", "notice", Rated(price.currency, (line,)), terms.zone)
    return charge._replace(starts_at=moment, ends_at=moment, text=text.strip())


def _told_by_hour(case: Case, basis: Basis, reading_end: int, hourly: Hourly) -> Case:
    """Raise the count at the notice by what was used before it and told after it (P5)."""
    told_at, told = case.notified_at, case.notified_reading
    if basis == "limit" or told_at is None or told is None or not _is_in_window(case):
        return case
    return case._replace(notified_reading=max(told, read_at(hourly, reading_end, told_at)))


def _is_in_window(case: Case) -> bool:
    told = case.notified_at
    return told is not None and case.starts_at <= told < case.ends_at


def _free_until(case: Case, basis: Basis) -> int | None:
    """Give the reading up to which nothing is charged; None where nothing is at all."""
    if basis == "limit" or (case.notified_at is not None and case.notified_at < case.starts_at):
        return 0
    return case.notified_reading if _is_in_window(case) else None


def _day_of(case: Case, basis: Basis) -> float:
    """Give the moment whose tariff holds where no hours are known: that of the notice."""
    if basis == "limit" or case.notified_at is None:
        return case.starts_at
    return max(case.notified_at, case.starts_at)


def _amount_of(case: Case, limit: LimitTerms, *, by_hour: bool) -> Callable[[float], int]:
    """Give the amount in force at a moment: never less than the notice said (P7).

    What was bought within an hour holds for all of it, as it isn't known what was used before. Of
    a level the case has the amount at its peak.
    """

    def amount(at: float) -> int:
        if limit.kind != "flow":
            return case.amount
        until = min(at + HOUR, case.ends_at) if by_hour else case.ends_at
        known = (limit.amount(at), limit.amount(math.nextafter(until, 0)))
        return max([case.amount, *(found.value for found in known if found is not None)])

    return amount


def _nothing(_at: float) -> int:
    """Give the amount that is included where every unit has its price."""
    return 0


def _rated(
    above: Sequence[Above], tariffs: Sequence[Tariff], limit: LimitTerms, before: int
) -> Rated | None:
    if not above:
        return None
    days = [(datetime.fromtimestamp(each.at, limit.zone).date(), each.units) for each in above]
    return rate(tariffs, days, 10**limit.unit.decimals, before)


def _charge(case: Case, kind: Kind, basis: Basis, rated: Rated, zone: ZoneInfo) -> Charge:
    return Charge(
        id=UNNUMBERED,
        case=case.id,
        tenant=case.tenant,
        account=case.account,
        rule=case.rule,
        scope=case.scope,
        kind=kind,
        starts_at=case.starts_at,
        ends_at=case.ends_at,
        notified_at=case.notified_at or 0.0,
        basis=basis,
        figures=Figures(),
        units=0,
        decimals=0,
        currency=rated.currency,
        amount=rated.amount,
        lines=rated.lines,
        zone=zone.key,
        waived=to_minor_units(Fraction(0), rated.currency),
    )
