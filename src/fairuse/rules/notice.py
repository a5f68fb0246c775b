"""The text of a notice: what was measured, against which limit, and what happens now (A15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.texts import local_time, number, translate, window_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairuse.rules.terms import Terms


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


def words_of_count(terms: Terms, used: int, amount: int, unit: str, window: str) -> dict[str, str]:
    """Write figures as the tenant's language does."""
    language = terms.language
    return {
        "used": number(used, language),
        "amount": number(amount, language),
        "unit": translate(language, unit),
        "window": window_text(window, language),
    }


def moment(seconds: float, terms: Terms) -> str:
    """Write a moment in the tenant's zone and language."""
    return local_time(seconds, terms.zone, terms.language)
