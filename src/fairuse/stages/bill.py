"""Bill: work out what of a case's use is charged, once its window is over.

That is what was used above the amount; or every unit, since a measure switched the tariff.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.rules.charging import usage_charge
from fairuse.rules.windows import HOUR, Span
from fairuse.stores.charges import charged_windows
from fairuse.stores.history import breaches_since
from fairuse.stores.usage import hourly_usage, use_of
from fairuse.stores.warned import as_told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.rules.charges import Basis, Charge
    from fairuse.rules.charging import Hourly
    from fairuse.rules.ladder import Case
    from fairuse.rules.measures import Measure
    from fairuse.rules.process import Step
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.switches import Switch


async def charges_of(
    case: Case,
    step: Step | None,
    measure: Measure | None,
    terms: Terms,
    ledger: Ledger,
    until: float = math.inf,
) -> list[Charge]:
    """Give the charges of a case, one a window; none where nothing is to be charged.

    By the step of the policy, or by the charge that was proposed and is approved now. A window that
    was charged already, in whichever case, is left out (P8). `until` ends those that are not over.
    Raises LedgerError.
    """
    limit = terms.limit(case.rule)
    tariff, basis = _terms_of(step, measure)
    if limit is None:
        return []
    charges = []
    for each in await _windows(case, limit, ledger):
        window = await as_told(ledger, each)
        window = window._replace(ends_at=min(window.ends_at, until))
        hourly = await _hours(window, limit, terms, ledger)
        reading = window.latest if hourly is None else sum(units for _, units in hourly)
        held = limit.within(window.scope)
        charge = usage_charge(window, held, terms, reading, hourly, basis=basis, tariff=tariff)
        if charge is not None:
            charges.append(charge)
    return charges


async def charges_since_switch(
    switch: Switch, terms: Terms, ledger: Ledger, moment: float, late: float
) -> list[Charge]:
    """Give the charges of the windows that are over since a tariff was switched, one each (B18).

    Every unit from the delivery of its notice on until the measure's end, by the price of its day;
    those of the hours in which they are count for neither. `late` is how many seconds usage may be
    told late. A window that was charged already is left out (P8). Raises LedgerError.
    """
    case, measure, told = switch
    limit, ends_at = terms.limit(case.rule), measure.ends_at or math.inf
    if limit is None or told is None:
        return []
    reading = None if told.reading is None else int(told.reading)
    windows = [
        case._replace(
            starts_at=float(span.start),
            ends_at=min(float(span.end), ends_at),
            notified_at=told.at,
            notified_reading=reading,
        )
        for span in _over(limit, told.at, min(ends_at, moment), moment - late)
    ]
    charged = await charged_windows(ledger, case) if windows else set()
    windows = [window for window in windows if window.starts_at not in charged]
    if not windows:
        return []
    whole = case._replace(starts_at=windows[0].starts_at, ends_at=windows[-1].ends_at)
    hours = await _hours(whole, limit, terms, ledger) or []
    charges = []
    for window in windows:
        used = _within(hours, window.starts_at, window.ends_at)
        count = sum(units for _, units in used)
        prices = measure.limit or None
        charge = usage_charge(window, limit, terms, count, used, basis="switch", tariff=prices)
        if charge is not None:
            charges.append(charge)
    return charges


def _over(limit: LimitTerms, since: float, until: float, closed_at: float) -> Iterator[Span]:
    """Give the windows that begin before a moment and are over, from that of another one on."""
    span = limit.span(since)
    while span is not None and span.start < until and span.end <= closed_at:
        yield span
        span = limit.span(span.end)


async def charges_so_far(case: Case, terms: Terms, ledger: Ledger, moment: float) -> list[Charge]:
    """Give what a case would be charged if its windows ended now, by the first step that charges.

    For the customer to see before it is the bill (A23). Raises LedgerError.
    """
    if case.state == "closed":
        return []
    steps = (step for step in terms.rules.ladder.steps if step.do == "charge")
    step = next((step for step in steps if step.covers(case.rule)), None)
    return await charges_of(case, step, None, terms, ledger, moment)


async def reading_so_far(case: Case, terms: Terms, ledger: Ledger) -> int | None:
    """Give the count of a case's window by what the ledger has of it; None where it has none."""
    limit = terms.limit(case.rule)
    hours = None if limit is None else await _hours(case, limit, terms, ledger)
    return case.latest if hours is None else sum(units for _, units in hours)


async def reading_now(case: Case, terms: Terms, ledger: Ledger, moment: float) -> int | None:
    """Give the count of the window that is running, by what the ledger has of it.

    That of a measure's notice, which may be delivered in a later window than its case is about.
    """
    limit = terms.limit(case.rule)
    span = None if limit is None else limit.span(moment)
    if span is None:
        return None
    window = case._replace(starts_at=float(span.start), ends_at=float(span.end))
    return await reading_so_far(window, terms, ledger)


async def _hours(
    window: Case, limit: LimitTerms, terms: Terms, ledger: Ledger
) -> list[tuple[int, int]] | None:
    """Give the hours of a window with what was used; None where they are not kept.

    What came before the policy was for the contract is left out (A01), and so is an hour that is
    only partly in the window, as after a change of the tenant's zone: it is not known which part.
    """
    span = Span(int(max(window.starts_at, terms.applies_from)), int(window.ends_at))
    use = use_of(limit, window.account, window.scope, span)
    if use is None:
        return None
    hours = await hourly_usage(ledger, use)
    return _within(hours, span.start, span.end)


def _within(hours: Hourly, begin: float, end: float) -> Hourly:
    """Give the hours that are wholly between two moments."""
    return [(hour, units) for hour, units in hours if begin <= hour and hour + HOUR <= end]


def _terms_of(step: Step | None, measure: Measure | None) -> tuple[str | None, Basis]:
    """Give the price list, and from where on is charged."""
    if step is not None:
        return step.tariff, step.from_
    if measure is not None and measure.kind == "charge":
        return measure.limit or None, "limit" if measure.amount == "limit" else "notice"
    return None, "notice"


async def _windows(case: Case, limit: LimitTerms, ledger: Ledger) -> list[Case]:
    """Give the windows of a case that are not charged: of repeated breaches each (B19)."""
    charged = await charged_windows(ledger, case)
    found = [case] if limit.case_after is None else await _breached(case, ledger)
    return [window for window in found if window.starts_at not in charged]


async def _breached(case: Case, ledger: Ledger) -> list[Case]:
    """Give the windows that a case of repeated breaches is about."""
    breaches = await breaches_since(ledger, case.starts_at, case.account)
    return [
        case._replace(
            starts_at=breach.starts_at,
            ends_at=breach.ends_at,
            amount=breach.amount,
            latest=breach.reading,
        )
        for breach in breaches
        if (breach.rule, breach.scope) == (case.rule, case.scope) and breach.ends_at <= case.ends_at
    ]
