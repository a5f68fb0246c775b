"""The usage page for people: the same figures as the JSON, in words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.entry.portal.support import HTML, POLICY, asked
from tests.support import DENTIST, SALON

from fairuse.base.errors import LedgerError, StoreError
from fairuse.entry.portal.view import bar_share
from fairuse.entry.usage import UsagePage
from fairuse.rules.charging import usage_charge
from fairuse.stores.charges import add_charge

if TYPE_CHECKING:
    from pathlib import Path

    from tests.entry.portal.support import Asked


def _page(choosing: Asked, key: str = SALON, **headers: str) -> str:
    sent = {**HTML, "X-API-Key": key, "X-Forwarded-For": "203.0.113.9", **headers}
    page = choosing.front.client.get("/fairuse/usage", headers=sent)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["referrer-policy"] == "no-referrer"
    return page.text.replace("\xa0", " ")


def test_the_page_shows_what_the_json_says(choosing: Asked) -> None:
    """C12, A06: used of the limit with a bar, where it stands, and when it starts again."""
    page = _page(choosing)
    for part in (
        "Uw gebruik: salon",
        "<h2>per-month</h2>",
        "locatie centrum",
        "3 van 2 afspraken (periode: kalendermaand)",
        '<span class="standing excessive">boven de afgesproken hoeveelheid</span>',
        '<rect class="excessive" width="100.0" height="10">',
        "De telling begint opnieuw op 1 december 2026, 00:00:00 CET.",
        'href="mailto:support@booking.example"',
    ):
        assert part in page


def test_the_page_leads_to_the_choices(choosing: Asked) -> None:
    """A15, A23, C10: an open case is on the page, with its options, what they mean, and links."""
    page = _page(choosing)
    assert "U kunt kiezen:" in page
    assert f'<a href="choice/{choosing.portal.token(choosing.case, "reduce")}">' in page
    assert "Is dat uiterlijk 16 november 2026, 13:00:00 CET gelukt" in page
    choosing.post("reduce")
    assert "U brengt het gebruik terug." in _page(choosing)


def test_the_page_shows_the_notices(choosing: Asked) -> None:
    """A15, D27: what the customer was told can be read again."""
    page = _page(choosing)
    assert "<summary>Uw gebruik ligt boven de afgesproken hoeveelheid" in page
    assert choosing.portal.link(choosing.case, "reduce") in page


@pytest.mark.parametrize(
    ("used", "amount", "filled"),
    [(0, 5, 0.0), (1, 3, 33.3), (5, 5, 100.0), (7, 5, 100.0), (0, 0, 0.0), (1, 0, 100.0)],
)
def test_a_bar_is_as_full_as_the_amount_is_used(used: int, amount: int, filled: float) -> None:
    """C12: a bar is never more than full, and whatever is used of nothing fills it."""
    assert bar_share(used, amount) == filled


def test_programs_get_json(choosing: Asked) -> None:
    """C12: who asks for anything, or for JSON, gets JSON as before."""
    client = choosing.front.client
    for accept in ("*/*", "application/json", "text/html;q=0, */*", ""):
        headers = {"X-API-Key": SALON, "Accept": accept}
        answer = client.get("/fairuse/usage", headers=headers)
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["account"] == "salon"


@pytest.mark.parametrize(("language", "title"), [("de", "Ihre Nutzung"), ("en", "Your usage")])
def test_the_page_is_in_the_readers_language(choosing: Asked, language: str, title: str) -> None:
    """P10: the browser's language comes before the tenant's."""
    page = _page(choosing, **{"Accept-Language": language})
    assert f"<h1>{title}: salon</h1>" in page


def test_the_page_says_how_many_times_the_average_it_is(
    choosing: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C14: where the JSON has a multiple of the average, the page says it in words."""
    told = UsagePage.limits

    async def compared(*given: Any) -> list[Any]:
        found = await told(*given)
        return [{**entry, "average": {"multiple": 2.3}} for entry in found or ()]

    assert "keer het gemiddelde" not in _page(choosing)
    monkeypatch.setattr(UsagePage, "limits", compared)
    assert "Dat is 2,3 keer het gemiddelde." in _page(choosing)


def test_the_page_shows_charges(choosing: Asked) -> None:
    """A21: what was charged is on the page, less what was waived, until it is final and after."""
    service = choosing.front.gateway.service
    terms = service.configuration.current.accounts["salon"]
    limit = terms.limit("per-month")
    assert limit is not None
    choosing.front.clock.advance(60)
    case = choosing.case
    charge = usage_charge(case, limit, terms, 23, tariff="more")
    assert charge is not None
    assert charge.amount == Decimal("1.00")

    async def made() -> None:
        async with choosing.ledger.transaction() as connection:
            await add_charge(connection, charge, case.opened_at + 1, "test")

    choosing.front.server.run(made())
    page = _page(choosing)
    assert "<dd>€ 1,00 (nog niet definitief)</dd>" in page


def test_a_block_is_said_with_its_end(tmp_path: Path) -> None:
    """P10, A30: a blocked address is on the page with until when, and that the account works."""
    burst = """
[limits.burst]
meter  = "appointments"
scope  = "account, address"
amount = "4"
window = "1 minute"
over   = "refuse"
then   = { after = "2 refusals in 1 minute", block = "account, address", for = "15 minutes" }

[emergency]
allowed = ["block address"]

[ladder]"""
    with asked(tmp_path, policy=POLICY.replace("\n[ladder]", burst)) as choosing:
        for _ in range(4):
            choosing.front.book()
        page = _page(choosing)
        assert "Verzoeken van het adres 203.0.113.9 worden geweigerd tot 2 november 2026" in page


def test_while_nobody_can_be_asked_the_page_says_so(
    choosing: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-41, F-43: without the ledger or the counters the page shows the rest."""

    async def away(*_: object) -> None:
        raise LedgerError("the disk is full")

    async def silent(*_: object) -> None:
        raise StoreError("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(choosing.ledger, "rows", away)
        page = _page(choosing)
        assert "Zaken en berichten kunnen op dit moment niet gelezen worden." in page
        assert "3 van 2 afspraken" in page
    pipeline = choosing.front.gateway.service.pipeline
    assert pipeline is not None
    monkeypatch.setattr(pipeline.counters, "read", silent)
    page = _page(choosing)
    assert "U kunt kiezen:" in page
    assert "<h2>per-month</h2>" not in page


def test_without_a_portal_the_contact_takes_the_choice(tmp_path: Path) -> None:
    """D27: where there are no links, the page says whom to tell."""
    with asked(tmp_path, portal="") as choosing:
        page = _page(choosing)
        assert "Laat ons weten wat u kiest:" in page
        assert '<a href="choice/' not in page


def test_another_account_sees_its_own(choosing: Asked) -> None:
    """P9: what one account was told is on no other account's page."""
    page = _page(choosing, DENTIST)
    assert "Uw gebruik: dentist" in page
    assert "centrum" not in page
