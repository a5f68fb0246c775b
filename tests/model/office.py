"""A gateway's fair process on a real ledger, with a clock that is set and use that is said."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.model.ladders import HARD, OTHER, RULE, TARIFF
from tests.support import NOON, SALON, tenant, write_config

from fairuse.base.clock import ManualClock
from fairuse.entry.casework import Casework
from fairuse.entry.decisions import Decisions
from fairuse.rules.choices import Choice, open_options
from fairuse.stages.choose import choose
from fairuse.stages.escalate import escalate
from fairuse.stages.notify import notify_over
from fairuse.stores.casebook import live_measures
from fairuse.stores.choices import choices_made
from fairuse.stores.configuration import Configuration
from fairuse.stores.ledger import Ledger
from fairuse.stores.outbox import due, note_delivered
from fairuse.stores.protocol import Reading
from fairuse.stores.rows import Batch, BreachRow, UsageKey
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fairuse.base.instant import Instant
    from fairuse.rules.ladder import Case, Happening
    from fairuse.rules.measures import Measure
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.rules.windows import Span
    from fairuse.stores.verify import Verified

ACCOUNT = "salon"
PLACE = "x"
SCOPE = (("location", PLACE),)
POLICY = f"""
title = "Fair use: pages"
[counts]
locations = "locations"
[packages.standard]
title = "Subscription"
sold_by = "locations"
[meters.pages]
unit = "page"
count = ["POST /locations/{{location}}/pages"]
[limits.{RULE}]
meter = "pages"
scope = "location"
amount = "100"
window = "calendar month"
over = "case"
[limits.{OTHER}]
meter = "pages"
amount = "100000"
window = "calendar month"
over = "charge"
tariff = "{TARIFF}"
[limits.{HARD}]
meter = "pages"
amount = "60"
window = "1 minute"
over = "refuse"
"""
PRICES = f"""
[[tariffs.{TARIFF}]]
price = "EUR 0.05"
"""


def _toml(ladder: dict[str, Any]) -> str:
    """Write a ladder as a policy's file has it."""
    keys = {name: value for name, value in ladder.items() if name != "steps"}
    tables = [("[ladder]", keys), *(("[[ladder.steps]]", step) for step in ladder["steps"])]
    return "\n".join(
        "\n".join([head, *(f"{name} = {json.dumps(value)}" for name, value in table.items())])
        for head, table in tables
    )


class Used:
    """What was used, window by window: what the counters would say."""

    def __init__(self) -> None:
        self.units: dict[float, int] = {}
        self.limit: LimitTerms | None = None

    async def read(self, account: str, at: Instant) -> list[Reading]:
        """Give the reading of the window that is running."""
        if self.limit is None or account != ACCOUNT:
            return []
        window = self.limit.window_text
        span = _span(self.limit, at.wall)
        units = self.units.get(span.start, 0)
        return [Reading(RULE, window, SCOPE, units, units, float(span.start), float(span.end))]


def _span(limit: LimitTerms, moment: float) -> Span:
    span = limit.span(moment)
    assert span is not None
    return span


class Office:
    """The ledger, and who works on it. Every call is whole before the next one begins."""

    def __init__(self, ladder: dict[str, Any]) -> None:
        self._folder = TemporaryDirectory()
        self._runner = asyncio.Runner()
        self.clock = ManualClock(NOON)
        self.used = Used()
        self.config = write_config(
            Path(self._folder.name),
            policy=POLICY + _toml(ladder),
            tenants={"salon": tenant(ACCOUNT, SALON, PRICES)},
        )
        self.configuration = Configuration(self.config)
        self._begin()

    def close(self) -> None:
        """Give up the ledger and its file."""
        self._do(self.ledger.close())
        self._runner.close()
        self._folder.cleanup()

    def restart(self) -> None:
        """End, and begin again with what the ledger knows."""
        self._do(self.ledger.close())
        self._begin()

    def _begin(self) -> None:
        self.configuration.load()
        assert self.configuration.findings == []
        url = self.configuration.current.settings.ledger.url
        self.ledger = self._do(Ledger.open(url))
        self._decisions = Decisions(self.clock, self.configuration, self.ledger)
        self._casework = Casework(
            self.clock,
            self.configuration,
            self.used,  # type: ignore[arg-type]  # all of the counters that is asked
            self.ledger,
            self._decisions,
        )

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    @property
    def terms(self) -> Terms:
        """Give the account's terms."""
        return self.configuration.current.accounts[ACCOUNT]

    def change_policy(self, ladder: dict[str, Any]) -> None:
        """Put another ladder in force."""
        (self.config / "policies/booking.toml").write_text(POLICY + _toml(ladder))
        assert self.configuration.reload() == []

    def use(self, units: int) -> None:
        """Use something; going over the amount opens a case."""
        limit = self.terms.limit(RULE)
        assert limit is not None
        self.used.limit, at = limit, self.clock.now()
        span, amount = _span(limit, at.wall), limit.amount(at.wall)
        assert amount is not None
        reading = self.used.units[span.start] = self.used.units.get(span.start, 0) + units
        hour = UsageKey(ACCOUNT, PLACE, "pages", int(at.wall) // 3_600 * 3_600)
        over = reading > amount.value
        window = (float(span.start), float(span.end), at.wall)
        breach = BreachRow("salon", ACCOUNT, RULE, SCOPE, *window, reading, amount.value)
        breaches = [breach] if over else []
        self._do(self.ledger.write(Batch(usage=[(hour, units)], breaches=breaches)))
        case = escalate(breach, self.terms, at) if over else None
        if case is not None:
            head = self.configuration.letterhead
            self._do(notify_over(case, breach, self.terms, head, self.ledger))

    def deliver(self) -> None:
        """Deliver every letter that is due."""
        self._do(self._deliver())

    async def _deliver(self) -> None:
        moment, grace = self.clock.wall, self.terms.rules.ladder.grace
        for letter in await due(self.ledger, moment):
            reading = await self._casework.reading(letter.case) if letter.case else None
            assert await note_delivered(self.ledger, letter, moment, reading, grace)

    def work(self) -> None:
        """Do the casework."""
        self._do(self._casework.run())

    def decide(self, case: Case, happening: Happening) -> None:
        """Have an operator decide."""
        self._do(self._decisions.decide(case, happening, "olga"))

    def choices(self) -> list[tuple[Case, str]]:
        """Give what customers can choose, as things are."""
        ladder, moment = self.terms.rules.ladder, self.clock.wall
        made = self._do(choices_made(self.ledger, ACCOUNT))
        return [
            (case, option)
            for case in self.cases()
            for option in open_options(case, ladder, made.get(case.id, []), moment)
        ]

    def choose(self, case: Case, option: str) -> None:
        """Choose what is offered."""
        ladder, moment = self.terms.rules.ladder, self.clock.wall
        self._do(choose(case, Choice(option, moment, "anna", "link"), ladder, self.ledger))

    def cases(self) -> list[Case]:
        """Give the cases that are not closed."""
        found: list[Case] = self._do(self.ledger.cases(ACCOUNT))
        return [case for case in found if case.state != "closed"]

    def live_measures(self) -> list[Measure]:
        """Give the measures that are proposed or in force."""
        found: list[Measure] = self._do(live_measures(self.ledger))
        return found

    def verify(self) -> Verified:
        """Verify the record."""
        verified: Verified = self._do(verify(self.ledger))
        return verified
