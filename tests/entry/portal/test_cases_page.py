"""Cases for programs: what is open, and choosing with the account's key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.entry.portal.support import OPTIONS, POLICY, asked
from tests.support import DENTIST, NOON, SALON

from fairuse.base.errors import LedgerError
from fairuse.rules.choices import CHOSEN

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from tests.entry.portal.support import Asked

KEY = {"X-API-Key": SALON}


def _choose(choosing: Asked, told: Any, key: str = SALON, number: int = 0) -> httpx.Response:
    path = f"/fairuse/cases/{number or choosing.number}/choice"
    return choosing.front.client.post(path, json=told, headers={"X-API-Key": key})


def _cases(choosing: Asked, key: str = SALON) -> Any:
    answer = choosing.front.client.get("/fairuse/cases", headers={"X-API-Key": key})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.json()["cases"]


def test_a_program_reads_the_cases(choosing: Asked) -> None:
    """A15, A23, C10: an account's key shows its cases: figures, times, and what can be chosen."""
    [case] = _cases(choosing)
    choices = case.pop("choices")
    assert case == {
        "id": choosing.number,
        "rule": "per-month",
        "scope": {"location": "centrum"},
        "state": "notified",
        "outcome": None,
        "unit": "appointment",
        "reading": 3,
        "amount": 2,
        "latest": 3,
        "opened_at": "2026-11-02T13:00:00+01:00",
        "window_from": "2026-11-01T00:00:00+01:00",
        "window_until": "2026-12-01T00:00:00+01:00",
        "notified_at": "2026-11-02T13:00:00+01:00",
        "notified_reading": 3,
        "answer_by": "2026-11-16T13:00:00+01:00",
        "closed_at": None,
        "choice": None,
    }
    assert [choice["choice"] for choice in choices] == OPTIONS
    links = [choosing.portal.link(choosing.case, option) for option in OPTIONS]
    assert [choice["link"] for choice in choices] == links
    assert "16 november 2026" in choices[1]["means"]


@pytest.mark.parametrize("option", OPTIONS)
def test_a_program_chooses(choosing: Asked, option: str) -> None:
    """A23: a program makes a choice with the account's key, recorded like a link's."""
    answer = _choose(choosing, {"choice": option})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["state"], shown["choice"]["choice"]) == (CHOSEN[option], option)
    assert option not in [each["choice"] for each in shown["choices"]]
    [entry] = choosing.choices()
    assert (entry.by, entry.data["via"]) == ("customer salon", "key")
    assert _choose(choosing, {"choice": option}).json() == shown
    assert len(choosing.choices()) == 1


def test_a_program_says_who_chose(choosing: Asked) -> None:
    """A23: where a program knows the person, the record has the name."""
    _choose(choosing, {"choice": "reduce", "name": "Anna"})
    assert [entry.by for entry in choosing.choices()] == ["salon: Anna"]


def test_what_is_over_is_refused(choosing: Asked) -> None:
    """A23: after agreeing to charges another choice is a conflict that changes nothing."""
    _choose(choosing, {"choice": "accept charges"})
    before = choosing.everything()
    refused = _choose(choosing, {"choice": "reduce"})
    assert (refused.status_code, refused.json()["rule"]) == (409, "per-month")
    assert "a case that is accepted" in refused.json()["detail"]
    assert choosing.everything() == before


MISTAKES: dict[str, tuple[Any, int]] = {
    "no such option": ({"choice": "terminate"}, 422),
    "no choice": ({"name": "Anna"}, 400),
    "no text": ({"choice": 1}, 400),
    "a name that is none": ({"choice": "reduce", "name": 7}, 400),
    "a list": (["reduce"], 400),
}


@pytest.mark.parametrize(("told", "status"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(choosing: Asked, told: object, status: int) -> None:
    """P10: what can't be read or is not offered is refused, with what there is to choose."""
    refused = _choose(choosing, told)
    assert refused.status_code == status
    assert "accept charges" in refused.text or "name" in refused.text
    assert choosing.choices() == []


def test_cases_of_others_are_none(choosing: Asked) -> None:
    """P9: another account's key sees no case and chooses nothing in it, as if there was none."""
    assert _cases(choosing, DENTIST) == []
    for key, number in ((DENTIST, 0), (SALON, choosing.number + 1), (SALON, 10**17)):
        assert _choose(choosing, {"choice": "reduce"}, key, number).status_code == 404
    assert choosing.choices() == []


def test_the_paths_around_it(choosing: Asked) -> None:
    """F-22: paths near the pages are no pages, and without a key nobody gets anywhere."""
    client = choosing.front.client
    for method, path, status in (
        ("GET", "/fairuse/cases/x", 404),
        ("GET", f"/fairuse/cases/{choosing.number}", 404),
        ("GET", f"/fairuse/cases/{choosing.number}/choice", 405),
        ("POST", "/fairuse/cases", 405),
    ):
        assert client.request(method, path, headers=KEY).status_code == status
    assert client.get("/fairuse/cases").status_code == 401
    assert client.post(f"/fairuse/cases/{choosing.number}/choice").status_code == 401


def test_reading_and_choosing_are_not_metered(choosing: Asked) -> None:
    """P4: looking at cases and choosing cost nothing of any limit."""
    before = choosing.front.usage()["limits"]
    _choose(choosing, {"choice": "reduce"})
    assert choosing.front.usage()["limits"] == before


def test_a_ledger_that_is_away(choosing: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-41: while the ledger can't be asked, a program is told to try again."""

    async def away(*_: object) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setattr(choosing.ledger, "rows", away)
    answer = choosing.front.client.get("/fairuse/cases", headers=KEY)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_what_is_offered_nowhere_can_not_be_chosen(tmp_path: Path) -> None:
    """A23: where the policy offers nothing, a case says so and takes no choice."""
    silent = POLICY.partition("offer =")[0] + "\n[words.nl]\n"
    with asked(tmp_path, policy=silent, tariff="") as choosing:
        assert _cases(choosing)[0]["choices"] == []
        assert _choose(choosing, {"choice": "reduce"}).status_code == 422
        assert _choose(choosing, {"choice": "decline"}).status_code == 422


def test_without_a_portal_a_program_chooses_all_the_same(tmp_path: Path) -> None:
    """A23: an account's key needs no link."""
    with asked(tmp_path, portal="") as choosing:
        [case] = _cases(choosing)
        assert "link" not in case["choices"][0]
        assert _choose(choosing, {"choice": "reduce"}).json()["answer_by"].startswith("2026-11-16")
        assert choosing.case.answered_at == NOON
