"""Hosting: a notice says who asked for what, and who can't explain it hears what to check."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from tests.delivery.servers import Authority, mail_server
from tests.scenarios.process import chosen, delivered
from tests.scenarios.support import (
    key_of,
    months,
    opened,
    pass_time,
    running,
    shipped,
    used_before,
)
from tests.scenarios.support_hosting import MB, OTHERS, SHOP, Files, sharing
from tests.support import call, told

from fairuse.entry.case_tables import cases_of, show_case
from fairuse.rules.evidence import Evidence, from_text
from fairuse.stores.outbox import letters
from fairuse.stores.record import entries_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.delivery.servers import Mailbox

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock
    from fairuse.stores.letters import Letter

pytestmark = pytest.mark.anyio

FIRST, SECOND = "198.51.100.7", "2001:db8:1:2::9"
PORTAL = '[portal]\nurl = "https://usage.example"\n'
BROWSER, SCRIPT = "Mozilla/5.0 (X11; Linux)", "python-requests/2.31"
USUAL = {SHOP: 441 * MB, **dict.fromkeys(OTHERS, 51 * MB)}


@pytest.fixture
async def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give ten accounts on shared hosting with a usual year behind them, and links."""
    monkeypatch.setenv("FAIRUSE_SECRET", "a secret of at least thirty-two characters")
    config = shipped(tmp_path, sharing())
    settings = config / "gateway.toml"
    settings.write_text(settings.read_text() + PORTAL)
    used = {name: dict.fromkeys(months("2025-11", 12), units) for name, units in USUAL.items()}
    await used_before(config, "traffic", used)
    return config


async def ask(fair: FairUse, files: Files, megabytes: int, address: str, what: str) -> None:
    """Have the shop asked once, and so many megabytes sent; `what` is the path and the program."""
    files.chunks = megabytes
    path, _, agent = what.partition(" ")
    got = await call(
        fair,
        "GET",
        path,
        key=key_of(SHOP),
        address=address,
        headers=[(b"user-agent", agent.encode())],
        query_string=b"session=secret",
    )
    assert got.status == files.status


async def visited(fair: FairUse, files: Files) -> None:
    """Have many people look at the shop: 60 megabytes."""
    for number in range(60):
        address = f"203.0.113.{number}"
        await ask(fair, files, 1, address, f"/products/{number} {BROWSER}")


async def attacked(fair: FairUse, files: Files) -> None:
    """Have two addresses fetch 400 megabytes, and look for what is not there."""
    for number in range(30):
        await ask(fair, files, 10, FIRST, f"/backup.zip {SCRIPT}")
        if number % 3 == 0:
            await ask(fair, files, 10, SECOND, f"/backup.zip {SCRIPT}")
        files.status = 404
        await ask(fair, files, 0, SECOND, f"/.env {SCRIPT}")
        files.status = 200


async def over(fair: FairUse, clock: ManualClock, files: Files) -> Letter:
    """Have the shop be visited and attacked in a month; gives the notice's letter."""
    await pass_time(fair, clock, "2026-11-03T12:00")
    await visited(fair, files)
    await pass_time(fair, clock, "2026-11-10T03:00")
    await attacked(fair, files)
    return await notice_of(fair)


async def notice_of(fair: FairUse) -> Letter:
    """Give the letter of the excess; early warnings may have come before it."""
    found = await letters(await told(fair.service), "waiting")
    [letter] = [each for each in found if each.notice.kind == "over"]
    return letter


def read(letter: Letter) -> Evidence:
    """Read what a notice tells of where the use came from."""
    found = from_text(letter.notice.evidence)
    assert found is not None
    return found


async def test_the_notice_of_an_attack_says_from_where_and_for_what(
    config: Path, clock: ManualClock
) -> None:
    """C16: both addresses with their shares, the path, the program and the errors; no query."""
    files = Files()
    async with running(config, files, clock) as fair:
        letter = await over(fair, clock, files)
    evidence = read(letter)
    assert [share.value for share in evidence.addresses[:2]] == [FIRST, "2001:db8:1:2::/64"]
    first, second = (share.share for share in evidence.addresses[:2])
    assert (0.6 < first < 0.7, 0.15 < second < 0.25) == (True, True)
    assert [share.value for share in evidence.paths] == ["GET /backup.zip", "GET /products/*"]
    assert evidence.agents[0].value == SCRIPT
    assert [share.value for share in evidence.errors] == ["4xx"]
    assert 0.1 < evidence.errors[0].share < 0.4
    assert evidence.since.isoformat() == "2026-11-01"
    assert "secret" not in letter.notice.evidence
    assert "198.51.100.7" not in letter.notice.body


