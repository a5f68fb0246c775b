"""Notices: what the customer reads."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Literal, get_args

import pytest
from tests.rules.support import LIMIT, policy, tenant, terms

from fairuse.rules import notice
from fairuse.rules.agreed import History
from fairuse.rules.terms import LimitTerms, Terms

if TYPE_CHECKING:
    from fairuse.rules.notice import Notice

Language = Literal["en", "nl", "de"]
MOMENT = 1_793_620_800.0
TEMPLATES = {
    "over": notice.OVER_LIMIT,
    "chargeable": notice.CHARGEABLE,
    "repeated": notice.REPEATED,
    "ageing": notice.AGEING,
    "blocked": notice.BLOCKED,
}


def _limit(known: Terms) -> LimitTerms:
    limit = known.limit("per-month")
    assert limit is not None
    return limit


def _words(known: Terms) -> dict[str, str]:
    return notice.words_of_count(known, 5_001, 5_000, _limit(known)) | {
        "account": "salon-anna",
        "rule": "per-month",
        "where": notice.where({"location": "centrum"}, known.language),
        "contact": "mailto:support@booking.example",
        "resets": notice.moment(MOMENT, known),
        "usage": "/fairuse/usage",
        "address": "203.0.113.9",
        "until": notice.moment(MOMENT, known),
        "opened": notice.moment(MOMENT, known),
        "item": "doc-1",
        "price": "EUR 0.05",
        "breaches": "3",
        "months": "6 months",
    }


def test_a_notice_in_full() -> None:
    """P10: a Dutch notice names the account, the figures, the end and the contact."""
    known = terms(language="nl")
    written = notice.write(notice.OVER_LIMIT, known, _words(known))
    assert written.subject == "Uw gebruik ligt boven de afgesproken hoeveelheid: per-month"
    assert written.body.splitlines()[0] == (
        "Account salon-anna (locatie centrum) gebruikte 5.001 van 5.000 (afspraak"
        "; periode: kalendermaand)."
    )
    for part in ("mailto:support@booking.example", "2 november 2026, 13:00:00 CET"):
        assert part in written.body


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_notice_has_no_gaps(template: Notice, language: Language) -> None:
    """Every notice is whole in every language."""
    known = terms(language=language)
    written = notice.write(template, known, _words(known))
    assert not set("{}") & set(written.subject + written.body)
    assert "salon-anna" in written.body
    assert "mailto:support@booking.example" in written.body


def test_braces_in_a_word_stay() -> None:
    """What a customer calls a location is text, and never a gap to fill."""
    known = terms()
    words = _words(known) | {"where": notice.where({"location": "{contact}"}, "en")}
    assert "(location {contact})" in notice.write(notice.OVER_LIMIT, known, words).body


PLACES = {"en": " (location centrum)", "nl": " (locatie centrum)", "de": " (Standort centrum)"}


@pytest.mark.parametrize(("language", "text"), PLACES.items())
def test_a_notice_names_the_location(language: str, text: str) -> None:
    """A count of a location names it; one without a location names none."""
    assert notice.where({"location": "centrum"}, language) == text
    assert notice.where({"address": "203.0.113.9"}, language) == ""


def test_moments_are_the_tenants() -> None:
    """A moment is written in the tenant's zone and language."""
    berlin = terms(language="de", timezone="Asia/Kathmandu")
    assert notice.moment(MOMENT, berlin).startswith("2. November 2026, 17:45:00")


PRICES: list[dict[str, Any]] = [
    {"price": "EUR 0.05", "from": date(2026, 11, 2)},
    {"price": "USD 0.10", "per": 1_000},
]


def _charged(tariffs: list[dict[str, Any]], language: Language) -> Terms:
    limits = {"per-month": LIMIT | {"over": "charge", "tariff": "appointment"}}
    customer = tenant(tariffs={"appointment": tariffs}, language=language, timezone="Asia/Tokyo")
    return Terms("salon-anna", "salon", customer, policy(limits=limits), History())


CHARGED = {
    "en": ("$0.10 per 1,000 appointments", "\u20ac0.05 per appointment", "the agreed price"),
    "nl": ("US$ 0,10 per 1.000 afspraken", "\u20ac 0,05 per afspraak", "de afgesproken prijs"),
    "de": ("0,10 $ je 1.000 Termine", "0,05 \u20ac je Termin", "dem vereinbarten Preis"),
}


@pytest.mark.parametrize("language", get_args(Language))
def test_a_notice_names_the_price(language: Language) -> None:
    """A21, E36: the price is the one of the day it is in the tenant's zone, or is still to come."""
    before, since, unknown = CHARGED[language]
    known = _charged(PRICES, language)
    midnight = MOMENT - 21 * 3_600  # 2 November begins in Tokyo nine hours before it does in UTC
    assert notice.price_of(_limit(known), midnight, known).replace("\xa0", " ") == since
    assert notice.price_of(_limit(known), midnight - 1, known).replace("\xa0", " ") == before
    late = _charged(PRICES[:1], language)
    assert notice.price_of(_limit(late), midnight - 1, late) == unknown


def test_a_notice_of_charges_in_full() -> None:
    """D10, D11, P1: a notice names what it is about, from which point on, and the price."""
    known = _charged(PRICES, "de")
    price = {"price": notice.price_of(_limit(known), MOMENT, known)}
    written = notice.write(notice.CHARGEABLE, known, _words(known) | price)
    assert written.subject == "Ihre Nutzung liegt \u00fcber der inbegriffenen Menge: per-month"
    for part in (
        "Das Konto salon-anna (Standort centrum) hat 5.001 von 5.000 (Termin) verbraucht",
        "kann mit 0,05\xa0\u20ac je Termin berechnet werden",
        "nur, was nach dieser Nachricht kommt",
    ):
        assert part in written.body
