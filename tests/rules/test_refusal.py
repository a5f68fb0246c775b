"""Refusals: problem details that name the rule, the figures, the end and the contact."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import WORDS

from fairuse.base.texts import LANGUAGES
from fairuse.rules.refusal import PROBLEMS, Figures, Reader, Refusal, problem_body
from fairuse.rules.units import Unit

if TYPE_CHECKING:
    from fairuse.rules.tally import ScopeKey

ANY_TEXT = st.text() | st.text(alphabet='\r\n\x00\x1b\u2028{}"')
READERS = st.builds(
    Reader,
    st.sampled_from(LANGUAGES),
    st.sampled_from(["Europe/Amsterdam", "Pacific/Apia", "Asia/Kathmandu"]).map(ZoneInfo),
    st.sampled_from(["mailto:support@booking.example"]),
    st.from_regex(r"[0-9a-f]{12}-[0-9a-f]{8}", fullmatch=True),
)
MOMENTS = st.floats(0, 4e9)
READER = Reader("en", ZoneInfo("Europe/Amsterdam"), "mailto:a@b.example", "abc-1")
UNIT = Unit("appointment", "appointments", 0, WORDS)
FIGURES = Figures(60, 60, UNIT, "1 minute", (("address", "203.0.113.9"),))


def _scope(location: str) -> ScopeKey:
    return (("location", location),)


def _body(refusal: Refusal, reader: Reader) -> dict[str, Any]:
    written = problem_body(refusal, reader)
    assert not {b"\n"[0], b"\r"[0]} & set(written)
    body: dict[str, Any] = json.loads(written)
    return body


@given(st.sampled_from(sorted(PROBLEMS)), READERS, MOMENTS, ANY_TEXT, st.integers(0, 2**53))
def test_every_refusal_is_json_on_one_line(
    kind: str, reader: Reader, until: float, text: str, used: int
) -> None:
    """P10: a refusal of any kind, with any text of a client in it, is one line of valid JSON."""
    figures = Figures(used, 60, UNIT, "calendar month", _scope(text))
    body = _body(Refusal(kind, "burst", text, until, figures), reader)
    problem = PROBLEMS[kind]
    assert (body["type"], body["status"]) == (problem.type, int(problem.status))
    assert (body["rule"], body["violated-policies"]) == ("burst", ["burst"])
    assert (body["used"], body["amount"], body["scope"]) == (used, 60, {"location": text})
    assert (body["contact"], body["usage"]) == (reader.contact, "/fairuse/usage")
    assert body["instance"] == f"urn:fairuse:request:{reader.request_id}"
    ends = datetime.fromisoformat(body["until"])
    assert timedelta(0) <= ends - datetime.fromtimestamp(until, UTC) <= timedelta(seconds=1)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(PROBLEMS))
def test_every_refusal_is_a_whole_sentence(kind: str, language: str) -> None:
    """P10: every kind of refusal has a title and a sentence without gaps, in every language."""
    body = _body(
        Refusal(kind, "burst", "a reason", 1e9, FIGURES), READER._replace(language=language)
    )
    for name, text in (("title", PROBLEMS[kind].title), ("detail", PROBLEMS[kind].detail)):
        assert body[name]
        assert not set("{}") & set(body[name])
        assert (body[name] == text) == (language == "en" and "{" not in text)


def test_a_refusal_in_full() -> None:
    """P10: a refused booking reads as this, in Dutch."""
    refusal = Refusal("runaway", "burst", until=1_793_620_800.2, figures=FIGURES)
    assert refusal.status == 429
    assert _body(refusal, READER._replace(language="nl")) == {
        "type": "https://iana.org/assignments/http-problem-types#abnormal-usage-detected",
        "title": "Veel meer verzoeken dan gebruikelijk in korte tijd",
        "status": 429,
        "detail": "Vanaf uw adres zijn 60 van 60 (afspraak) per 1 minuut gebruikt. Uw account"
        " blijft actief; dit verzoek is niet meegeteld.",
        "instance": "urn:fairuse:request:abc-1",
        "rule": "burst",
        "violated-policies": ["burst"],
        "used": 60,
        "amount": 60,
        "unit": "appointment",
        "window": "1 minute",
        "scope": {"address": "203.0.113.9"},
        "until": "2026-11-02T13:00:01+01:00",
        "contact": "mailto:a@b.example",
        "usage": "/fairuse/usage",
    }


def test_what_is_not_known_is_left_out() -> None:
    """A refusal without figures or an end says nothing about them."""
    body = _body(Refusal("upstream-busy", "upstream"), READER)
    assert not {"until", "used", "violated-policies", "scope"} & set(body)
    assert body["status"] == 503


def test_a_gateway_that_stops_says_so() -> None:
    """P10: a request that a restart cuts short is a 503 that counted nothing, and no upstream's."""
    refusal = Refusal("gateway-stopping", "gateway")
    assert refusal.status == 503
    body = _body(refusal, READER)
    assert body["type"].endswith("#temporary-reduced-capacity")
    assert body["title"] == "This gateway is being restarted"
    assert "Nothing was counted for this request." in body["detail"]


