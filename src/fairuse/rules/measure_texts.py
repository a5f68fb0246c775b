"""The texts of what is done in a case: a measure that begins or goes on, and a contract's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.texts import marked as _
from fairuse.base.texts import translate
from fairuse.rules.notice import Notice, moment
from fairuse.rules.prices import prices_text
from fairuse.rules.terms import price_list

if TYPE_CHECKING:
    from fairuse.rules.measures import Measure
    from fairuse.rules.tariffs import Tariff
    from fairuse.rules.terms import LimitTerms, Terms


BEGUN = Notice(
    _("A measure is in force: {rule}"),
    _(
        "Account {account}{where} is still above the agreed amount. From {starts} on {what}.\n"
        "\n"
        "Everything else works as before. This ends {ends}. Questions: {contact}."
    ),
)
SWITCHED = Notice(
    _("Your use is charged by the unit from now on: {rule}"),
    _(
        "Account {account}{where} is still above the agreed amount. So from {starts} on, and not"
        " before this notice reaches you, no amount is included any more: every {unit} is charged"
        " at {price}.\n"
        "\n"
        "Nothing is switched off. You get a charge for each {window}, with how it was worked out."
        " This ends {ends}. Questions: {contact}."
    ),
)
GOES_ON = Notice(
    _("A measure stays in force: {rule}"),
    _(
        "We looked again at the measure for account {account}{where}. It stays in force, since"
        " {starts}: {what}.\n"
        "\n"
        "It ends {ends}. Questions: {contact}."
    ),
)
CONTRACT_ENDS = Notice(
    _("We end your contract: {rule}"),
    _(
        "On {told} you were told about the use of account {account}{where}. We talked about it and"
        " came to no agreement, so we end the contract.\n"
        "\n"
        "This notice switches nothing off: you are served until the day on which we close the"
        " account ourselves. Ask us about that day, and about your data: {contact}."
    ),
)
DONE: dict[str, str] = {
    "degrade": _("these functions are switched off: {routes}"),
    "suspend": _("these functions are suspended: {routes}"),
    "reduce": _("the amount of {limit} is {amount}"),
    "throttle": _("the amount of {limit} is {amount}"),
    "deny new users": _("no new users are let in"),
    "switch tariff": _("every {unit} is charged at {price}"),
    "custom": _("a measure is taken: {reason}"),
}
"""What a measure does, in words."""


def what_is_done(measure: Measure, limit: LimitTerms | None, terms: Terms, at: float) -> str:
    """Say what a measure does; a price is that of a moment, with those that follow."""
    words = {
        "routes": ", ".join(measure.routes),
        "limit": measure.limit,
        "amount": measure.amount,
        "reason": measure.reason,
        **words_of_switch(measure, limit, terms, at),
    }
    return translate(terms.language, DONE[measure.kind]).format_map(words)


def words_of_switch(
    measure: Measure, limit: LimitTerms | None, terms: Terms, at: float
) -> dict[str, str]:
    """Say what each unit costs from a moment on; nothing for what is no switch of the tariff."""
    if limit is None or measure.kind != "switch tariff":
        return {}
    tariffs = tariffs_of_switch(measure, limit, terms)
    day = terms.day(at)
    return {
        "unit": limit.unit.name(terms.language),
        "price": prices_text(tariffs, day, limit.unit, terms.language),
    }


def tariffs_of_switch(measure: Measure, limit: LimitTerms, terms: Terms) -> tuple[Tariff, ...]:
    """Give the prices that a measure switched to: those it names, or else the limit's own."""
    return price_list(measure.limit, terms.agreement) if measure.limit else limit.tariffs


def when_it_ends(measure: Measure, terms: Terms) -> str:
    """Say when a measure ends, or is looked at again (P6)."""
    language = terms.language
    if measure.ends_at is not None:
        return translate(language, _("on {day}")).format(day=moment(measure.ends_at, terms))
    if measure.until_under or measure.review_at is None:
        return translate(language, _("as soon as your use is back under the agreed amount"))
    day = moment(measure.review_at, terms)
    return translate(language, _("when we end it; we look at it again on {day}")).format(day=day)
