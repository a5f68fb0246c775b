"""Charges to make in a ledger: of a case whose notice was delivered at 5,400 units of 5,000."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.rules.support_charges import booking, limit_of
from tests.stores.recording import DAY, case_from, delivered, opened
from tests.support import NOON

from fairuse.rules.charging import cost_charge, usage_charge
from fairuse.rules.tariffs import Price
from fairuse.stores.charges import add_charge
from fairuse.stores.record import entries_of

if TYPE_CHECKING:
    from fairuse.rules.charges import Charge
    from fairuse.rules.ladder import Case
    from fairuse.rules.record import Entry
    from fairuse.stores.ledger import Ledger

TERMS = booking([{"tiers": [{"price": "EUR 1", "per": 3, "up_to": 1_400}, {"price": "EUR 0.04"}]}])
ENDED = NOON + 30 * DAY


def charge_of(case: Case, reading: int = 6_500) -> Charge:
    """Give the charge of a case."""
    found = usage_charge(case, limit_of(TERMS), TERMS, reading)
    assert found is not None
    return found


def a_cost(case: Case, moment: float = ENDED) -> Charge:
    """Give what it cost to repair something."""
    return cost_charge(case, TERMS, "Repair of the queue", Price("EUR", Decimal("190.00")), moment)


async def make(
    ledger: Ledger, charge: Charge, moment: float = ENDED, by: str = "fairuse"
) -> Charge | None:
    """Make a charge."""
    async with ledger.transaction() as connection:
        return await add_charge(connection, charge, moment, by)


async def made(ledger: Ledger, account: str = "anna", moment: float = ENDED) -> Charge:
    """Open a case, deliver its notice at 5,400, and charge it at 6,500."""
    case = await delivered(ledger, await opened(ledger, case_from(account=account)))
    charge = await make(ledger, charge_of(case), moment)
    assert charge is not None
    return charge


async def recorded(ledger: Ledger, kind: str) -> list[Entry]:
    """Give what the record says of a kind."""
    return [entry for entry in await entries_of(ledger) if entry.kind == kind]
