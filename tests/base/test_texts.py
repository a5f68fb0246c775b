"""Texts, numbers and times, as the people who read them write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairuse.base.texts import (
    LANGUAGES,
    catalogue,
    iso_time,
    local_time,
    number,
    preferred,
    translate,
    window_text,
)
from fairuse.rules.durations import LENGTHS

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MOMENT = datetime(2026, 11, 2, 12, 5, 9, tzinfo=UTC).timestamp()

WANTED = {
    "nothing": ("", "otherwise"),
    "one": ("nl", "nl"),
    "with a region": ("de-AT", "de"),
    "upper case": ("NL", "nl"),
    "upper case with a region": ("DE-AT", "de"),
    "unknown": ("fr", "otherwise"),
    "anything": ("*", "otherwise"),
    "first of equals": ("de, nl", "de"),
    "by weight": ("en;q=0.1, de;q=0.7,nl;q=0.5", "de"),
    "no weight is the highest": ("de;q=0.9, nl", "nl"),
    "spaces": (" de ; q=0.9 , nl ; q=0.8", "de"),
    "upper case Q": ("nl;Q=0.9, de;Q=0.5", "nl"),
    "not wanted": ("nl;q=0, de;q=0.001", "de"),
    "none wanted": ("nl;q=0", "otherwise"),
    "weight is no number": ("nl;q=x, de", "de"),
    "weight is nan": ("nl;q=nan", "otherwise"),
    "empty items": (",,;q=1,nl", "nl"),
    "only the first 256 characters": ("fr," * 100 + "nl", "otherwise"),
}
TAGS = st.sampled_from(["nl", "NL", "de-AT", "en-GB", "fr", "*", "", "nl_BE", "x" * 9, "-", "\xe9"])
WEIGHTS = st.sampled_from(["", ";q=1", ";q=0", ";q=0.5", ";q=-1", ";q=1e999", ";q=nan", ";", ";q"])
HEADERS = st.lists(st.tuples(TAGS, WEIGHTS).map("".join), max_size=6).map(",".join)


@pytest.mark.parametrize(("header", "language"), WANTED.values(), ids=WANTED)
def test_the_language_a_reader_prefers(header: str, language: str) -> None:
    """Of the languages we have, the reader gets the one wanted most, else the tenant's own."""
    assert preferred(header, "otherwise") == language


@given(st.one_of(st.text(), HEADERS))
@example("nl;q=" + "9" * 200)
def test_any_accept_language_gives_a_language_we_have(header: str) -> None:
    """No Accept-Language raises; the answer is one of ours, spelled as we do, or the other."""
    assert preferred(header, "otherwise") in {*LANGUAGES, "otherwise"}


@pytest.mark.parametrize("language", ["en", "fr", "", "NL/../de"])
def test_without_a_catalogue_texts_stay_english(language: str) -> None:
    """English and unknown languages give the text in the code."""
    assert translate(language, "request") == "request"


def test_texts_are_translated() -> None:
    """A text in the catalogue is translated, any other stays as it is; a catalogue is read once."""
    assert (translate("nl", "request"), translate("de", "request")) == ("verzoek", "Anfrage")
    assert translate("nl", "no such text") == "no such text"
    assert catalogue("nl") is catalogue("nl")


@pytest.mark.parametrize(("language", "text"), [("en", "5,000"), ("nl", "5.000"), ("de", "5.000")])
def test_numbers_are_written_locally(language: str, text: str) -> None:
    """Thousands are parted as the language does."""
    assert number(5_000, language) == text


WINDOWS = {
    ("calendar month", "en"): "calendar month",
    ("calendar month", "nl"): "kalendermaand",
    ("calendar day", "de"): "Kalendertag",
    ("1 minute", "en"): "1 minute",
    ("1 minute", "nl"): "1 minuut",
    ("24 hours", "en"): "24 hours",
    ("24 hours", "nl"): "24 uur",
    ("24 hours", "de"): "24 Stunden",
    ("2 weeks", "de"): "2 Wochen",
    ("30 seconds", "nl"): "30 seconden",
    ("1 days", "en"): "1 day",
}


@pytest.mark.parametrize(("window", "text"), WINDOWS.items(), ids=map(str, WINDOWS))
def test_windows_are_written_locally(window: tuple[str, str], text: str) -> None:
    """A window is written in words of the language, with its plural."""
    assert window_text(*window) == text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [1, 2, 24])
@pytest.mark.parametrize("unit", LENGTHS)
def test_every_window_has_words(unit: str, count: int, language: str) -> None:
    """Every unit a policy may name has a word in every language, and no code stands in for it."""
    text = window_text(f"{count} {unit}s", language)
    assert text.startswith(f"{count} ")
    assert "duration" not in text


def test_moments_are_written_locally() -> None:
    """A moment is shown in the reader's zone and language, with the zone's name."""
    assert local_time(MOMENT, AMSTERDAM, "nl") == "2 november 2026, 13:05:09 CET"
    assert local_time(MOMENT, AMSTERDAM, "de") == "2. November 2026, 13:05:09 MEZ"
    assert (
        local_time(MOMENT, UTC, "en").replace("\u202f", " ") == "November 2, 2026, 12:05:09 PM UTC"
    )


def test_moments_have_their_offset() -> None:
    """A moment for machines is RFC 3339 in local time, to the second."""
    assert iso_time(MOMENT + 0.9, AMSTERDAM) == "2026-11-02T13:05:09+01:00"


@pytest.mark.parametrize("language", LANGUAGES)
def test_rates_have_words_too(language: str) -> None:
    """The longest window of a rate is written in the language as well."""
    assert window_text("1 month", language) in {"1 month", "1 maand", "1 Monat"}
