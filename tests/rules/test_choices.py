"""Choices: links that nobody can make up, and what can be chosen when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.support import policy, tenant

from fairuse.base.texts import LANGUAGES
from fairuse.rules.agreed import History
from fairuse.rules.choice_texts import MEANINGS, STATES, meaning
from fairuse.rules.choices import (
    CHOSEN,
    DECLINE,
    TITLES,
    CaseLinked,
    Choice,
    Portal,
    choices_text,
    open_options,
    options,
    time_for,
)
from fairuse.rules.ladder import LADDER, Case, State, after
from fairuse.rules.process import Ladder
from fairuse.rules.terms import Terms

NOW = 1_793_620_800.0
DAY = 86_400
SECRET = "a secret of at least thirty-two characters"
PORTAL = Portal("https://usage.example/", SECRET)
STEPS: list[dict[str, Any]] = [{"on": "accepted", "do": "charge", "tariff": "more"}]
OFFERS = {"offer": ["accept charges", "reduce", "extra capacity"], "steps": STEPS}
LADDER_WITH_OFFERS = Ladder.model_validate(OFFERS)
CASE = Case(
    id=7,
    tenant="salon-anna",
    account="salon",
    rule="per-month",
    scope=(("location", "centrum"),),
    starts_at=NOW - DAY,
    ends_at=NOW + 28 * DAY,
    opened_at=NOW,
    state="notified",
    reading=5_001,
    amount=5_000,
    notified_at=NOW,
    notified_reading=5_400,
    answer_by=NOW + 14 * DAY,
)


def _made(*options: str) -> list[Choice]:
    return [Choice(option, NOW, "salon: Anna", "link") for option in options]


def _terms(language: str = "en", **changes: Any) -> Terms:
    ladder = {**OFFERS, "steps": [{**STEPS[0], **changes}]}
    tariffs = {"more": [{"price": "EUR 0.05"}]}
    customer = tenant(tariffs=tariffs, language=language)
    return Terms("salon-anna", "salon", customer, policy(ladder=ladder), History())


@pytest.mark.parametrize("option", CHOSEN)
def test_a_link_is_read_as_it_was_made(option: str) -> None:
    """A23: a link chooses its option in its case of its account, and nothing else."""
    link = PORTAL.link(CASE, option)
    base, token = link.rsplit("/", 1)
    assert base == "https://usage.example/fairuse/choice"
    assert PORTAL.chosen(token) == CaseLinked(7, "salon", option)
    assert token == PORTAL.token(CASE, option)
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@given(st.text() | st.binary().map(lambda some: some.decode("latin-1")))
def test_nobody_makes_up_a_link(token: str) -> None:
    """A23: whatever else is sent as a token is none, and raises nothing."""
    assert PORTAL.chosen(token) is None


@given(st.integers(0, 60), st.characters(codec="ascii"))
def test_a_changed_link_is_none(place: int, letter: str) -> None:
    """A23: a token in which any letter is another one chooses nothing, or the same."""
    token = PORTAL.token(CASE, "reduce")
    changed = token[:place] + letter + token[place + 1 :]
    # The last letter of base64 has bits that mean nothing.
    assert PORTAL.chosen(changed) in (None, CaseLinked(7, "salon", "reduce"))


def test_what_somebody_else_signed_is_none() -> None:
    """A23: another key, and an option that is none, make no link of ours."""
    other = Portal(PORTAL.url, SECRET + "!")
    assert PORTAL.chosen(other.token(CASE, "reduce")) is None
    assert PORTAL.chosen(PORTAL.token(CASE, "terminate")) is None


def test_a_portal_keeps_its_key_to_itself() -> None:
    """F-22: the key of the links is in no log."""
    assert repr(PORTAL) == "Portal(url='https://usage.example/')"


def test_every_option_leads_somewhere() -> None:
    """A23: each option has a title, a meaning, and a state of the ladder it leads to."""
    assert TITLES.keys() == MEANINGS.keys() == CHOSEN.keys()
    assert STATES.keys() == LADDER.keys()
    assert {after(CASE, happening) for happening in CHOSEN.values()} == {*CHOSEN.values()}


def test_who_is_offered_nothing_has_nothing_to_decline() -> None:
    """A23: declining is a choice only where there is another one."""
    assert options("per-month", Ladder()) == []
    assert options("per-month", LADDER_WITH_OFFERS) == [*LADDER_WITH_OFFERS.offer, DECLINE]
    assert open_options(CASE, Ladder(), [], NOW) == []


OPEN: dict[State, list[str]] = {
    "open": [],
    "notified": ["accept charges", "reduce", "extra capacity", "decline"],
    "accepted": [],
    "declined": ["accept charges", "reduce", "extra capacity", "decline"],
    "persisting": ["accept charges", "decline"],
    "proposed": [],
    "measured": [],
    "renegotiating": [],
    "closed": [],
}


@pytest.mark.parametrize("state", OPEN)
def test_what_can_be_chosen_follows_from_the_ladder(state: State) -> None:
    """A23: a state of the ladder lets its choices be made, and those alone."""
    moment = NOW + (15 * DAY if state == "persisting" else 0)
    made = _made("reduce", "extra capacity") if state == "persisting" else []
    expected = [option for option in OPEN[state] if not made or option != "extra capacity"]
    assert open_options(CASE._replace(state=state), LADDER_WITH_OFFERS, made, moment) == expected


def test_the_last_choice_is_not_offered_again() -> None:
    """P8: what was chosen last is chosen."""
    reducing = CASE._replace(state="reducing")
    assert "reduce" not in open_options(reducing, LADDER_WITH_OFFERS, _made("reduce"), NOW)


@pytest.mark.parametrize("option", ["reduce", "extra capacity"])
def test_who_chooses_late_has_time(option: str) -> None:
    """A17: bringing the use back takes a grace from the choice on, never less than there was."""
    for days, until in ((0, 14), (13, 27), (20, 34)):
        moment = NOW + days * DAY
        assert time_for(CASE, option, LADDER_WITH_OFFERS, [], moment) == NOW + until * DAY
    long = CASE._replace(answer_by=NOW + 40 * DAY)
    assert time_for(long, option, LADDER_WITH_OFFERS, [], NOW) == NOW + 40 * DAY
    assert time_for(CASE._replace(answer_by=None), option, LADDER_WITH_OFFERS, [], NOW) == (
        NOW + 14 * DAY
    )


@given(st.lists(st.sampled_from(["reduce", "extra capacity", "decline"]), max_size=12))
def test_choosing_again_and_again_puts_nothing_off(chosen: list[str]) -> None:
    """A08, A17: each option gives its time once, so at most two graces follow the first."""
    case, made, moment = CASE, list[Choice](), NOW
    for option in chosen:
        moment = max(moment, (case.answer_by or NOW) - 1)  # always at the last moment
        case = case._replace(answer_by=time_for(case, option, LADDER_WITH_OFFERS, made, moment))
        made.append(Choice(option, moment, "salon: Anna", "link"))
    assert (case.answer_by or NOW) <= NOW + 3 * 14 * DAY


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_lists_every_option_with_its_link(language: str) -> None:
    """A23, C10: the lines of a notice name each option and the link that chooses it."""
    lines = choices_text(CASE, LADDER_WITH_OFFERS, PORTAL, language).splitlines()
    assert lines[1::2] == [PORTAL.link(CASE, option) for option in CHOSEN]
    assert len(set(lines[::2])) == 4
    assert all(line.endswith(":") for line in lines[::2])


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_links_a_notice_asks_for_an_answer(language: str) -> None:
    """D27: where there is no portal, the customer tells the contact; where no offer, nothing."""
    lines = choices_text(CASE, LADDER_WITH_OFFERS, None, language).splitlines()
    assert [line[:2] for line in lines[:-1]] == ["- "] * 4
    assert not lines[-1].startswith("-")
    assert choices_text(CASE, Ladder(), PORTAL, language) == ""


MEANS = {
    (
        "en",
        "notice",
    ): "What you use above 5,400 (appointments) is charged at €0.05 per appointment.",
    ("nl", "notice"): "Wat u boven 5.400 (afspraken) gebruikt, wordt tegen € 0,05 per afspraak",
    ("de", "notice"): "Was Sie über 5.400 (Termine) hinaus nutzen, wird mit 0,05 € je Termin",
    ("en", "limit"): "What you use above 5,000 (appointments) is charged at €0.05 per appointment.",
}


@pytest.mark.parametrize(("language", "basis"), MEANS)
def test_agreeing_to_charges_names_the_point_and_the_price(language: str, basis: str) -> None:
    """D11, P5, A09: who agrees reads from which unit on it costs what: none before the notice."""
    known = _terms(language, **{"from": basis})
    text = meaning("accept charges", CASE, known, [], NOW, language).replace("\xa0", " ")
    assert text.startswith(MEANS[language, basis])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("option", CHOSEN)
def test_a_meaning_has_no_gaps(option: str, language: str) -> None:
    """P10: what an option means is a whole sentence, also of a case of several limits."""
    for case in (CASE, CASE._replace(rule="repeated-breaches")):
        text = meaning(option, case, _terms(language), [], NOW, language)
        assert text.endswith(".")
        assert not set("{}") & set(text)


def test_a_meaning_says_until_when() -> None:
    """A17: who brings the use back reads until when, counted from the choice."""
    late = NOW + 13 * DAY
    assert "November 29, 2026" in meaning("reduce", CASE, _terms(), [], late, "en")
    assert "November 16, 2026" in meaning("decline", CASE, _terms(), [], late, "en")
