"""A configuration with averages in it, its ledger, and what the two come to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.support import write_config

from fairuse.base.keys import fingerprint
from fairuse.rules.cohorts import CohortKey
from fairuse.stores.averages import Averages
from fairuse.stores.configuration import Configuration
from fairuse.stores.rows import Batch, UsageKey

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.rules.cohorts import Member
    from fairuse.stores.ledger import Ledger

POLICY = """
title = "Fair use policy: calls"
[counts]
users = "users"
[packages.basic]
title = "Basic"
[packages.plus]
title = "Plus"
[meters.calls]
unit  = "call"
count = ["POST /calls"]
[meters.calls.average]
cohort   = "policy"
per      = "users"
refresh  = "yearly"
at_least = 2
[limits.per-month]
meter  = "calls"
amount = "users * average * 4"
window = "calendar month"
over   = "case"
[limits.unlike-the-account]
meter  = "calls"
amount = "10 * own median"
window = "calendar day"
over   = "signal"
"""
OF_ALL = CohortKey("booking", "", "calls")
OCTOBER = datetime(2026, 10, 15, 12, tzinfo=UTC).timestamp()


def contract(
    account: str, users: int = 1, *, package: str = "basic", since: str = "2019-03-01"
) -> str:
    """Write a tenant's file."""
    return f"""
policy   = "booking"
timezone = "Europe/Amsterdam"
contact  = ["mailto:{account}@customer.example"]
[contract]
since = {since}
[packages.{package}]
users = {users}
[keys]
"{fingerprint(account.encode())}" = "{account}"
"""


class Office:
    """A configuration, a ledger, and the averages between them."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.folder = folder
        self.ledger = ledger
        self.averages = Averages(ledger)

    def agree(self, policy: str = POLICY, **contracts: str) -> None:
        """Write the contracts, and put them in force."""
        config = write_config(self.folder, policy=policy, tenants=contracts)
        self.configuration = Configuration(config)
        self.configuration.load()
        assert self.configuration.findings == []

    async def use(self, account: str, units: int, moment: float) -> None:
        """Write what an account used in an hour."""
        key = UsageKey(account, "", "calls", int(moment // 3_600) * 3_600)
        await self.ledger.write(Batch(usage=[(key, units)]))

    async def renew(self, moment: float) -> bool:
        """Take what is due, and put it in force where anything changed."""
        changed = await self.averages.renew(self.configuration.current, moment)
        if changed:
            self.configuration.learn(self.averages.history)
        return changed

    def amount(self, account: str, moment: float, limit: str = "per-month") -> int | None:
        """Give the amount in force."""
        terms = self.configuration.current.accounts[account].limit(limit)
        amount = terms.amount(moment) if terms is not None else None
        return amount.value if amount is not None else None

    def members(self, cohort: CohortKey = OF_ALL) -> dict[str, Member]:
        """Give the members of the snapshot in force."""
        return dict(self.averages.history.snapshots[cohort].members)
