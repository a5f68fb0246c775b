"""Ten locations in an account that bought one: told how many, offered more, and heard (A26)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.delivery.servers import Authority, mail_server
from tests.scenarios.support import contract, key_of, running, shipped
from tests.support import Recorder, call, told

from fairuse.stores.choices import choices_made

if TYPE_CHECKING:
    from pathlib import Path

    from tests.delivery.servers import Mailbox

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

PORTAL = """
[portal]
url = "https://usage.example"
[notices]
mail      = { env = "FAIRUSE_MAIL" }
operators = ["mailto:desk@provider.example"]
"""
HTML = (b"accept", b"text/html")


async def book(fair: FairUse, place: int) -> None:
    """Make an appointment at a location."""
    path = f"/locations/branch-{place}/appointments"
    assert (await call(fair, path=path, key=key_of("salon"))).status == 201


async def mailed(fair: FairUse, box: Mailbox, recipient: str) -> Any:
    """Wait for the mail that somebody gets, and give it."""
    process = fair.service.process
    assert process is not None
    await told(fair.service)
    async with asyncio.timeout(20):
        while not (found := [mail for to, mail in box.mails if to == recipient]):
            box.taken.clear()
            process.delivery.written.set()
            await box.taken.wait()
    [mail] = found
    return mail


async def noted(fair: FairUse) -> None:
    """Wait until the delivery is written down, from when on there is a choice."""
    ledger = await told(fair.service)
    async with asyncio.timeout(20):
        while [case.state for case in await ledger.cases("salon", closed=False)] == ["open"]:
            pass


async def test_ten_locations_of_which_one_is_bought(
    tmp_path: Path,
    recorder: Recorder,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A25, A26, A27: mail and page name 10 seen and 1 bought; asking for more is recorded, told."""
    authority = Authority(tmp_path, monkeypatch)
    monkeypatch.setenv("FAIRUSE_SECRET", "a secret of at least thirty-two characters")
    ten = contract("salon", "booking", "[packages.standard]\nlocations = 10")
    config = shipped(tmp_path, {"salon": ten})
    settings = config / "gateway.toml"
    settings.write_text(settings.read_text() + PORTAL)
    async with mail_server(authority) as box:
        monkeypatch.setenv("FAIRUSE_MAIL", box.url)
        async with running(config, recorder, clock) as fair:
            for place in range(9):
                await book(fair, place)
            assert await (await told(fair.service)).cases("salon", closed=False) == []
            one = ten.replace("locations = 10", "locations = 1")
            (config / "tenants/salon.toml").write_text(one)
            assert fair.service.configuration.reload() == []
            await book(fair, 9)

            mail = await mailed(fair, box, "salon@customer.example")
            text = " ".join(mail.get_content().split())
            assert "was used with 10 locations. Agreed: 1 location." in text
            assert "/fairuse/policy/" in text
            offer = re.search(r"Ask for more capacity: https://usage\.example(\S+)", text)
            assert offer is not None
            await noted(fair)
            page = await call(fair, "GET", offer[1], key=None, headers=[HTML])
            assert "10 of 1 location per calendar month" in page.body.decode()

            form: list[Any] = [{"type": "http.request", "body": b"name=Anna", "more_body": False}]
            taken = await call(fair, "POST", offer[1], key=None, headers=[HTML], body=form)
            assert "Your choice is noted" in taken.body.decode()
            ledger = await told(fair.service)
            [case] = await ledger.cases("salon", closed=False)
            assert case.state == "extended"
            [made] = (await choices_made(ledger, "salon"))[case.id]
            assert (made.option, made.by, made.via) == ("extra capacity", "salon: Anna", "link")
            memo = await mailed(fair, box, "desk@provider.example")
            assert memo["Subject"] == f"Case {case.id} asks for more capacity: salon"
            assert "salon: Anna" in memo.get_content()
            assert "10 of 1" in " ".join(memo.get_content().split())
            assert len(box.mails) == 2
