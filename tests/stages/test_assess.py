"""Assess: whether the use that a case is about is too high still, whatever the policy's grace."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from tests.rules.support import LIMIT, policy, tenant
from tests.rules.support_charges import CENTRUM, NOVEMBER, OCTOBER, RULE, TOLD, a_case

from fairuse.base.instant import Instant
from fairuse.rules.agreed import History
from fairuse.rules.process import Ladder
from fairuse.rules.terms import Terms
from fairuse.rules.windows import Span
from fairuse.stages.assess import assess, look_at
from fairuse.stores.protocol import Reading
from fairuse.stores.rows import Batch, UsageKey
from fairuse.stores.usage import Use, use_of

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case, Facts
    from fairuse.rules.tally import ScopeKey
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio

MINUTE, HOUR, DAY = 60, 3_600, 86_400
GRACES = {
    "0": 0,
    "1 minute": MINUTE,
    "1 hour": HOUR,
    "2 hours": 2 * HOUR,
    "1 day": DAY,
    "14 days": 14 * DAY,
}
AMOUNT = 744
"""One for each hour of October."""


def terms_with(scope: str = "location", **ladder: int) -> Terms:
    """Give the terms of a limit with some ladder: 744 appointments a month."""
    limits = {RULE: LIMIT | {"amount": str(AMOUNT), "scope": scope}}
    process = Ladder().model_copy(update=ladder)
    rules = policy(limits=limits).model_copy(update={"ladder": process})
    return Terms("salon-anna", "salon", tenant(), rules, History())


async def used(ledger: Ledger, begin: float, end: float, an_hour: int, place: str) -> None:
    """Use so much in each hour that began between two moments."""
    first = int(begin // HOUR) * HOUR
    hours = range(first, math.ceil(end), HOUR)
    rows = [(UsageKey("salon", place, "appointments", hour), an_hour) for hour in hours]
    await ledger.write(Batch(usage=rows))


async def looked_at(
    ledger: Ledger, case: Case, terms: Terms, moment: float, count: int = AMOUNT + 1
) -> Facts:
    """Give what is known of a case at the end of its grace, with the count of its window then."""
    case = case._replace(answer_by=moment)
    reading = Reading(RULE, "calendar month", case.scope, count, count, OCTOBER, NOVEMBER)
    sight = look_at(case, terms, reading, None, Instant(moment, moment), 0)
    [facts] = await assess([sight], ledger)
    return facts


@pytest.mark.parametrize("after_the_hour", [0, 17 * MINUTE, 59 * MINUTE + 59])
@pytest.mark.parametrize("grace", GRACES.values(), ids=GRACES)
async def test_who_goes_on_is_too_high_at_the_end_of_any_grace(
    ledger: Ledger, grace: int, after_the_hour: int
) -> None:
    """A17, B12: use that goes on as before is never taken for one that was brought back."""
    told = TOLD + after_the_hour
    case = a_case(notified_at=told, amount=AMOUNT)
    await used(ledger, OCTOBER, told + grace, 2, "centrum")
    facts = await looked_at(ledger, case, terms_with(grace=grace), told + grace)
    assert facts.still_over


@pytest.mark.parametrize("grace", GRACES.values(), ids=GRACES)
async def test_who_stops_is_not_once_there_was_an_hour_to_see_it(
    ledger: Ledger, grace: int
) -> None:
    """A17: the pace says that the use was brought back as soon as a whole hour says so."""
    await used(ledger, OCTOBER, TOLD, 2, "centrum")
    facts = await looked_at(ledger, a_case(), terms_with(grace=grace), TOLD + grace)
    assert facts.still_over == (grace <= HOUR)


@pytest.mark.parametrize("count", [AMOUNT, AMOUNT + 1])
async def test_the_count_is_looked_at_where_no_hours_are_kept(ledger: Ledger, count: int) -> None:
    """A17, P9: what others of the account use is nothing to a case that is about one user."""
    scope: ScopeKey = (("user", "anna"),)
    await used(ledger, OCTOBER, TOLD + DAY, 100, "centrum")
    terms, case = terms_with("user", grace=DAY), a_case(scope=scope)
    facts = await looked_at(ledger, case, terms, TOLD + DAY, count)
    assert facts.still_over == (count > AMOUNT)


def test_use_is_kept_by_location_alone() -> None:
    """B24: by account and by location there are hours; by user or address there are none."""
    [limit], span = terms_with().limits, Span(0, HOUR)
    assert use_of(limit, "salon", (), span) == Use("salon", "appointments", None, span)
    assert use_of(limit, "salon", CENTRUM, span) == Use("salon", "appointments", "centrum", span)
    assert use_of(limit, "salon", (("user", "anna"),), span) is None
    assert use_of(limit, "salon", (*CENTRUM, ("address", "192.0.2.1")), span) is None