async def test_the_mail_has_it_in_a_few_lines(
    config: Path, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C16, C17: the customer reads it below the notice, with a link for who can't explain it."""
    authority, files = Authority(tmp_path, monkeypatch), Files()
    async with mail_server(authority) as box:
        settings = config / "gateway.toml"
        settings.write_text(f'{settings.read_text()}[notices]\nmail = "{box.url}"\n')
        async with running(config, files, clock) as fair:
            await pass_time(fair, clock, "2026-11-03T12:00")
            await visited(fair, files)
            await attacked(fair, files)
            await told(fair.service)
            mail = await arrived(box, "above the agreed amount")
    lines = mail.splitlines()
    told_at = lines.index("Where it came from")
    assert lines[told_at + 1 :] == [
        "Shares of what was used in 130 requests since November 1, 2026:",
        f"- Addresses: {FIRST} (65%), 2001:db8:1:2::/64 (22%)",
        "- Paths: GET /backup.zip (87%), GET /products/* (13%)",
        f"- Programs: {SCRIPT} (87%), {BROWSER} (13%)",
        "- Errors, of all requests: 4xx (23%)",
    ]
    asked = lines.index("If you can't explain this use, tell us, and you hear what to check:")
    assert lines[asked + 1].startswith("https://usage.example/fairuse/unexplained/")


async def arrived(box: Mailbox, subject: str) -> str:
    """Wait for a mail, and give its text."""
    async with asyncio.timeout(20):
        while True:
            for _, mail in box.mails:
                if subject in mail["Subject"]:
                    return str(mail.get_content())
            await asyncio.sleep(0.01)


async def test_a_restart_forgets_nothing_of_it(config: Path, clock: ManualClock) -> None:
    """C16, S15: what was seen before a restart is in the notice that comes after it."""
    files = Files()
    async with running(config, files, clock) as fair:
        await pass_time(fair, clock, "2026-11-03T12:00")
        await attacked(fair, files)
    async with running(config, files, clock) as fair:
        await pass_time(fair, clock, "2026-11-10T12:00")
        await visited(fair, files)
        letter = await notice_of(fair)
    evidence = read(letter)
    assert [share.value for share in evidence.addresses[:2]] == [FIRST, "2001:db8:1:2::/64"]
    assert [share.value for share in evidence.paths] == ["GET /backup.zip", "GET /products/*"]


async def test_who_wants_none_of_it_kept_is_told_all_the_same(
    config: Path, clock: ManualClock
) -> None:
    """C16: with `evidence = false` the notice comes without it, and nothing is in the ledger."""
    tenant, files = config / f"tenants/{SHOP}.toml", Files()
    tenant.write_text(f"evidence = false\n{tenant.read_text()}")
    async with running(config, files, clock) as fair:
        letter = await over(fair, clock, files)
    assert letter.notice.evidence == ""


async def test_an_operator_sees_it_with_the_case(
    config: Path, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """C16, C11: `fairuse cases N` shows it, as text and as JSON."""
    files = Files()
    async with running(config, files, clock) as fair:
        await over(fair, clock, files)
        await pass_time(fair, clock, "2026-11-10T03:01")
        configuration = fair.service.configuration
        found = await cases_of(configuration, 1, "", closed=False, clock=clock)
        show_case(found)
        json.dumps(found)
    assert found["evidence"]["addresses"][0]["value"] == FIRST
    shown = capsys.readouterr().out
    assert "Where it came from" in shown
    assert f"- Addresses: {FIRST} (65%), 2001:db8:1:2::/64 (22%)" in shown


async def test_who_cannot_explain_it_is_advised_once_and_chooses_as_before(
    config: Path, clock: ManualClock
) -> None:
    """C17, A23, P4: the answer sends the advice once; the case, its time and choice stay."""
    files = Files()
    async with running(config, files, clock) as fair:
        await over(fair, clock, files)
        await delivered(fair, clock)
        [before] = await opened(fair, SHOP)
        portal = fair.service.configuration.portal
        assert portal is not None
        link = portal.unexplained_link(before).removeprefix("https://usage.example")
        for _ in range(2):
            form = b"name=Sam"
            page = await call(
                fair,
                "POST",
                link,
                key=None,
                headers=[(b"accept", b"text/html"), (b"content-length", b"%d" % len(form))],
                body=[{"type": "http.request", "body": form, "more_body": False}],
            )
            assert page.status == 200
        [after] = await opened(fair, SHOP)
        assert after == before
        ledger = await told(fair.service)
        found = await letters(ledger, "waiting")
        [letter] = [each for each in found if each.notice.kind == "unexplained"]
        assert (letter.notice.kind, letter.case and letter.case.id) == ("unexplained", before.id)
        assert "malware" in letter.notice.body
        assert read(letter).addresses[0].value == FIRST
        entries = [each for each in await entries_of(ledger) if each.kind == "case.unexplained"]
        assert [(each.by, each.case) for each in entries] == [("shop: Sam", before.id)]
        await delivered(fair, clock)
        reduced = await chosen(fair, clock, SHOP, "reduce")
        assert reduced is not None
        assert reduced.state == "reducing"
