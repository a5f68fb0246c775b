"""What is in force for accounts besides their contracts, followed live: measures and grants.

Whoever makes or ends one, a command or another process, writes it into the ledger with an entry in
the record. So every node looks at the record's number twice a second, and at the accounts that the
entries since are of. What is known stays in force while the ledger can't be read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from fairuse.base.errors import LedgerError
from fairuse.base.log import logger
from fairuse.rules.grants import of_measure
from fairuse.rules.restrictions import Restriction, restriction_of
from fairuse.stores import schema
from fairuse.stores.case_rows import measure_of
from fairuse.stores.grants import MOST_ASKED, grants_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairuse.base.clock import Clock
    from fairuse.rules.grants import Grant, Grants
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger

FOLLOW_SECONDS = 0.4
AFTER_A_FAULT_SECONDS = 5.0
KEPT_SECONDS = 400 * 86_400
"""How long a grant that is over is kept in mind: longer than the longest window."""

log = logger(__name__)


class Forces:
    """What a node knows to be in force; `restrictions` are by account, of who has any.

    `tell` hears that there are others by now.
    """

    def __init__(self) -> None:
        self.tell: Callable[[], None] | None = None
        self.restrictions: dict[str, tuple[Restriction, ...]] = {}
        self._granted: set[str] = set()
        self._number = -1
        self._reads = True

    async def follow(self, ledger: Ledger, configuration: Configuration, clock: Clock) -> None:
        """Take up what changes, within a second, until cancelled."""
        while True:
            try:
                await self.look(ledger, configuration, clock.now().wall)
                self._reads = True
            except LedgerError as error:
                if self._reads:
                    log.error("forces.not_read", reason=str(error), kept="what was known before")
                self._reads = False
            except Exception:  # a fault of ours must not keep the next change from being taken up
                log.exception("forces.not_taken_up")
                await asyncio.sleep(AFTER_A_FAULT_SECONDS)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def look(self, ledger: Ledger, configuration: Configuration, moment: float) -> bool:
        """Take up what changed since the last look, all of it the first time; says if any did.

        Raises LedgerError.
        """
        number = await _number(ledger)
        if number == self._number:
            return False
        known, accounts = self._number, None
        if 0 <= known < number:
            accounts = await _changed(ledger, known)
        await self._take_up(ledger, configuration, accounts, moment)
        self._number = number
        return True

    async def _take_up(
        self,
        ledger: Ledger,
        configuration: Configuration,
        accounts: Sequence[str] | None,
        moment: float,
    ) -> None:
        """Put in force what some accounts have now, or all of them; the rest stays as it is."""
        gone = accounts if accounts is not None else [*self.restrictions, *self._granted]
        restrictions: dict[str, list[Restriction]] = {account: [] for account in gone}
        grants: dict[str, list[Grant]] = {account: [] for account in gone}
        for row in await _measures(ledger, accounts):
            try:
                _sort_in(row, restrictions, grants)
            except ValueError as error:
                log.error("measure.left_out", measure=row.id, reason=str(error))
        for grant in await grants_of(ledger, accounts):
            if grant.until > moment - KEPT_SECONDS:
                grants.setdefault(grant.account, []).append(grant)
        held = {account: (*found,) for account, found in restrictions.items()}
        kept = {**self.restrictions, **held}
        self.restrictions = {account: found for account, found in kept.items() if found}
        changed: dict[str, Grants] = {account: (*found,) for account, found in grants.items()}
        if self.tell is not None:
            self.tell()
        # In a thread: a reload of many files may hold the configuration for long.
        await asyncio.to_thread(configuration.grant, changed)
        self._granted -= changed.keys()
        self._granted |= {account for account, found in changed.items() if found}


def _sort_in(
    row: Any, restrictions: dict[str, list[Restriction]], grants: dict[str, list[Grant]]
) -> None:
    """Put a measure with those that refuse requests, or with those that change amounts."""
    measure = measure_of(row)
    restriction = restriction_of(measure, row.rule, row.reading, row.amount_of_case)
    if restriction is not None:
        restrictions.setdefault(measure.account, []).append(restriction)
    grant = of_measure(measure)
    if grant is not None:
        grants.setdefault(measure.account, []).append(grant)


async def _number(ledger: Ledger) -> int:
    """Give the number of the record's latest entry."""
    rows = await ledger.rows(select(schema.record_head.c.number))
    return rows[0].number if rows else 0


async def _changed(ledger: Ledger, number: int) -> list[str]:
    """Give the accounts that entries after a number are of."""
    table = schema.record
    query = select(table.c.account).where(table.c.number > number, table.c.account != "")
    return [row.account for row in await ledger.rows(query.distinct())]


async def _measures(ledger: Ledger, accounts: Sequence[str] | None) -> list[Any]:
    """Give the measures in force of some accounts or all, with the rule and figures of the case."""
    table, cases = schema.measures, schema.cases
    of_case = (cases.c.rule, cases.c.reading, cases.c.amount.label("amount_of_case"))
    query = select(table, *of_case).join(cases, table.c.case_id == cases.c.id)
    query = query.where(table.c.state == "in force").order_by(table.c.id)
    if accounts is None:
        return [*await ledger.rows(query)]
    found: list[Any] = []
    for first in range(0, len(accounts), MOST_ASKED):
        some = table.c.account.in_(accounts[first : first + MOST_ASKED])
        found += await ledger.rows(query.where(some))
    return found
