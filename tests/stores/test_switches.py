"""Switched tariffs in the ledger: what they keep from being opened, and which are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.recording import DAY, NOTICE, SCOPE, case_from, delivered, opened
from tests.support import NOON

from fairuse.rules.measures import Measure
from fairuse.stores.casebook import add_measure, change_measure, open_case
from fairuse.stores.switches import switches

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case
    from fairuse.stores.ledger import Ledger

pytestmark = pytest.mark.anyio


async def switch(ledger: Ledger, case: Case, until: float | None = None) -> None:
    """Switch the tariff of a case's account, until a moment, which is over then."""
    wanted = Measure(0, case.id, "anna", "switch tariff", SCOPE, (), "", "", "", "proposed")
    async with ledger.transaction() as connection:
        found = await add_measure(connection, case, wanted, NOON + DAY, "olga")
        begun = found._replace(state="in force", starts_at=NOON + DAY, review_at=NOON + 90 * DAY)
        await change_measure(connection, case, begun, "measure.begun", NOON + DAY, "olga")
        if until is not None:
            ended = begun.ended(until)
            await change_measure(connection, case, ended, "measure.ended", until, "olga")


async def test_no_case_is_opened_while_every_unit_has_its_price(ledger: Ledger) -> None:
    """B18, P8, P9: of that rule and scope; of another scope there is one, and afterwards, too."""
    case = await delivered(ledger, await opened(ledger))
    await switch(ledger, case)

    async def opens(starts_at: float, scope: str = "x") -> bool:
        later = case_from(starts_at)._replace(scope=(("location", scope),))
        return await open_case(ledger, later, lambda _: NOTICE, [])

    assert not await opens(NOON + 29 * DAY)
    assert await opens(NOON + 29 * DAY, "y")


async def test_a_case_is_opened_once_the_switch_is_over(ledger: Ledger) -> None:
    """B18, P6: after the measure's end the amount holds as before."""
    case = await delivered(ledger, await opened(ledger))
    await switch(ledger, case, NOON + 20 * DAY)
    later = case_from(NOON + 29 * DAY)
    assert await open_case(ledger, later, lambda _: NOTICE, [])


async def test_a_switch_that_ended_long_ago_is_looked_at_no_more(ledger: Ledger) -> None:
    """B18: as long as its last window may still be charged, and not for ever."""
    case = await delivered(ledger, await opened(ledger))
    await switch(ledger, case, NOON + 20 * DAY)
    assert [each.case.id for each in await switches(ledger, NOON + 400 * DAY)] == [case.id]
    assert await switches(ledger, NOON + 420 * DAY) == []
