"""How a tariff is said to the customer, before it costs anything (D11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.texts import day_text, money, number, translate
from fairuse.base.texts import marked as _
from fairuse.rules.tariffs import tariff_on

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from fairuse.rules.tariffs import Price, Tariff, Tier
    from fairuse.rules.units import Unit


def price_text(tariff: Tariff | None, unit: Unit, language: str) -> str:
    """Write what units above the limit cost: each, by tiers, or once for all of them."""
    if tariff is None:
        return translate(language, _("the agreed price"))
    if tariff.flat is not None:
        price = _money(tariff.flat, language)
        return translate(language, _("{price} once")).format(price=price)
    *tiers, last = tariff.graduated
    text = _each(last, unit, language)
    for tier in reversed(tiers):
        text = translate(language, _("{price} up to {amount}, then {further}")).format(
            price=_each(tier, unit, language),
            amount=number(tier.up_to or 0, language),
            further=text,
        )
    return text


def prices_text(tariffs: Sequence[Tariff], day: date, unit: Unit, language: str) -> str:
    """Write what units cost from a day on: the price of that day, and those that follow."""
    text = price_text(tariff_on(tariffs, day), unit, language)
    for later in sorted(tariffs, key=lambda tariff: tariff.from_):
        if later.from_ > day:
            text = translate(language, _("{price}, from {day} on {further}")).format(
                price=text,
                day=day_text(later.from_, language),
                further=price_text(later, unit, language),
            )
    return text


def _each(tier: Tier, unit: Unit, language: str) -> str:
    per = unit.name(language)
    if tier.per > 1:
        per = f"{number(tier.per, language)} {unit.names(tier.per * 10**unit.decimals, language)}"
    price = _money(tier.price, language)
    return translate(language, _("{price} per {units}")).format(price=price, units=per)


def _money(price: Price, language: str) -> str:
    return money(price.value, price.currency, language)
