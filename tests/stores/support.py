"""What the tests of the stores share: limits, claims on them, and what is used of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fairuse.rules.agreed import DatedAmount
from fairuse.rules.amounts import Amount
from fairuse.rules.meters import KINDS, WHATEVER_THE_ANSWER
from fairuse.rules.terms import LimitTerms
from fairuse.rules.units import Unit
from fairuse.rules.windows import FIRST, parse_window
from fairuse.stores.protocol import Claim, Exceeded, Receipt

if TYPE_CHECKING:
    from fairuse.base.clock import ManualClock
    from fairuse.rules.meters import Measure
    from fairuse.rules.policy import Over
    from fairuse.stores.protocol import Counters

ZONE = ZoneInfo("Europe/Amsterdam")
DAY = 86_400
FOREVER = float("inf")


def limit(
    name: str,
    amount: int,
    window: str = "1 minute",
    *,
    over: Over = "refuse",
    measure: Measure = "requests",
    meter: str = "m",
) -> LimitTerms:
    """Give a limit; a soft one has another `over`."""
    return LimitTerms(
        name=name,
        meter=meter,
        kind=KINDS[measure],
        measure=measure,
        unit=Unit("unit", "units"),
        scope=(),
        window=parse_window(window),
        window_text=window,
        over=over,
        hard=over in {"refuse", "deny user"},
        whatever_the_answer=measure in WHATEVER_THE_ANSWER,
        then=None,
        case_after=None,
        tariffs=(),
        zone=ZONE,
        billing=FIRST,
        timeline=(DatedAmount(-FOREVER, FOREVER, Amount(amount, "policy"), overridden=False),),
    )


def claim(
    terms: LimitTerms,
    moment: float,
    cost: int = 1,
    *,
    place: str = "",
    member: str = "",
    refusable: bool = True,
) -> Claim:
    """Ask a limit for units, at a moment."""
    amount = terms.amount(moment)
    assert amount is not None
    scope = (("location", place),) if place else ()
    return Claim(terms, scope, amount.value, cost, terms.span(moment), member, refusable)


def take(counters: Counters, clock: ManualClock, *claims: Claim) -> Receipt | Exceeded:
    """Reserve for one account."""
    return counters.reserve("anna", claims, clock.now())


def taken(counters: Counters, clock: ManualClock, *claims: Claim) -> Receipt:
    """Reserve for one account what surely fits."""
    receipt = take(counters, clock, *claims)
    assert isinstance(receipt, Receipt)
    return receipt


def refused(
    counters: Counters, clock: ManualClock, *claims: Claim
) -> tuple[LimitTerms, int, float | None]:
    """Reserve what surely does not fit; give the limit, what is used of it, and the wait."""
    exceeded = take(counters, clock, *claims)
    assert isinstance(exceeded, Exceeded)
    return exceeded.claim.limit, exceeded.used, exceeded.frees_in


def used(counters: Counters, clock: ManualClock) -> dict[str, int]:
    """Give what is used, limit by limit."""
    return {reading.limit: reading.used for reading in counters.read("anna", clock.now())}


def settled(counters: Counters, clock: ManualClock) -> dict[str, int]:
    """Give what is settled, or the highest level, limit by limit."""
    return {reading.limit: reading.settled for reading in counters.read("anna", clock.now())}
