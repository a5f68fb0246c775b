"""The texts of warnings: that an amount is close, at which pace, and what more costs (D11, D18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.texts import local_time, translate
from fairuse.base.texts import marked as _
from fairuse.rules.approaching import PROJECTED as AT_THIS_PACE
from fairuse.rules.notice import Notice
from fairuse.rules.prices import price_text
from fairuse.rules.tariffs import tariff_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.approaching import Approach
    from fairuse.rules.tariffs import Tariff
    from fairuse.rules.terms import Terms


APPROACHING = Notice(
    _("Your use is close to the agreed amount: {rule}"),
    _(
        "Account {account}{where} used {used} of {amount} ({unit}) in this {window}.{pace}\n"
        "\n"
        "Nothing is switched off and nothing is charged because of this notice; your requests"
        " are served as before. You are told now so that you can adjust your use, or ask us for"
        " more capacity, in time: {contact}.\n"
        "\n"
        "The count starts again on {resets}. You can follow it at {usage}."
    ),
)
PROJECTED = Notice(
    _("At this pace, your use will be above the agreed amount: {rule}"),
    APPROACHING.body,
)
PRICED = Notice(
    _("What your use will cost above what is included: {rule}"),
    _(
        "Account {account}{where} used {used} of {amount} ({unit}) in this {window}.{pace}\n"
        "\n"
        "What is used above {amount} ({unit}) in this {window} may be charged at {price}. Nothing"
        " is switched off; your requests are served as before. You can buy more beforehand,"
        " adjust your use, or ask us: {contact}.\n"
        "\n"
        "The count starts again on {resets}. You can follow it at {usage}."
    ),
)
ANNOUNCED = Notice(
    _("A new version of the fair-use policy: {policy}"),
    _(
        "For account {account}, version {version} of the policy holds from {day} on. Until then"
        " the one in force stays as it is, and nothing that was counted or decided under it"
        " changes.\n"
        "\n"
        "What is different: {changes}. Questions: {contact}."
    ),
)


def warning_of(approach: Approach, prices: Sequence[Tariff] | None) -> Notice:
    """Choose what is told of a count that is on its way to its amount."""
    if prices is not None:
        return PRICED
    return PROJECTED if approach.threshold == AT_THIS_PACE else APPROACHING


def words_of_warning(
    approach: Approach, prices: Sequence[Tariff] | None, terms: Terms, moment: float
) -> dict[str, str]:
    """Write the pace of a count, and what more than the amount costs on the day of a moment."""
    language, unit = terms.language, approach.limit.unit
    day = terms.day(moment)
    price = price_text(tariff_on(prices, day), unit, language) if prices is not None else ""
    return {"pace": _pace(approach, terms), "price": price}


def _pace(approach: Approach, terms: Terms) -> str:
    """Say what the use comes to at this pace; "" where it stays within the amount."""
    forecast, unit, language = approach.forecast, approach.limit.unit, terms.language
    if forecast is None or forecast.reached_at is None:
        return ""
    text = _(" At this pace that is used up on {day}, and at the end it will be {count} ({unit}).")
    return translate(language, text).format(
        day=local_time(forecast.reached_at, terms.zone, language),
        count=unit.number(forecast.total, language),
        unit=unit.name(language),
    )
