"""The page of who can't explain the use: it shows where it came from, and takes the answer once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
from tests.entry.portal.support import HTML, NAMED, TELEPHONE, asked
from tests.support import Recorder, call, mounted

from fairuse.base.errors import LedgerError
from fairuse.stores.outbox import letters

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from tests.entry.portal.support import Asked

    from fairuse.base.clock import ManualClock

HERE = "https://usage.example/api"


def answer(asked: Asked, form: dict[str, str] | None = None) -> httpx.Response:
    """Send the form."""
    form = NAMED if form is None else form
    return asked.front.client.post(asked.unexplained, data=form, headers=HTML)


def answers(asked: Asked) -> list[str]:
    """Give who answered, as the record has it."""
    return [row.author for row in asked.everything()[3] if row.kind == "case.unexplained"]


def test_opening_it_changes_nothing(choosing: Asked) -> None:
    """C16, C17: it says what the answer means and where the use came from; GET is no answer."""
    before = choosing.everything()
    page = choosing.front.client.get(choosing.unexplained, headers=HTML)
    assert page.status_code == 200
    text = page.text.replace("\xa0", " ")
    for part in (
        "Ik kan het niet verklaren",
        "malware",
        "Waar het gebruik vandaan kwam",
        "Aandelen van wat is gebruikt in 3 verzoeken sinds 1 november 2026",
        "203.0.113.9 (100%)",
        "POST /locations/centrum/appointments (100%)",
        "python-httpx",
        "U kunt nog kiezen",
    ):
        assert part in text
    assert choosing.everything() == before


def test_the_answer_is_noted_once_and_moves_nothing(choosing: Asked) -> None:
    """C17, P4: twice the same answer is one notice; the case and its choices stay as they are."""
    case = choosing.case
    for _ in range(2):
        page = answer(choosing)
        assert page.status_code == 200
        assert "Uw antwoord is genoteerd" in page.text
        assert "API-sleutels" in page.text
    assert answers(choosing) == ["salon: Anna Jansen"]
    assert choosing.case == case
    assert choosing.choices() == []
    found = choosing.front.server.run(letters(choosing.ledger, "to do"))
    [letter] = [each for each in found if each.notice.kind == "unexplained"]
    assert (letter.channel, letter.notice.contact) == (TELEPHONE, (TELEPHONE,))
    assert letter.notice.subject.startswith("Wat u kunt nagaan")
    assert "{" not in letter.notice.body
    assert choosing.post("reduce").status_code == 200
    assert choosing.case.state == "reducing"


def test_both_pages_lead_to_each_other(choosing: Asked) -> None:
    """C17: from a choice one finds the answer, and from the answer the choices."""
    path = choosing.unexplained
    page = choosing.get("reduce")
    assert "203.0.113.9 (100%)" in page.text.replace("\xa0", " ")
    href = "../unexplained/" + path.rpartition("/")[2]
    assert f'href="{href}"' in page.text
    assert urljoin(choosing.path("reduce"), href) == path
    href = "../choice/" + choosing.path("decline").rpartition("/")[2]
    assert f'href="{href}"' in choosing.front.client.get(path, headers=HTML).text


def test_who_gives_no_name_is_asked_again(choosing: Asked) -> None:
    """C17: the answer goes with a name."""
    page = answer(choosing, {"name": "  "})
    assert page.status_code == 422
    assert "Vul in wie u bent" in page.text
    assert answers(choosing) == []


def test_a_case_that_is_closed_is_over(choosing: Asked) -> None:
    """C17: there is nothing to explain any more."""
    choosing.moved("resolved")
    assert (
        "De zaak is gesloten" in choosing.front.client.get(choosing.unexplained, headers=HTML).text
    )
    assert answer(choosing).status_code == 409
    assert answers(choosing) == []


def test_a_link_is_good_for_this_and_nothing_else(choosing: Asked) -> None:
    """C17, F-53: a choice's link answers nothing, this one chooses nothing, and others are none."""
    token = choosing.unexplained.rpartition("/")[2]
    chosen = choosing.path("reduce").rpartition("/")[2]
    for path in (
        f"/fairuse/unexplained/{chosen}",
        f"/fairuse/choice/{token}",
        f"/fairuse/unexplained/{token}x",
    ):
        response = choosing.front.client.post(path, data=NAMED, headers=HTML)
        assert response.status_code == 404
    moved = choosing.case._replace(account="dentist")
    other = choosing.portal.unexplained_link(moved).removeprefix(HERE)
    assert choosing.front.client.get(other).status_code == 404
    neither = choosing.front.client.put(choosing.unexplained)
    assert (neither.status_code, neither.headers["allow"]) == (405, "GET, HEAD, POST")
    assert answers(choosing) == []


def test_hostile_names_are_shown_as_text(tmp_path: Path, clock: ManualClock) -> None:
    """C16: a path and a program of markup are text on the page."""
    with asked(tmp_path, clock, location="<b>x") as choosing:
        page = choosing.get("reduce").text
        assert "/locations/&lt;b&gt;x/appointments" in page
        assert "<b>x" not in page


def test_while_the_ledger_is_away_it_says_so(
    choosing: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41: nobody is told that an answer is noted that is not."""

    async def away(*_: object) -> None:
        raise LedgerError("gone")

    monkeypatch.setattr("fairuse.entry.portal.links.case_numbered", away)
    assert answer(choosing).status_code == 503


@pytest.mark.anyio
async def test_without_a_portal_there_is_no_page(config: Path, clock: ManualClock) -> None:
    """C17: where no links are given none is good."""
    async with mounted(config, Recorder(), clock) as fair:
        reply = await call(fair, "GET", "/fairuse/unexplained/x", key=None)
    assert reply.status == 404
