"""Notices: what the customer reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import pytest
from tests.rules.support import terms

from fairuse.rules import notice

if TYPE_CHECKING:
    from fairuse.rules.notice import Notice
    from fairuse.rules.terms import Terms

Language = Literal["en", "nl", "de"]
MOMENT = 1_793_620_800.0
TEMPLATES = {"over": notice.OVER_LIMIT, "blocked": notice.BLOCKED}


def _words(known: Terms) -> dict[str, str]:
    return notice.words_of_count(known, 5_001, 5_000, "appointment", "calendar month") | {
        "account": "salon-anna",
        "rule": "per-month",
        "where": notice.where({"location": "centrum"}, known.language),
        "contact": "mailto:support@booking.example",
        "resets": notice.moment(MOMENT, known),
        "usage": "/fairuse/usage",
        "address": "203.0.113.9",
        "until": notice.moment(MOMENT, known),
    }


def test_a_notice_in_full() -> None:
    """P10: a Dutch notice names the account, the figures, the end and the contact."""
    known = terms(language="nl")
    written = notice.write(notice.OVER_LIMIT, known, _words(known))
    assert written.subject == "Uw gebruik ligt boven de afgesproken hoeveelheid: per-month"
    assert written.body.splitlines()[0] == (
        "Account salon-anna (locatie centrum) gebruikte 5.001 van 5.000 (afspraak)"
        " in deze kalendermaand."
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
