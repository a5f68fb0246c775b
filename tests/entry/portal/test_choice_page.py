"""The page of a link: what it shows, what it chooses, and what it lets nobody do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
from tests.entry.portal.support import DAY, HTML, NAMED, OPTIONS, SECRET, asked
from tests.support import DENTIST, NOON, SALON, Recorder, call, mounted

from fairuse.base.errors import LedgerError
from fairuse.rules.choices import CHOSEN, Portal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.portal.support import Asked

    from fairuse.base.clock import ManualClock

SAYS = {
    "accept charges": "Akkoord met de kosten",
    "reduce": "Het gebruik terugbrengen",
    "extra capacity": "Om meer capaciteit vragen",
    "decline": "Geen van deze",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_is_chosen_by_its_link(choosing: Asked, option: str) -> None:
    """A23: a link's form makes its choice, recorded with time and person, and the page says so."""
    page = choosing.get(option)
    assert page.status_code == 200
    assert f'<button type="submit">{SAYS[option]}</button>' in page.text
    choosing.front.clock.advance(60)
    chosen = choosing.post(option)
    assert chosen.status_code == 200
    assert "Uw keuze is genoteerd" in chosen.text
    assert f"U koos “{SAYS[option]}” op 2 november 2026" in chosen.text
    case = choosing.case
    assert (case.state, case.answered_at) == (CHOSEN[option], NOON + 60)
    [entry] = choosing.choices()
    assert (entry.at, entry.by, entry.case) == (NOON + 60, "salon: Anna Jansen", case.id)
    assert entry.data == {
        "choice": option,
        "by": "salon: Anna Jansen",
        "via": "link",
        "case": case.id,
        "rule": "per-month",
    }


def test_the_page_says_what_it_is_about(choosing: Asked) -> None:
    """A15, A23, D11, D27: account, rule, figures, since when, until when, price and contact."""
    page = choosing.get("accept charges").text.replace("\xa0", " ")
    for part in (
        "salon (locatie centrum)",
        "per-month",
        "3 van 2 afspraken (periode: kalendermaand)",
        "1 november 2026, 00:00:00 CET",
        "2 november 2026, 13:00:00 CET (bij 3)",
        "16 november 2026, 13:00:00 CET",
        "Wat u boven 3 (afspraken) gebruikt, wordt tegen € 0,05 per afspraak in rekening",
        'href="mailto:support@booking.example"',
    ):
        assert part in page


def test_units_after_the_notice_have_a_price_so_far(choosing: Asked) -> None:
    """A09, A23: the page says what would be charged by now: what came after the notice alone."""
    choosing.post("accept charges")
    choosing.front.book()
    choosing.front.clock.advance(3_660)  # what is used in the hour of the notice is free
    for _ in range(20):
        choosing.front.book()
    choosing.front.told()
    page = choosing.get("accept charges").text.replace("\xa0", " ")
    assert "Kosten tot nu toe zouden zijn</dt><dd>€ 1,00</dd>" in page


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_changes_nothing(choosing: Asked, option: str, method: str) -> None:
    """A23: mail scanners follow links, so opening one makes no choice and writes nothing."""
    before = choosing.everything()
    answer = choosing.front.client.request(method, choosing.path(option), headers=HTML)
    assert answer.status_code == 200
    assert bool(answer.content) == (method == "GET")
    assert choosing.everything() == before


def test_the_same_choice_twice_is_one(choosing: Asked) -> None:
    """P8: a form that is sent twice, even after days, is one choice and has the same page."""
    first = choosing.post("reduce")
    before = choosing.everything()
    choosing.front.clock.advance(3 * DAY)
    again = choosing.post("reduce")
    said = first.text.partition("</section>")[0]
    assert "Uw keuze is genoteerd" in said
    assert (again.status_code, again.text.partition("</section>")[0]) == (200, said)
    assert choosing.everything() == before
    assert choosing.get("reduce").text.partition("</section>")[0] == said


def test_another_choice_is_possible_where_the_ladder_lets_it(choosing: Asked) -> None:
    """A23: who brings the use back may agree to the charges after all, and each is recorded."""
    choosing.post("reduce")
    page = choosing.get("accept charges").text
    assert "U koos “Het gebruik terugbrengen”" in page
    assert "U kunt nog anders kiezen." in page
    assert choosing.post("accept charges").status_code == 200
    assert [entry.data["choice"] for entry in choosing.choices()] == ["reduce", "accept charges"]


def test_charges_that_were_agreed_to_are_agreed(choosing: Asked) -> None:
    """A23: after agreeing to charges there is no other choice; the page says what was, and when."""
    choosing.post("accept charges")
    before = choosing.everything()
    refused = choosing.post("reduce")
    assert refused.status_code == 409
    assert "Dit kan nu niet gekozen worden" in refused.text
    assert "U koos “Akkoord met de kosten” op 2 november 2026" in refused.text
    assert "<form" not in refused.text
    assert choosing.everything() == before


CLOSED = [
    (("resolved",), "De zaak is gesloten."),
    (("persisted", "approved"), "Er is een maatregel van kracht."),
]


