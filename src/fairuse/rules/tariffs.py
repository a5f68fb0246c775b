"""Tariffs: the price of a unit, and from when on (E36). Money is decimal, with its currency."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, NamedTuple

from babel.numbers import list_currencies
from pydantic import BeforeValidator, Field, InstanceOf

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


def _price(value: object) -> Price:
    if isinstance(value, Price):
        return value
    found = _PRICE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f'{value!r} is no price; write it like "EUR 0.05"')
    if found[1] not in list_currencies():
        raise ValueError(f'there is no currency "{found[1]}"; write a code of ISO 4217, like EUR')
    return Price(found[1], Decimal(found[2]))


class Tariff(Model):
    """A price for one unit, or for so many, from a day on."""

    price: Annotated[InstanceOf[Price], BeforeValidator(_price), written("EUR 0.05")]
    per: int = Field(default=1, ge=1)
    from_: date = Field(default=date.min, alias="from")


def tariff_on(tariffs: Sequence[Tariff], day: date) -> Tariff | None:
    """Give the tariff in force on a day, or None before the first one."""
    begun = [tariff for tariff in tariffs if tariff.from_ <= day]
    return max(begun, key=lambda tariff: tariff.from_, default=None)
