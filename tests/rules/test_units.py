"""Units, as they are counted and as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import PAGES

from fairuse.rules.amounts import MAX_AMOUNT
from fairuse.rules.meters import Meter
from fairuse.rules.units import Unit

MINUTES = Unit("minute", "minutes", 2, {"nl": {"minute": "minuut", "minutes": "minuten"}})
PAGE = Unit("page", "pages")

NUMBERS = {
    "whole, en": (PAGE, 12_500, "en", "12,500"),
    "whole, nl": (PAGE, 12_500, "nl", "12.500"),
    "hundredths, en": (MINUTES, 240_050, "en", "2,400.5"),
    "hundredths, de": (MINUTES, 240_050, "de", "2.400,5"),
    "hundredths of nothing": (MINUTES, 0, "en", "0"),
    "one hundredth": (MINUTES, 1, "nl", "0,01"),
    "no decimals left": (MINUTES, 300, "en", "3"),
    "millionths": (Unit("euro", "euros", 6), 1_000_001, "en", "1.000001"),
}


@pytest.mark.parametrize(("unit", "counted", "language", "text"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_are_written_as_the_language_does(
    unit: Unit, counted: int, language: str, text: str
) -> None:
    """P10 (the figures), C13: what is counted in hundredths is read in units."""
    assert unit.number(counted, language) == text


NAMES = {
    "none": (0, "pages"),
    "one": (1, "page"),
    "two": (2, "pages"),
    "many": (12_500, "pages"),
}


@pytest.mark.parametrize(("counted", "name"), NAMES.values(), ids=NAMES)
def test_one_is_one_and_the_rest_are_many(counted: int, name: str) -> None:
    """P10 (the figures): 1 page, 2 pages, 0 pages."""
    assert PAGE.names(counted, "en") == name


def test_hundredths_make_one_or_many() -> None:
    """P10 (the figures): a hundred hundredths are one minute; half a minute is not."""
    names = [MINUTES.names(counted, "nl") for counted in (100, 50, 150, 10_000)]
    assert names == ["minuut", "minuten", "minuten", "minuten"]
    assert MINUTES.name("nl") == "minuut"


def test_the_policy_translates_its_own_words() -> None:
    """P10: the policy's own words come first, then ours, then the words as they are."""
    assert (MINUTES.name("en"), MINUTES.name("de")) == ("minute", "minute")
    known = Unit("request", "requests")
    renamed = Unit("request", "requests", words={"nl": {"request": "aanroep"}})
    assert (known.name("nl"), renamed.name("nl")) == ("verzoek", "aanroep")
    assert (known.name("de"), renamed.name("de")) == ("Anfrage", "Anfrage")


def test_a_meter_has_a_word_for_several() -> None:
    """A meter's plural is the one it is given, or its word and an s."""
    assert Meter.model_validate(PAGES).plural == "pages"
    assert Meter.model_validate(PAGES | {"unit": "SMS", "units": "SMS"}).plural == "SMS"


@given(st.integers(0, MAX_AMOUNT), st.integers(0, 6))
def test_units_are_what_is_counted(counted: int, decimals: int) -> None:
    """C13 (the same number): whole units stay whole numbers; others are close to the exact ones."""
    units = Unit("x", "xs", decimals).units(counted)
    if decimals == 0:
        assert units == counted
        assert isinstance(units, int)
    else:
        assert units == pytest.approx(counted / 10**decimals, rel=1e-15)


@given(st.integers(0, 10**9))
def test_what_is_shown_can_be_read_back(counted: int) -> None:
    """C13 (the same number): no hundredth is lost on the way to the reader."""
    text = MINUTES.number(counted, "en").replace(",", "")
    assert round(float(text) * 100) == counted