@pytest.mark.parametrize(("happenings", "says"), CLOSED, ids=["closed", "measured"])
def test_a_case_that_can_not_be_answered_says_so(
    choosing: Asked, happenings: tuple[str, ...], says: str
) -> None:
    """A23: in a case that is closed, or in which a measure is in force, there is no choice."""
    for happening in happenings:
        choosing.moved(happening)  # type: ignore[arg-type]
    page = choosing.get("reduce")
    assert page.status_code == 200
    assert says in page.text
    assert "<form" not in page.text
    assert choosing.post("reduce").status_code == 409
    assert choosing.choices() == []


def test_who_chooses_on_the_last_day_has_time(choosing: Asked) -> None:
    """A17: who promises on the last day to use less has a whole grace for it, and only once."""
    choosing.front.clock.advance(14 * DAY - 60)
    choosing.post("reduce")
    assert choosing.case.answer_by == NOON + 28 * DAY - 60
    choosing.front.clock.advance(DAY)
    choosing.post("decline")
    choosing.post("reduce")
    assert choosing.case.answer_by == NOON + 28 * DAY - 60


def test_a_name_goes_with_a_choice(choosing: Asked) -> None:
    """A23: who does not say who they are is asked again, and nothing is chosen."""
    for form in ({}, {"name": "   "}):
        page = choosing.post("reduce", form)
        assert page.status_code == 422
        assert "Zeg alstublieft wie u bent" in page.text
        assert "<form" in page.text
    assert choosing.choices() == []


def test_a_name_is_text_of_one_line(choosing: Asked) -> None:
    """F-22: a name may try to be an operator's, or fill the record; it stays a customer's name."""
    choosing.post("reduce", {"name": "fairuse\r\n\x00 " + "x" * 500})
    [entry] = choosing.choices()
    assert entry.by == "salon: fairuse " + "x" * 112


TAMPERED = {
    "cut off": lambda token: token[:-2],
    "longer": lambda token: token + "A",
    "another case": lambda token: "A" + token[1:],
    "no token": lambda _: "x",
    "not ascii": lambda _: "%F0%9F%92%A9",
    "two parts": lambda token: token + "/more",
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_link_is_unknown(choosing: Asked, change: object) -> None:
    """A23: a link that was changed chooses nothing, and says nothing of any case."""
    assert callable(change)
    path = choosing.path("reduce")
    base, token = path.rsplit("/", 1)
    client, before = choosing.front.client, choosing.everything()
    changed = f"{base}/{change(token)}"
    for headers in (HTML, {}):
        for method in ("GET", "POST"):
            answer = client.request(method, changed, headers=headers, data=NAMED)
            assert answer.status_code == 404
            assert "salon" not in answer.text
    told = client.get(changed)
    kind = told.headers["content-type"]
    assert (kind, told.json()["rule"]) == ("application/problem+json", "choice")
    assert choosing.everything() == before


def test_links_of_others_open_nothing(choosing: Asked) -> None:
    """A23: a link signed with another key, for another account or for no case, is unknown."""
    case = choosing.case
    ours, theirs = choosing.portal, Portal("https://usage.example", SECRET[::-1])
    tokens = [
        theirs.token(case, "reduce"),
        ours.token(case._replace(account="dentist"), "reduce"),
        ours.token(case._replace(account="nobody"), "reduce"),
        ours.token(case._replace(id=case.id + 1), "reduce"),
        ours.token(case, "terminate"),
    ]
    for token in tokens:
        answer = choosing.front.client.post(f"/fairuse/choice/{token}", data=NAMED, headers=HTML)
        assert answer.status_code == 404
        assert (
            "Deze link is niet van ons"
            in choosing.front.client.get(
                f"/fairuse/choice/{token}", headers={**HTML, "Accept-Language": "nl"}
            ).text
        )
    assert choosing.choices() == []


def test_the_page_leaks_and_loads_nothing(choosing: Asked) -> None:
    """F-22: the page's address is a key: no referrer, cache, frame, script or other site has it."""
    page = choosing.get("reduce")
    headers = page.headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; form-action 'self';"
        r" base-uri 'none'; frame-ancestors 'none'",
        headers["content-security-policy"],
    )
    assert "<script" not in page.text
    assert not re.search(r'(?:src|href)="https?:', page.text)
    assert " style=" not in page.text


def test_names_are_text(tmp_path: Path) -> None:
    """F-22: what a request called a location is text on the pages, and never markup."""
    with asked(tmp_path, location="<img src=x onerror=alert(1)>") as choosing:
        page = choosing.get("reduce").text
        usage = choosing.front.client.get("/fairuse/usage", headers={**HTML, "X-API-Key": SALON})
        for text in (page, usage.text):
            assert "<img" not in text
            assert "&lt;img src=x onerror=alert(1)&gt;" in text


TITLES = {"nl": "Het gebruik terugbrengen", "de": "Die Nutzung senken", "en": "Bring the use back"}


