"""The text of a notice: what was measured, against which limit, and what happens now (A15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.texts import local_time, money, number, translate, window_text
from fairuse.base.texts import marked as _
from fairuse.rules.prices import price_text
from fairuse.rules.refusal import USAGE_PATH
from fairuse.rules.tariffs import tariff_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairuse.rules.charges import Charge
    from fairuse.rules.choices import Portal
    from fairuse.rules.rating import Line
    from fairuse.rules.terms import LimitTerms, Terms


class Notice(NamedTuple):
    """A notice: in English with gaps, or written for its reader."""

    subject: str
    body: str


class Letterhead(NamedTuple):
    """What every notice says besides what it is about: whom to ask, and where to choose."""

    contact: str
    portal: Portal | None = None

    @property
    def usage(self) -> str:
        """Give where the account's usage can be read."""
        return USAGE_PATH if self.portal is None else self.portal.url.rstrip("/") + USAGE_PATH

    def policy_link(self, account: str, version: str) -> str:
        """Give the link to a version of the policy; "" without a portal (B03)."""
        return "" if self.portal is None else self.portal.policy_link(account, version)


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
CHOICE = Notice(
    _("Your use is above the agreed amount, and you can choose: {rule}"),
    _(
        "Account {account}{where} used {used} of {amount} ({unit}) in this {window}.\n"
        "\n"
        "Nothing is switched off and nothing is charged because of this notice; your requests"
        " are served as before. Please choose within {grace}:\n"
        "\n"
        "{choices}\n"
        "\n"
        "The count starts again on {resets}. You can follow it at {usage}. Questions: {contact}."
    ),
)
MORE_THAN_AGREED = Notice(
    CHOICE.subject,
    _(
        "In this {window} account {account}{where} was used with {used_units}. Agreed:"
        " {amount_units}.\n"
        "\n"
        "Nothing is switched off and nothing is charged because of this notice; your requests"
        " are served as before. Please choose within {grace}:\n"
        "\n"
        "{choices}\n"
        "\n"
        "The count starts again on {resets}. You can follow it at {usage}. Questions: {contact}."
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
BY_HAND = Notice(
    _("We would like to talk about your use: {rule}"),
    _(
        "We looked at the use of account {account}: {reason}.\n"
        "\n"
        "Nothing is switched off and nothing is charged because of this notice. Please contact us"
        " within {grace}: {contact}. You can follow your use at {usage}."
    ),
)
OVERLOADED = Notice(
    _("Your use overloaded the service repeatedly: {rule}"),
    _(
        "The service was overloaded {used} times, and most of the load was from account"
        " {account}:\n"
        "\n"
        "{episodes}\n"
        "\n"
        "Nothing is switched off and nothing is charged because of this notice. Please look at"
        " the programs that use the service, within {grace}.{choices}\n"
        "\n"
        "Questions: {contact}. You can follow your use at {usage}."
    ),
)
THROTTLED = Notice(
    _("The service is overloaded, and some of your requests are refused: {rule}"),
    _(
        "Since {since} the service is overloaded, and most of the load is from account {account}."
        " So that others are served, at most {amount} of its requests are let in at the same time"
        " while there is no more room. That ends with the overload.\n"
        "\n"
        "Your account stays active. Please look at the programs that use the service. Questions:"
        " {contact}."
    ),
)
CHARGEABLE_FROM_LIMIT = Notice(
    _("Your use is above what is included: {rule}"),
    _(
        "Account {account}{where} used {used} of {amount} ({unit}) in this {window}.\n"
        "\n"
        "Nothing is switched off; your requests are served as before. What is used above the"
        " included amount, and was not bought beforehand, may be charged at {price}. You can buy"
        " more for what is still to come, or ask us: {contact}.\n"
        "\n"
        "The count starts again on {resets}. You can follow it at {usage}."
    ),
)
COST = Notice(
    _("A charge for what your use made necessary: {rule}"),
    _(
        "Account {account}{where} is charged {total} for this: {text}. You were told on {told}"
        " that its use was above the agreed amount.\n"
        "\n"
        "The charge is final on {final}. Questions, or something wrong: {contact}."
    ),
)
CHARGED = Notice(
    _("A charge for use above the agreed amount: {rule}"),
    _(
        "Account {account}{where} is charged {total} for {units} that came above the agreed"
        " amount. You were told on {told}, and only what the terms say is charged:\n"
        "\n"
        "{lines}\n"
        "\n"
        "The charge is final on {final}. Questions, or something wrong: {contact}."
    ),
)
CHARGED_BY_UNIT = Notice(
    _("A charge for use that is charged by the unit: {rule}"),
    _(
        "Account {account}{where} is charged {total} for {units} that came after your use was"
        " charged by the unit. You were told of that and of the price on {told}:\n"
        "\n"
        "{lines}\n"
        "\n"
        "The charge is final on {final}. Questions, or something wrong: {contact}."
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
    """Fill in a template in the tenant's language, and add where the policy can be read."""
    subject = translate(terms.language, template.subject).format_map(words)
    body = translate(terms.language, template.body).format_map(words)
    if words.get("policy_link"):
        line = translate(terms.language, _("The policy in full: {policy_link}"))
        body = f"{body}\n\n{line.format_map(words)}"
    return Notice(subject, body)


def where(scope: Mapping[str, str], language: str) -> str:
    """Name the location a count belongs to, where there is one."""
    if "location" not in scope:
        return ""
    return translate(language, _(" (location {location})")).format_map(scope)


def episode_text(starts_at: float, ends_at: float, per_cent: int, terms: Terms) -> str:
    """Write an episode of overload: from when until when, and which share of it was theirs."""
    text = translate(terms.language, _("- {since} until {until}: {share}% of the load"))
    since, until = moment(starts_at, terms), moment(ends_at, terms)
    return text.format(since=since, until=until, share=number(per_cent, terms.language))


def words_of_count(terms: Terms, used: int, amount: int, limit: LimitTerms) -> dict[str, str]:
    """Write figures as the tenant's language does."""
    language, unit = terms.language, limit.unit
    return {
        "used": unit.number(used, language),
        "amount": unit.number(amount, language),
        "used_units": f"{unit.number(used, language)} {unit.names(used, language)}",
        "amount_units": f"{unit.number(amount, language)} {unit.names(amount, language)}",
        "unit": unit.name(language),
        "window": window_text(limit.window_text, language),
    }


def price_of(limit: LimitTerms, moment: float, terms: Terms) -> str:
    """Write what more costs, as it is on the day of a moment."""
    day = terms.day(moment)
    return price_text(tariff_on(limit.tariffs, day), limit.unit, terms.language)


def line_text(line: Line, charge: Charge, language: str) -> str:
    """Write one line of a charge's arithmetic."""
    price = money(line.price, charge.currency, language)
    units = number(line.units / 10**charge.decimals, language)
    if line.per is None:
        return price
    return f"{units} x {price}" if line.per == 1 else f"{units} x {price} / {line.per}"


def moment(seconds: float, terms: Terms) -> str:
    """Write a moment in the tenant's zone and language."""
    return local_time(seconds, terms.zone, terms.language)
