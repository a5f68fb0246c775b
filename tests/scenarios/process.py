"""What the scenarios of the fair process share: deliveries, choices, and the ledger as a text."""

from __future__ import annotations

import difflib
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.scenarios.support import AMSTERDAM
from tests.support import told

from fairuse.entry.decisions import Decisions
from fairuse.entry.deliver import grace_of
from fairuse.entry.desk import Desk
from fairuse.rules.choices import Choice
from fairuse.stages.choose import choose
from fairuse.stores.outbox import letters, note_delivered
from fairuse.stores.record import entries_of
from fairuse.stores.verify import verify

if TYPE_CHECKING:
    from fairuse import FairUse
    from fairuse.base.clock import ManualClock
    from fairuse.rules.ladder import Case, Happening
    from fairuse.rules.record import Entry, Value

LEDGERS = Path(__file__).parent / "ledgers"
SHOWN = (
    *("rule", "kind", "from", "to", "on", "choice", "do", "scope", "reading", "amount", "units"),
    *("basis", "currency", "waived", "until", "limit", "reason"),
)
"""What of an entry a ledger's text has, in this order."""


async def delivered(fair: FairUse, clock: ManualClock) -> None:
    """Have every notice that did not reach its customer do so now, however often it was tried."""
    ledger = await told(fair.service)
    process = fair.service.process
    assert process is not None
    for letter in await letters(ledger, "waiting", "dead"):
        reading = await process.reading_of(letter)
        grace = grace_of(fair.service.configuration.current, letter)
        await note_delivered(ledger, letter, clock.wall, reading, grace)


async def chosen(fair: FairUse, clock: ManualClock, account: str, option: str) -> Case | None:
    """Have a customer choose in the one case that is open."""
    ledger = await told(fair.service)
    [case] = await ledger.cases(account, closed=False)
    config = fair.service.configuration.current
    ladder, operators = config.accounts[account].rules.ladder, config.settings.notices.operators
    choice = Choice(option, clock.wall, account, "link")
    return await choose(case, choice, ladder, ledger, operators)


async def decided(fair: FairUse, account: str, happening: Happening, rule: str = "") -> Case | None:
    """Have an operator decide in the oldest case that is open, or the oldest under a rule."""
    ledger = await told(fair.service)
    [case, *_] = [
        each for each in await ledger.cases(account, closed=False) if rule in ("", each.rule)
    ]
    decisions = Decisions(fair.service.clock, fair.service.configuration, ledger)
    return await decisions.decide(case, happening, "olga")


async def proposed_by_hand(fair: FairUse, clock: ManualClock, account: str, action: str) -> Case:
    """Have an operator propose a step of the policy in the one case that is open."""
    ledger = await told(fair.service)
    [case] = await ledger.cases(account, closed=False)
    desk = Desk(fair.service.configuration, ledger, "olga", clock)
    step = await desk.step_of_policy(case.id, action)
    assert step is not None
    return await desk.propose(case.id, step)


async def assert_ledger(fair: FairUse, name: str, *, early: bool = False) -> None:
    """Compare what was recorded with the expected ledger, and prove that no promise was broken.

    Early warnings are left out, unless asked for: they may come at any moment.
    """
    ledger = await told(fair.service)
    violations = [*map(str, (await verify(ledger, None)).violations)]
    assert not violations, violations
    entries = [
        each for each in await entries_of(ledger) if early or each.data.get("kind") != "warning"
    ]
    assert_expected("".join(f"{line_of(entry)}\n" for entry in entries), name)


def assert_expected(found: str, name: str) -> None:
    """Compare a text with the expected one of a name.

    `FAIRUSE_REWRITE=1` writes the file anew, to be read before it is committed.
    """
    path = LEDGERS / f"{name}.txt"
    if os.environ.get("FAIRUSE_REWRITE"):
        path.write_text(found)
    expected = path.read_text()
    assert found == expected, "".join(
        difflib.unified_diff(expected.splitlines(True), found.splitlines(True), name, "found")
    )


def line_of(entry: Entry) -> str:
    """Write an entry of the record on a line, as the expected ledgers have it."""
    when = datetime.fromtimestamp(entry.at, AMSTERDAM)
    data = {name: entry.data[name] for name in SHOWN if entry.data.get(name) not in (None, "", {})}
    said = ", ".join(f"{name} {_text(name, value)}" for name, value in data.items())
    return f"{when:%Y-%m-%d %H:%M}  {entry.account:8} {entry.kind:17} {entry.by}: {said}"


def _text(name: str, value: Value) -> str:
    if isinstance(value, float) and name in {"from", "until"}:
        return f"{datetime.fromtimestamp(value, AMSTERDAM):%Y-%m-%d}"
    if isinstance(value, dict):
        return "/".join(map(str, value.values()))
    return str(value)
