"""Texts in the languages people read, and numbers and times as they write them.

English is in the code; the catalogues in `fairuse/locale/` hold the other languages.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from importlib import resources
from io import BytesIO
from typing import TYPE_CHECKING

from babel import negotiate_locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent
from babel.support import NullTranslations, Translations

from fairuse.base.spans import SECONDS, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from decimal import Decimal

LANGUAGES = ("en", "nl", "de")

LONGEST_WISH = 256
"""Characters of `Accept-Language` that are looked at."""


def marked(text: str) -> str:
    """Mark a text for the catalogues, imported as `_`; it is translated when it is written."""
    return text


@cache
def catalogue(language: str) -> NullTranslations:
    """Give the texts of a language; English, and any unknown one, are the texts in the code."""
    if language not in LANGUAGES[1:]:
        return NullTranslations()
    source = resources.files("fairuse") / "locale" / f"{language}.po"
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def translate(language: str, text: str) -> str:
    """Give the text in the language, or as it is where no translation exists."""
    return str(catalogue(language).gettext(text))


def preferred(accept_language: str, otherwise: str) -> str:
    """Choose a language for an `Accept-Language` header (RFC 9110 section 12.5.4)."""
    if not accept_language:
        return otherwise
    return _negotiated(accept_language[:LONGEST_WISH].lower()) or otherwise


@lru_cache(maxsize=1_024)
def _negotiated(accept_language: str) -> str | None:
    return negotiate_locale(_by_weight(accept_language), LANGUAGES, sep="-")


def _by_weight(accept_language: str) -> list[str]:
    weighed = []
    for item in accept_language.split(","):
        tag, _, weight = item.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            quality = 0.0
        if quality > 0:
            weighed.append((quality, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda pair: -pair[0])]


def number(value: float | Decimal, language: str) -> str:
    """Write a number, with all its decimals: 5,000 or 5.000."""
    return format_decimal(value, locale=language, decimal_quantization=False)


def percent(share: float, language: str) -> str:
    """Write a share in whole percent: 61% or 61 %."""
    return format_percent(share, locale=language)


def money(value: Decimal, currency: str, language: str) -> str:
    """Write a price, with all its decimals: €0.05 or 0,05 €."""
    return format_currency(
        value, currency, locale=language, currency_digits=False, decimal_quantization=False
    )


def either(texts: Sequence[str], language: str) -> str:
    """Write a choice: a, b or c."""
    return format_list(texts, style="or", locale=language)


def day_text(day: date, language: str) -> str:
    """Write a day as people of the language do: 1 januari 2014."""
    return format_date(day, "long", locale=language)


def local_time(moment: float, zone: tzinfo, language: str) -> str:
    """Write a moment as people of the language do, in their zone."""
    return format_datetime(
        datetime.fromtimestamp(moment, UTC), "long", tzinfo=zone, locale=language
    )


def iso_time(moment: float, zone: tzinfo) -> str:
    """Write a moment in RFC 3339, in local time with its offset, to the second."""
    return datetime.fromtimestamp(moment, zone).isoformat(timespec="seconds")


def span_text(seconds: int, language: str) -> str:
    """Write a span of time in the largest unit that fits: 14 days."""
    units: tuple[Unit, ...] = ("day", "hour", "minute", "second")
    unit = next(unit for unit in units if seconds % SECONDS[unit] == 0)
    span = timedelta(seconds=seconds)
    return format_timedelta(span, granularity=unit, threshold=math.inf, locale=language)


def window_text(window: str, language: str) -> str:
    """Write a window: "calendar month", "1 minute", as the policy file does, in the language."""
    count, _, unit = window.partition(" ")
    for name, seconds in SECONDS.items():
        if unit.removesuffix("s") == name and count.isdecimal():
            span = timedelta(seconds=int(count) * seconds)
            return format_timedelta(span, granularity=name, threshold=math.inf, locale=language)
    return translate(language, window)
