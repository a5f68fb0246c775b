"""The policy's text: by a link of a notice or with the account's key, in the right version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tests.entry.portal.support import HTML, POLICY, SECRET, asked
from tests.support import SALON

from fairuse.rules.choices import Portal

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from tests.entry.portal.support import Asked

KEY = {"X-API-Key": SALON}
PATH = "/fairuse/policy"
VERSION = """
[version]
name      = "{name}"
announced = {announced}
effective = {effective}
changes   = "{changes}"
"""


def _version(name: str, changes: str, year: int = 2026) -> str:
    head, meters = POLICY.split("[counts]", 1)
    version = VERSION.format(
        name=name, announced=f"{year}-01-01", effective=f"{year}-03-01", changes=changes
    )
    return f"{head}{version}\n[counts]{meters}"


FIRST, SECOND = _version("first", "It began."), _version("second", "It went on.", 2027)


def _read(choosing: Asked, path: str, **headers: str) -> httpx.Response:
    return choosing.front.client.get(path, headers={**HTML, **headers})


def _linked(choosing: Asked, version: str, account: str = "salon") -> str:
    return f"{PATH}/{choosing.portal.policy_token(account, version)}"


def test_an_account_reads_the_policy_in_force(choosing: Asked) -> None:
    """B03, B10: limits and all, in the reader's language, and which one it is."""
    page = _read(choosing, PATH, **KEY)
    assert page.status_code == 200
    assert '<html lang="nl">' in page.text
    assert "<h1>Fair use</h1>" in page.text
    assert "Afspraken, per kalendermaand, per locatie</strong>: hoogstens 2." in page.text
    assert "Dit beleid (booking) geldt voor account salon." in page.text
    assert (
        "<h2>Was vereinbart ist</h2>"
        in _read(choosing, PATH, **KEY, **{"Accept-Language": "de"}).text
    )
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_program_reads_it_as_it_is_rendered(choosing: Asked) -> None:
    """B03: whoever takes anything gets the text of `fairuse render`."""
    answer = choosing.front.client.get(PATH, headers=KEY)
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text.startswith("# Fair use\n")


def test_without_a_key_or_a_link_there_is_no_policy(choosing: Asked) -> None:
    """F-22: it is read under the same rules as the other pages."""
    client = choosing.front.client
    assert client.get(PATH, headers=HTML).status_code == 401
    other = Portal("https://usage.example", SECRET[::-1])
    option = choosing.portal.token(choosing.case, "reduce")
    for token in (other.policy_token("salon", "booking"), option, "guess", "x/y"):
        answer = _read(choosing, f"{PATH}/{token}")
        assert answer.status_code == 404
        assert "salon" not in answer.text
    assert _read(choosing, _linked(choosing, "booking", "nobody")).status_code == 404
    token = choosing.portal.policy_token("salon", "booking")
    assert _read(choosing, f"/fairuse/choice/{token}").status_code == 404
    assert client.post(PATH, headers=KEY).status_code == 405
    assert client.post(_linked(choosing, "booking")).status_code == 405


def test_links_that_are_tried_are_slowed_down(choosing: Asked) -> None:
    """F-44: who guesses waits like any unknown caller, and a real link still opens."""
    answers = [_read(choosing, f"{PATH}/guess") for _ in range(31)]
    assert [answer.status_code for answer in answers[29:]] == [404, 429]
    assert _read(choosing, _linked(choosing, "booking")).status_code == 200


def test_notices_and_pages_lead_to_it(choosing: Asked) -> None:
    """B03, C13: the notice has one line with the link, and both pages have it, too."""
    [notice] = choosing.front.server.run(choosing.ledger.notices("salon"))
    [line] = re.findall(
        r"^Het volledige beleid: https://usage\.example/api(\S+)$", notice.body, re.MULTILINE
    )
    assert "geldt voor account salon" in _read(choosing, line).text
    for path, headers in ((choosing.path("reduce"), {}), ("/fairuse/usage", KEY)):
        links = re.findall(r'href="([^"]*policy/[^"]+)"', _read(choosing, path, **headers).text)
        assert links
        for link in links:
            assert _read(choosing, urljoin(path, link)).status_code == 200


def test_a_case_leads_to_the_version_it_was_opened_under(tmp_path: Path) -> None:
    """B03, D25, P7: another version in force later changes nothing of what a case's link shows."""
    with asked(tmp_path, policy=FIRST) as choosing:
        folder = choosing.front.config / "policies"
        link = _linked(choosing, choosing.case.policy)
        assert "Dit beleid (booking@first) geldt" in _read(choosing, link).text
        (folder / "booking.toml").write_text(SECOND)
        configuration = choosing.front.gateway.service.configuration
        assert configuration.reload() == []
        gone = _read(choosing, link).text
        assert "U vroeg om booking@first, die niet meer bewaard is." in gone
        assert "It went on." in gone
        (folder / "booking.first.toml").write_text(FIRST)
        assert configuration.reload() == []
        kept = _read(choosing, link).text
        assert "Dit is booking@first. Voor account salon geldt nu booking@second." in kept
        assert "It began." in kept
        assert "It went on." in _read(choosing, PATH, **KEY).text
        usage = _read(choosing, "/fairuse/usage", **KEY).text
        assert ">booking@first</a>" in usage


def test_without_a_portal_notices_have_no_link(tmp_path: Path) -> None:
    """B03: there is nothing to link to; with the key the text is there all the same."""
    with asked(tmp_path, portal="") as choosing:
        [notice] = choosing.front.server.run(choosing.ledger.notices("salon"))
        assert "Het volledige beleid" not in notice.body
        assert 'href="policy"' in _read(choosing, "/fairuse/usage", **KEY).text
        assert _read(choosing, PATH, **KEY).status_code == 200


def test_a_policys_words_are_text(tmp_path: Path) -> None:
    """F-22: what a policy's file says is text on the page, and never markup or a script's link."""
    nasty = "<img src=x onerror=alert(1)> [x](javascript:alert(1))"
    with asked(tmp_path, policy=_version("first", nasty)) as choosing:
        page = _read(choosing, PATH, **KEY).text
        assert "<img" not in page
        assert 'href="javascript' not in page
        assert "&lt;img src=x onerror=alert(1)&gt;" in page