@pytest.mark.parametrize(("language", "title"), TITLES.items())
def test_the_page_speaks_its_readers_language(choosing: Asked, language: str, title: str) -> None:
    """P10: the page is in the browser's language, and in the tenant's where it asks for none."""
    page = choosing.get("reduce", **{"Accept-Language": f"{language};q=0.9"})
    assert f"<h1>{title}</h1>" in page.text
    assert page.headers["content-language"] == language
    assert f'<html lang="{language}">' in page.text
    assert f"<h1>{TITLES['nl']}</h1>" in choosing.get("reduce").text


def test_the_other_options_are_links_beside_it(choosing: Asked) -> None:
    """A23: the page of one option leads to each of the others, wherever the gateway is mounted."""
    page = choosing.get("reduce")
    links = re.findall(r'<li><a href="([^"/]+)">', page.text)
    paths = [urljoin(choosing.path("reduce"), link) for link in links]
    assert paths == [choosing.path(option) for option in OPTIONS if option != "reduce"]
    assert all(choosing.front.client.get(path, headers=HTML).status_code == 200 for path in paths)


def test_guessing_links_is_slowed_down(choosing: Asked) -> None:
    """F-44: who tries links is told to wait like any unknown caller; a real link still opens."""
    client = choosing.front.client
    answers = [client.get("/fairuse/choice/guess", headers=HTML) for _ in range(31)]
    assert [answer.status_code for answer in answers[29:]] == [404, 429]
    assert int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].headers["content-type"].startswith("text/html")
    assert choosing.get("reduce").status_code == 200


def test_a_link_has_a_bucket_of_its_own(choosing: Asked) -> None:
    """F-44: one link that is opened all the time is told to wait as well."""
    assert [choosing.get("reduce").status_code for _ in range(31)][29:] == [200, 429]
    choosing.front.clock.advance(61)
    assert choosing.get("reduce").status_code == 200


def test_only_reading_and_choosing(choosing: Asked) -> None:
    """P10: any other method is refused, with the reason."""
    answer = choosing.front.client.delete(choosing.path("reduce"))
    assert (answer.status_code, answer.json()["rule"]) == (405, "http")


@pytest.mark.parametrize(
    "form", [b"\xff\xfe", b"x" * 5_000, b"a=1&" * 100], ids=["bytes", "long", "many"]
)
def test_a_form_that_is_none_is_refused(choosing: Asked, form: bytes) -> None:
    """F-27: what is no form of ours chooses nothing."""
    answer = choosing.front.client.post(choosing.path("reduce"), content=form, headers=HTML)
    assert answer.status_code == 400
    assert choosing.choices() == []


def test_without_a_ledger_nothing_is_chosen(
    choosing: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: while the ledger can't be read the page says so, and to try again."""
    path = choosing.path("reduce")

    async def away(*_: object) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(choosing.ledger, "rows", away)
    for headers, kind in ((HTML, "text/html; charset=utf-8"), ({}, "application/problem+json")):
        answer = choosing.front.client.post(path, data=NAMED, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (503, kind)
        assert answer.headers["retry-after"] == "1"


def test_before_the_notice_is_delivered_nothing_is_chosen(choosing: Asked) -> None:
    """A15: a case of which the notice was not delivered yet has no choices."""
    choosing.front.book(DENTIST)
    choosing.front.book(DENTIST)
    choosing.front.book(DENTIST)
    ledger = choosing.front.told()
    [case] = choosing.front.server.run(ledger.cases("dentist"))
    token = choosing.portal.token(case, "reduce")
    page = choosing.front.client.get(f"/fairuse/choice/{token}", headers=HTML)
    assert "Het bericht is naar u onderweg." in page.text
    assert "<form" not in page.text


@pytest.mark.anyio
async def test_the_middleware_serves_the_page(tmp_path: Path, clock: ManualClock) -> None:
    """A23: an app in the same process has the page too, and is never asked for it itself."""
    from tests.entry.portal.support import portal_config

    recorder = Recorder()
    config = portal_config(tmp_path)
    async with mounted(config, recorder, clock) as fair:
        accept = [(b"accept", b"text/html")]
        path = "/fairuse/choice/guess"
        answer = await call(fair, "GET", path, key=None, headers=accept)
        assert answer.status == 404
        mounted_path = await call(
            fair, "GET", f"/prefix{path}", key=None, headers=accept, root_path="/prefix"
        )
        assert mounted_path.status == 404
        assert mounted_path.headers["content-type"] == "text/html; charset=utf-8"
    assert recorder.requests == []


def test_without_a_portal_there_are_no_links(tmp_path: Path) -> None:
    """D27: where customers can't reach the gateway, the notice names whom to answer."""
    with asked(tmp_path, portal="") as choosing:
        notices = choosing.front.usage()["notices"]
        assert "/fairuse/choice/" not in notices[0]["body"]
        assert "- Het gebruik terugbrengen" in notices[0]["body"]
        answer = choosing.front.client.get("/fairuse/choice/x", headers=HTML)
        assert answer.status_code == 404


def test_a_notice_has_a_link_for_each_option(choosing: Asked) -> None:
    """A23, C10: the notice that the customer gets leads to each of the options."""
    [notice] = choosing.front.usage()["notices"]
    for option in OPTIONS:
        assert choosing.portal.link(choosing.case, option) in notice["body"]
