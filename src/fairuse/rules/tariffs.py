"""Tariffs: the price of a unit, and from when on (E36). Money is decimal, with its currency."""

from __future__ import annotations

import itertools
import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from babel.numbers import list_currencies
from pydantic import BeforeValidator, Field, InstanceOf, model_validator

from fairuse.rules.model import Model, written

if TYPE_CHECKING:
    from collections.abc import Sequence

_PRICE = re.compile(r"([A-Z]{3}) ([0-9]{1,12}(?:\.[0-9]{1,8})?)")


class Price(NamedTuple):
    """An amount of money in a currency (ISO 4217)."""

    currency: str
    value: Decimal

    def __str__(self) -> str:
        return f"{self.currency} {self.value:f}"


def parse_price(value: object) -> Price:
    """Read a price, such as "EUR 0.05". Raises ValueError."""
    if isinstance(value, Price):
        return value
    found = _PRICE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f'{value!r} is no price; write it like "EUR 0.05"')
    if found[1] not in list_currencies():
        raise ValueError(f'there is no currency "{found[1]}"; write a code of ISO 4217, like EUR')
    return Price(found[1], Decimal(found[2]))


PriceText = Annotated[InstanceOf[Price], BeforeValidator(parse_price), written("EUR 0.05")]


class Tier(Model):
    """The price of the units above a limit, up to so many of them; or of all that follow."""

    price: PriceText
    per: int = Field(default=1, ge=1)
    up_to: int | None = Field(default=None, ge=1)


class Tariff(Model):
    """What the units above a limit cost, from a day on (D17).

    So much for one or for so many; by tiers, of which each holds for its own units alone; or one
    flat amount in a window, whatever their number.
    """

    price: PriceText | None = None
    per: int = Field(default=1, ge=1)
    tiers: list[Tier] = Field(default_factory=list)
    flat: PriceText | None = None
    from_: date = Field(default=date.min, alias="from")

    @property
    def graduated(self) -> Sequence[Tier]:
        """Give its tiers: one price is one tier, and a flat amount has none."""
        return self.tiers if self.price is None else [Tier(price=self.price, per=self.per)]

    @property
    def currency(self) -> str:
        """Give the currency that all its prices are in."""
        prices = (self.price, self.flat, *(tier.price for tier in self.tiers))
        return next(price.currency for price in prices if price is not None)

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        if [self.price is None, self.flat is None, not self.tiers].count(False) != 1:
            raise ValueError("needs one of price, tiers and flat")
        if self.per != 1 and self.price is None:
            raise ValueError('"per" belongs to a price')
        return self

    @model_validator(mode="after")
    def _tiers_follow_each_other(self) -> Self:
        if len({tier.price.currency for tier in self.tiers}) > 1:
            raise ValueError("its tiers are in more than one currency")
        ends = [tier.up_to for tier in self.tiers]
        if ends and ends.pop() is not None:
            raise ValueError('the last tier is for all that follow, so it has no "up_to"')
        bounds = [0, *(end or 0 for end in ends)]
        if any(start >= end for start, end in itertools.pairwise(bounds)):
            raise ValueError('each tier but the last needs an "up_to" above the one before it')
        return self


PriceList = Annotated[list[Tariff], Field(min_length=1)]
"""Tariffs of which each holds from its day on: of a policy, or of one account instead (D17)."""


def tariff_on(tariffs: Sequence[Tariff], day: date) -> Tariff | None:
    """Give the tariff in force on a day, or None before the first one."""
    begun = [tariff for tariff in tariffs if tariff.from_ <= day]
    return max(begun, key=lambda tariff: tariff.from_, default=None)
