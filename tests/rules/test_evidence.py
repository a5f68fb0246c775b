"""Evidence: shares of what was counted, and how they are written for people."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from tests.support import NOON

from fairuse.rules.evidence import Counted, Evidence, Share, evidence_in, from_text, to_text
from fairuse.rules.evidence_texts import block

ZONE = ZoneInfo("Europe/Amsterdam")
COUNTED: Counted = {
    ("all", "units"): 1_000,
    ("all", "requests"): 40,
    ("address", "203.0.113.7"): 610,
    ("address", "2001:db8::/64"): 220,
    ("address", "192.0.2.1"): 9,
    ("path", "GET /film.mp4"): 800,
    ("prefix", "GET /film.mp4"): 800,
    ("agent", "curl/8.1"): 500,
    ("agent", ""): 300,
    ("answer", "2xx"): 30,
    ("answer", "4xx"): 8,
    ("answer", ""): 2,
}


def read(counted: Counted) -> Evidence:
    """Read what was counted since a day in November."""
    found = evidence_in(counted, NOON, ZONE)
    assert found is not None
    return found


def test_shares_are_of_what_was_counted() -> None:
    """C16: addresses, paths and programs by their units, errors by requests; trifles left out."""
    assert read(COUNTED) == Evidence(
        since=date(2026, 11, 2),
        requests=40,
        sampled=False,
        addresses=(Share("203.0.113.7", 0.61), Share("2001:db8::/64", 0.22)),
        paths=(Share("GET /film.mp4", 0.8),),
        agents=(Share("curl/8.1", 0.5), Share("", 0.3)),
        errors=(Share("4xx", 0.2), Share("", 0.05)),
    )


def test_where_every_path_is_another_their_beginning_is_told() -> None:
    """C16: a path explosion is told by what the paths begin with."""
    scattered = {("path", f"GET /a/{word}"): 30 for word in "bcdef"}
    counted: Counted = {**COUNTED, ("path", "GET /film.mp4"): 0, ("prefix", "GET /a/**"): 990}
    counted = {**counted, ("prefix", "GET /film.mp4"): 0, **scattered}  # type: ignore[dict-item]
    assert read(counted).paths == (Share("GET /a/**", 0.99),)


def test_nothing_is_said_where_nothing_is_known() -> None:
    """C16: usage that was told from outside has no addresses."""
    assert evidence_in({}, NOON, ZONE) is None
    assert evidence_in({("all", "requests"): 3}, NOON, ZONE) is None
    assert (to_text(None), from_text("")) == ("", None)


def test_it_is_kept_as_it_was_read() -> None:
    """C16: a notice keeps what it told."""
    assert from_text(to_text(read(COUNTED))) == read(COUNTED)


def test_a_mail_says_it_in_a_few_lines() -> None:
    """C16: with the number of requests it is about, in the words and figures of the language."""
    assert block(read(COUNTED), "en").splitlines() == [
        "Where it came from",
        "Shares of what was used in 40 requests since November 2, 2026:",
        "- Addresses: 203.0.113.7 (61%), 2001:db8::/64 (22%)",
        "- Paths: GET /film.mp4 (80%)",
        "- Programs: curl/8.1 (50%), not named (30%)",
        "- Errors, of all requests: 4xx (20%), no answer (5%)",
    ]
    sampled = read({**COUNTED, ("all", "requests"): 12_345, ("all", "sampled"): 12_000})
    assert "ongeveer 12.345 verzoeken sinds 2 november 2026" in block(sampled, "nl")
    assert "203.0.113.7 (61\xa0%)" in block(sampled, "de")
