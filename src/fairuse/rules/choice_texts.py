"""What choosing means, and where a case stands, in words for the customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.texts import local_time, translate
from fairuse.base.texts import marked as _
from fairuse.rules.choices import DECLINE, time_for
from fairuse.rules.prices import price_text
from fairuse.rules.tariffs import tariff_on
from fairuse.rules.terms import price_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.choices import Choice
    from fairuse.rules.ladder import Case, State
    from fairuse.rules.terms import LimitTerms, Terms


MEANINGS: dict[str, str] = {
    "accept charges": _(
        "What you use above {point} ({unit}) is charged at {price}."
        " Nothing up to there costs anything."
    ),
    "reduce": _(
        "You bring your use back under the agreed amount. If it is back by {until}, the case is"
        " closed and nothing is charged."
    ),
    "extra capacity": _(
        "You would like more than is agreed now, such as a larger package. We contact you about"
        " it; until {until} nothing changes, and nothing is charged that you did not agree to."
    ),
    DECLINE: _(
        "You want none of these. If the use is still too high after {until}, we do what the policy"
        " says next, and tell you."
    ),
}
"""What an option means; its gaps are filled by `meaning`."""

STATES: dict[State, str] = {
    "open": _("The notice is on its way to you."),
    "notified": _("You were told of it."),
    "accepted": _("You agreed to the charges."),
    "reducing": _("You bring the use back."),
    "extended": _("You asked for more capacity."),
    "declined": _("You chose none of the options."),
    "unanswered": _("The time for a choice is over."),
    "persisting": _("The time to bring the use back is over, and it is still too high."),
    "proposed": _("We are considering what to do."),
    "left": _("We decided to do nothing for now."),
    "measured": _("A measure is in force."),
    "renegotiating": _("We are talking about a new agreement."),
    "failed": _("We did not come to a new agreement."),
    "closed": _("The case is closed."),
}
"""Where a case stands."""


def meaning(
    option: str,
    case: Case,
    terms: Terms,
    made: Sequence[Choice],
    moment: float,
    language: str,
) -> str:
    """Say what choosing an option now means (D11: from which point on, and at what price)."""
    until = time_for(case, option, terms.rules.ladder, made, moment)
    words = {"until": local_time(until, terms.zone, language)}
    limit = terms.limit(case.rule)
    if limit is not None:
        words |= {
            "point": limit.unit.number(_charged_above(case, terms), language),
            "unit": limit.unit.names(0, language),
            "price": _price(case, limit, terms, language),
        }
    elif option == "accept charges":
        return translate(language, _("What you use above the agreed amount is charged."))
    return translate(language, MEANINGS[option]).format_map(words)


def _charged_above(case: Case, terms: Terms) -> int:
    """Give the count above which units are charged: none from before the notice (P5)."""
    step = terms.rules.ladder.step(case, ("accepted",))
    if step is None or step.from_ == "limit":
        return case.amount
    return max(case.amount, case.notified_reading or 0)


def _price(case: Case, limit: LimitTerms, terms: Terms, language: str) -> str:
    """Write what more costs, by the tariff of the day of the notice."""
    step = terms.rules.ladder.step(case, ("accepted",))
    tariffs = price_list(step.tariff, terms.agreement) if step and step.tariff else limit.tariffs
    told_at = case.opened_at if case.notified_at is None else case.notified_at
    day = terms.day(told_at)
    return price_text(tariff_on(tariffs, day), limit.unit, language)
