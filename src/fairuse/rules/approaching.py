"""Approaching: which of a policy's warnings a count has come to, before it is over (D18, D19).

From the least to the most: that it will be over at this pace, then each share of the amount.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from fairuse.rules.forecast import forecast
from fairuse.rules.tariffs import tariff_on
from fairuse.rules.terms import price_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.amounts import Amount
    from fairuse.rules.forecast import Forecast
    from fairuse.rules.tally import ScopeKey
    from fairuse.rules.tariffs import Tariff
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.rules.windows import Span

PROJECTED = "projected"


class Subject(NamedTuple):
    """What a warning is about: the count of one window and scope under one rule."""

    account: str
    rule: str
    scope: ScopeKey
    starts_at: int

    def once(self, threshold: str) -> str:
        """Name a warning, so that there is no second one (C15)."""
        return f"{self}:{threshold}"

    def __str__(self) -> str:
        scope = json.dumps(self.scope, separators=(",", ":"))
        return f"warn:{self.account}:{self.rule}:{scope}:{self.starts_at}"


class Approach(NamedTuple):
    """A count on its way to the amount: `used` of `amount`, in the counts of its meter.

    `threshold` is the highest one it has come to, `above` those that are higher still.
    """

    subject: Subject
    limit: LimitTerms
    span: Span
    threshold: str
    above: tuple[str, ...]
    used: int
    amount: Amount
    forecast: Forecast | None

    @property
    def once(self) -> str:
        """Name the warning."""
        return self.subject.once(self.threshold)

    @property
    def said(self) -> list[str]:
        """Name the warnings any of which has said all that this one would: it and higher ones."""
        return [self.subject.once(threshold) for threshold in (self.threshold, *self.above)]


def subject_of(once: str | None) -> Subject | None:
    """Give what a warning is about, by its name; None for the name of anything else."""
    kind, _, rest = (once or "").partition(":")
    if kind != "warn":
        return None
    account, rule, rest = rest.split(":", 2)
    scope, starts_at, _threshold = rest.rsplit(":", 2)
    pairs = tuple((name, value) for name, value in json.loads(scope))
    return Subject(account, rule, pairs, int(starts_at))


def approach_of(
    limit: LimitTerms, terms: Terms, scope: ScopeKey, used: int, moment: float
) -> Approach | None:
    """Give how a count approaches the amount of its limit; None as long as nothing is to be told.

    What refuses warns nobody, nor does what is only a signal for the operator; and what is over is
    told by its case. To use all that was bought of users or locations is no approach to anything.
    """
    if used <= 0 or limit.over not in ("case", "charge") or limit.kind == "members":
        return None
    span, amount = limit.span(moment), limit.within(scope).amount(moment)
    if span is None or amount is None or used > amount.value:
        return None
    ranks = ranks_of(tuple(terms.rules.ladder.warn))
    pace = forecast(limit.kind, span, used, amount.value, moment)
    reached = [
        rank for rank, threshold in enumerate(ranks) if _reaches(threshold, used, amount, pace)
    ]
    if not reached:
        return None
    rank = reached[-1]
    subject = Subject(terms.account, limit.name, scope, span.start)
    return Approach(subject, limit, span, ranks[rank], ranks[rank + 1 :], used, amount, pace)


@lru_cache(maxsize=1_024)
def ranks_of(thresholds: tuple[str, ...]) -> tuple[str, ...]:
    """Put a policy's thresholds in their order."""
    return tuple(sorted({*thresholds}, key=lambda each: (each != PROJECTED, len(each), each)))


def prices_of(limit: LimitTerms, terms: Terms, moment: float) -> Sequence[Tariff] | None:
    """Give the prices of what comes above the amount, where being told is all it needs (D10, D11).

    None where a warning can't be the notice of a charge: where a customer is given a choice,
    nothing is charged that they did not choose (A23), nor where no price is known on that day.
    """
    ladder = terms.rules.ladder
    told = [step for step in ladder.steps if step.on == "told" and step.do == "charge"]
    step = next((step for step in told if step.covers(limit.name)), None)
    if ladder.offers(limit.name) or (step is None and limit.over != "charge"):
        return None
    named = step.tariff if step is not None else None
    prices = price_list(named, terms.agreement) if named else limit.tariffs
    day = terms.day(moment)
    return None if tariff_on(prices, day) is None else prices


def _reaches(threshold: str, used: int, amount: Amount, pace: Forecast | None) -> bool:
    if threshold == PROJECTED:
        return pace is not None and pace.reached_at is not None
    return used * 100 >= int(threshold.removesuffix("%")) * amount.value
