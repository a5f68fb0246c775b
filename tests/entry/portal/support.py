"""What the tests of the portal share: a gateway with a case that waits for a choice."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from tests.support import (
    DENTIST,
    NOON,
    SALON,
    Front,
    Recorder,
    Served,
    front,
    tenant,
    write_config,
)

from fairuse.base.clock import ManualClock
from fairuse.stores import schema
from fairuse.stores.casebook import case_numbered, move
from fairuse.stores.outbox import letters, note_delivered
from fairuse.stores.record import entries_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from fairuse.rules.choices import Portal
    from fairuse.rules.ladder import Case, Happening
    from fairuse.rules.record import Entry
    from fairuse.stores.ledger import Ledger

SECRET = "a secret of at least thirty-two characters"
DAY = 86_400
PORTAL = '[portal]\nurl = "https://usage.example/api"\n'
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
NAMED = {"name": "Anna Jansen"}
OPTIONS = ["accept charges", "reduce", "extra capacity", "decline"]
POLICY = """\
title = "Fair use"

[counts]
locations = "locations"

[packages.standard]
title = "Standard"

[meters.appointments]
unit  = "appointment"
count = ["POST /locations/{location}/appointments"]

[limits.per-month]
meter  = "appointments"
scope  = "location"
amount = "2"
window = "calendar month"
over   = "case"

[ladder]
grace = "14 days"
offer = ["accept charges", "reduce", "extra capacity"]
steps = [{ on = "accepted", do = "charge", tariff = "more", from = "notice" }]

[words.nl]
appointment  = "afspraak"
appointments = "afspraken"

[words.de]
appointment  = "Termin"
appointments = "Termine"
"""
TELEPHONE = "tel:+31201234567"
"""A contact that waits for a person: nothing is delivered behind a test's back."""
TARIFF = '[[tariffs.more]]\nprice = "EUR 0.05"\n'


@dataclass(slots=True)
class Asked:
    """A gateway, and the case in it that its customer is asked about."""

    front: Front
    number: int

    @property
    def ledger(self) -> Ledger:
        """Give the gateway's ledger."""
        ledger = self.front.gateway.service.ledger
        assert ledger is not None
        return ledger

    @property
    def portal(self) -> Portal:
        """Give what signs the links."""
        portal = self.front.gateway.service.configuration.portal
        assert portal is not None
        return portal

    @property
    def case(self) -> Case:
        """Give the case as it is now."""
        case = self.front.server.run(case_numbered(self.ledger, self.number))
        assert case is not None
        return case

    @property
    def unexplained(self) -> str:
        """Give the path of the link of who can't explain the use."""
        return self.portal.unexplained_link(self.case).removeprefix("https://usage.example/api")

    def path(self, option: str) -> str:
        """Give the path of an option's link, as the gateway is asked for it."""
        link = self.portal.link(self.case, option)
        return link.removeprefix("https://usage.example/api")

    def get(self, option: str, **headers: str) -> httpx.Response:
        """Open a link, as a browser does."""
        return self.front.client.get(self.path(option), headers={**HTML, **headers})

    def post(self, option: str, form: dict[str, str] | None = None) -> httpx.Response:
        """Send the form of a link, as a browser does."""
        form = NAMED if form is None else form
        return self.front.client.post(self.path(option), data=form, headers=HTML)

    def moved(self, happening: Happening, **changes: Any) -> Case:
        """Have something else happen to the case."""
        return self.front.server.run(_moved(self.ledger, self.case, happening, **changes))

    def choices(self) -> list[Entry]:
        """Give the choices that the record knows of."""
        entries = self.front.server.run(entries_of(self.ledger))
        return [entry for entry in entries if entry.kind == "choice.made"]

    def everything(self) -> list[Any]:
        """Give all that the ledger holds about the case."""
        tables = (schema.cases, schema.notices, schema.deliveries, schema.record)

        async def rows() -> list[Any]:
            return [list(await self.ledger.rows(select(table))) for table in tables]

        return self.front.server.run(rows())


async def _moved(ledger: Ledger, case: Case, happening: Happening, **changes: Any) -> Case:
    moment = changes.pop("moment", NOON)
    async with ledger.transaction() as connection:
        moved = await move(connection, case, happening, moment, "test", None, **changes)
    assert moved is not None
    return moved


async def deliver(ledger: Ledger, moment: float) -> None:
    """Have what waits for a person be delivered."""
    for letter in await letters(ledger, "to do"):
        assert await note_delivered(ledger, letter, moment, 3, 14 * DAY, "test")


def portal_config(
    folder: Path,
    *,
    upstream: str = "http://127.0.0.1:9",
    policy: str = POLICY,
    portal: str = PORTAL,
    tariff: str = TARIFF,
    extra: str = 'language = "nl"\n',
) -> Path:
    """Write a configuration that offers choices, and links to them."""
    tenants = {
        name: extra
        + tenant(name, key, tariff).replace(f"mailto:{name}@customer.example", TELEPHONE)
        for name, key in (("salon", SALON), ("dentist", DENTIST))
    }
    config = write_config(folder, upstream=upstream, policy=policy, tenants=tenants)
    settings = config / "gateway.toml"
    settings.write_text(settings.read_text() + portal)
    return config


@contextmanager
def asked(folder: Path, clock: ManualClock | None = None, **written: Any) -> Iterator[Asked]:
    """Run a gateway with a case of which the notice was delivered just now."""
    clock = clock or ManualClock(NOON)
    location = written.pop("location", "centrum")
    with Served(Recorder()) as upstream:
        config = portal_config(folder, upstream=upstream.url, **written)
        with front(config, clock) as running:
            for _ in range(3):
                assert running.book(path=f"/locations/{location}/appointments").status_code == 201
            ledger = running.told()
            [case] = running.server.run(ledger.cases("salon"))
            running.server.run(deliver(ledger, clock.wall))
            yield Asked(running, case.id)
