"""Spans of time as a contract writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.rules.durations import LENGTHS, parse_duration

SPANS = {
    "1 second": 1,
    "90 seconds": 90,
    "15 minutes": 900,
    "1 minutes": 60,
    "24 hours": 86_400,
    "14 days": 1_209_600,
    "2 week": 1_209_600,
    "007 days": 604_800,
}
NO_SPANS = [
    "", "soon", "minute", "15", "15minutes", "15  minutes", " 15 minutes", "15 minutes ",
    "15 minutes\n", "0 minutes", "000 days", "-1 minute", "+1 minute", "1.5 hours", "1,5 hours",
    "1e3 seconds", "1_0 seconds", "\u0661\u0665 minutes", "\uff11 day", "15 Minutes", "1 month",
    "1 year", "15 min", "1 hour 30 minutes", "1234567890 seconds", "nan days", "15 minutess",
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), SPANS.items(), ids=SPANS)
def test_spans_are_read(text: str, seconds: int) -> None:
    """A number and a unit, singular or plural, are that many seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", NO_SPANS, ids=repr)
def test_what_is_no_span(text: str) -> None:
    """F-27 (spans): nothing but a whole, positive span is read; the error shows how to write it."""
    with pytest.raises(ValueError, match="is no span of time") as caught:
        parse_duration(text)
    assert str(caught.value) == (
        f'"{text}" is no span of time; write it like "15 minutes" or "24 hours"'
    )


@given(st.integers(1, 999_999_999), st.sampled_from(sorted(LENGTHS)), st.sampled_from(["", "s"]))
def test_every_span_is_its_units(count: int, unit: str, plural: str) -> None:
    """A span is its count times its unit, exactly."""
    assert parse_duration(f"{count} {unit}{plural}") == count * LENGTHS[unit]
