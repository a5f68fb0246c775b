"""What more costs is said before it is used, in the customer's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fairuse.base.texts import LANGUAGES
from fairuse.rules.prices import price_text
from fairuse.rules.tariffs import Tariff
from fairuse.rules.units import Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

SMS = Unit("SMS", "SMS", words={"nl": {"SMS": "sms"}})
TIERED: Mapping[str, Any] = {
    "tiers": [
        {"price": "EUR 0.08", "up_to": 1_000},
        {"price": "EUR 0.5", "per": 10, "up_to": 2_000},
        {"price": "EUR 0.03"},
    ]
}
SAID = {
    "en": "\u20ac0.08 per SMS up to 1,000, then \u20ac0.50 per 10 SMS up to 2,000, "
    "then \u20ac0.03 per SMS",
    "nl": "\u20ac 0,08 per sms tot en met 1.000, daarna \u20ac 0,50 per 10 sms tot en met 2.000, "
    "daarna \u20ac 0,03 per sms",
    "de": "0,08 \u20ac je SMS bis einschlie\u00dflich 1.000, danach 0,50 \u20ac je 10 SMS bis "
    "einschlie\u00dflich 2.000, danach 0,03 \u20ac je SMS",
}
ONCE = {"en": "\u20ac25.00 once", "nl": "\u20ac 25,00 eenmalig", "de": "einmalig 25,00 \u20ac"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_tiers_are_said_in_their_order(language: str) -> None:
    """D11, D17: what each tier costs, and up to where, is told beforehand."""
    said = price_text(Tariff.model_validate(TIERED), SMS, language)
    assert said.replace("\xa0", " ") == SAID[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_flat_amount_is_said_to_be_one(language: str) -> None:
    """D11, D17: an amount that is charged once is told as such."""
    said = price_text(Tariff.model_validate({"flat": "EUR 25"}), SMS, language)
    assert said.replace("\xa0", " ") == ONCE[language]
