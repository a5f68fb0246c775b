"""The text of a notice: what was measured, against which limit, and what happens now (A15)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.texts import local_time, money, number, translate, window_text
from fairuse.rules.tariffs import tariff_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairuse.rules.terms import LimitTerms, Terms


class Notice(NamedTuple):
    """A notice: in English with gaps, or written for its reader."""

    subject: str
    body: str


def _(text: str) -> str:
    """Mark a text for the catalogues; it is translated when it is written."""
    return text


OVER_LIMIT = Notice(
    _("Your use is above the agreed amount: {rule}"),
    _(
        "Account {account}{where} used {used} of {amount} ({unit}) in this {window}.\n"
        "\n"
        "Nothing is switched off and nothing is charged because of this notice; your requests"
        " are served as before. Please adjust your use, or contact us about more capacity:"
        " {contact}.\n"
        "\n"
        "The count starts again on {resets}. You can follow it at {usage}."
    ),
)
CHARGEABLE = Notice(
    _("Your use is above what is included: {rule}"),
    _(
        "Account {account}{where} used {used} of {amount} ({unit}) in this {window}.\n"
        "\n"
        "Nothing is switched off; your requests are served as before. What is used above the"
        " included amount may be charged at {price}, and only what comes after this"
        " notice. You can buy more beforehand, or ask us: {contact}.\n"
        "\n"
        "The count starts again on {resets}. You can follow it at {usage}."
    ),
)
REPEATED = Notice(
    _("Your use was above the agreed amount repeatedly: {rule}"),
    _(
        "Account {account}{where} was above the agreed amount {breaches} times within {months}.\n"
        "\n"
        "Nothing is switched off and nothing is charged because of this notice; your requests"
        " are served as before. Please contact us about what fits your use: {contact}.\n"
        "\n"
        "You can follow your use at {usage}."
    ),
)
AGEING = Notice(
    _("Something is open for long: {rule}"),
    _(
        "{item} of account {account} has been open since {opened}. If it is not finished before"
        " {until}, it counts as finished then.\n"
        "\n"
        "Questions: {contact}."
    ),
)
BLOCKED = Notice(
    _("An address is blocked for a while: {rule}"),
    _(
        "Requests for account {account} from the address {address} went on after repeated"
        " refusals, so that address is blocked until {until}.\n"
        "\n"
        "Your account stays active and can be used from every other address. Please check the"
        " program that sends these requests. Questions: {contact}."
    ),
)


def write(template: Notice, terms: Terms, words: Mapping[str, str]) -> Notice:
    """Fill in a template in the tenant's language."""
    return Notice(
        translate(terms.language, template.subject).format_map(words),
        translate(terms.language, template.body).format_map(words),
    )


def where(scope: Mapping[str, str], language: str) -> str:
    """Name the location a count belongs to, where there is one."""
    if "location" not in scope:
        return ""
    return translate(language, _(" (location {location})")).format_map(scope)


def words_of_count(terms: Terms, used: int, amount: int, limit: LimitTerms) -> dict[str, str]:
    """Write figures as the tenant's language does."""
    language, unit = terms.language, limit.unit
    return {
        "used": unit.number(used, language),
        "amount": unit.number(amount, language),
        "unit": unit.name(language),
        "window": window_text(limit.window_text, language),
    }


def price_of(limit: LimitTerms, moment: float, terms: Terms) -> str:
    """Write the price of a unit, as it is on the day of a moment."""
    day = datetime.fromtimestamp(moment, terms.zone).date()
    tariff, language, unit = tariff_on(limit.tariffs, day), terms.language, limit.unit
    if tariff is None:
        return translate(language, _("the agreed price"))
    per = unit.name(language)
    if tariff.per > 1:
        per = (
            f"{number(tariff.per, language)} {unit.names(tariff.per * 10**unit.decimals, language)}"
        )
    price = money(tariff.price.value, tariff.price.currency, language)
    return translate(language, _("{price} per {units}")).format(price=price, units=per)


def moment(seconds: float, terms: Terms) -> str:
    """Write a moment in the tenant's zone and language."""
    return local_time(seconds, terms.zone, terms.language)