def test_the_sentence_and_the_field_name_one_moment() -> None:
    """P10 (until when): the sentence doesn't promise an earlier end than the field does."""
    body = _body(Refusal("blocked", "burst", until=1_793_620_800.5), READER)
    assert body["until"] == "2026-11-02T13:00:01+01:00"
    assert "1:00:01" in body["detail"]


def test_a_refusal_keeps_the_account_active() -> None:
    """P3 (the words): where a refusal is of a known account, it says that it stays active."""
    for kind in ("runaway", "quota", "blocked"):
        assert "Your account stays active" in PROBLEMS[kind].detail


KNOWN = {
    "the eleventh user": (
        Refusal("seat", "active-users", figures=Figures(10, 10, Unit("user", "users"), "always")),
        403,
        "10 of 10 (user) are active, and this one is not among them.",
    ),
    "a full level": (
        Refusal("full", "calls", figures=Figures(5, 5, Unit("call", "calls"), "always")),
        429,
        "5 of 5 (call) are in use at the same time.",
    ),
    "tenths": (
        Refusal(
            "quota", "hours", figures=Figures(24_005, 24_000, Unit("hour", "hours", 1), "1 day")
        ),
        429,
        "2,400.5 of 2,400 (hour) per 1 day are used.",
    ),
    "a body that is too large": (
        Refusal("too-large", "http", "65536"),
        413,
        "Its body is read here, of at most 65536 bytes.",
    ),
    "a cost that is none": (
        Refusal("unreadable-cost", "pages", "'-1' is no number of units"),
        400,
        "The request was refused before anything was counted: '-1' is no number of units.",
    ),
    "no ledger": (
        Refusal("ledger-away", "ledger"),
        503,
        "Please send it again later: what was told before counts once.",
    ),
}


@pytest.mark.parametrize(("refusal", "status", "begins"), KNOWN.values(), ids=KNOWN)
def test_refusals_say_what_happened(refusal: Refusal, status: int, begins: str) -> None:
    """P10, E21, F-27: each kind has its status and says what it is about in plain words."""
    body = _body(refusal, READER)
    assert refusal.status == body["status"] == status
    assert body["detail"].startswith(begins)
    assert "until" not in body


def test_figures_are_units() -> None:
    """P10 (how much): what is counted in hundredths is shown in units, in fields and sentences."""
    figures = Figures(24_050, 24_000, Unit("minute", "minutes", 1), "calendar month")
    body = _body(Refusal("quota", "minutes", figures=figures), READER._replace(language="de"))
    assert (body["used"], body["amount"], body["unit"]) == (2_405, 2_400, "minute")
    assert body["detail"].startswith("2.405 von 2.400 (minute) je Kalendermonat")


def test_the_same_words_keep_their_own_request() -> None:
    """P10: refusals of a flood are worded once; each names its own request, and its own figures."""
    first, second = READER, READER._replace(request_id="abc-2")
    refusal = Refusal("runaway", "burst", until=1_793_620_800.2, figures=FIGURES)
    other = Refusal("runaway", "burst", until=1_793_620_801.2, figures=FIGURES)
    assert _body(refusal, first) == {
        **_body(refusal, second),
        "instance": "urn:fairuse:request:abc-1",
    }
    assert _body(other, first)["until"] == "2026-11-02T13:00:02+01:00"
    assert _body(refusal, first)["until"] == "2026-11-02T13:00:01+01:00"
