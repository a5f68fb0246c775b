"""Switched tariffs: each window that is over is charged once, and the customer is told (B18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.apart import apart
from fairuse.rules.record import OURSELVES
from fairuse.stages.bill import charges_since_switch
from fairuse.stages.tell import charge_notice
from fairuse.stores.casebook import add_notice
from fairuse.stores.charges import add_charge
from fairuse.stores.switches import switches, with_notice

if TYPE_CHECKING:
    from fairuse.base.clock import Clock
    from fairuse.rules.charges import Charge
    from fairuse.rules.terms import Terms
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.switches import Switch


class SwitchedTariffs:
    """Charges what was used since a tariff was switched."""

    def __init__(self, clock: Clock, configuration: Configuration, ledger: Ledger) -> None:
        self._clock = clock
        self._configuration = configuration
        self._ledger = ledger

    async def run(self) -> None:
        """Make the charges that are due. Raises LedgerError; one case keeps no other waiting."""
        moment, config = self._clock.now().wall, self._configuration.current
        for switch in await switches(self._ledger, moment):
            terms = config.accounts.get(switch.case.account)
            if terms is None:
                continue  # a tenant that is left out is looked at once it is back
            with apart("switch", case=switch.case.id):
                await self._charge(switch, terms, moment)

    async def _charge(self, switch: Switch, terms: Terms, moment: float) -> None:
        late = self._configuration.current.settings.events.late
        told = await with_notice(self._ledger, switch)
        for charge in await charges_since_switch(told, terms, self._ledger, moment, late):
            await self._make(charge, switch, terms, moment)

    async def _make(self, charge: Charge, switch: Switch, terms: Terms, moment: float) -> None:
        case, head = switch.case, self._configuration.letterhead
        async with self._ledger.transaction() as connection:
            made = await add_charge(connection, charge, moment, OURSELVES)
            if made is not None:
                row = charge_notice(case, made, terms, head, moment)
                await add_notice(connection, row, case.id, terms.contact)
