"""Open items in the ledger: how old they are, whether they aged, and when they are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support import NOON

from fairuse.stores.casebook import warn_of_item
from fairuse.stores.journal import Journal
from fairuse.stores.rows import ItemAged, ItemClosed, ItemRow, NoticeRow

if TYPE_CHECKING:
    from fairuse.base.clock import ManualClock
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import ItemChange

pytestmark = pytest.mark.anyio

PLAN = ItemRow("anna", "drafts", "plan", 1, NOON)
OTHER = PLAN._replace(item="other", opened_at=NOON - 60)
AGED = ItemAged("anna", "drafts", "plan", 1)


def opened(seconds: float, units: int = 1) -> ItemRow:
    """Give the item, opened so long after noon."""
    return PLAN._replace(opened_at=NOON + seconds, units=units)


def closed(seconds: float) -> ItemClosed:
    """Give the item's end, so long after noon."""
    return ItemClosed("anna", "drafts", "plan", NOON + seconds)


COURSES: dict[str, tuple[list[ItemChange], list[ItemRow], list[ItemRow]]] = {
    "open": ([PLAN], [PLAN], []),
    "opened again keeps its day": ([PLAN, opened(9, 2)], [opened(0, 2)], []),
    "closed": ([PLAN, closed(9)], [], []),
    "closed and never opened": ([closed(9)], [], []),
    "closed twice": ([PLAN, closed(8), closed(9)], [], []),
    "opened anew": ([PLAN, closed(8), opened(9)], [opened(9)], []),
    "closed before it is told that it was opened": ([closed(9), opened(5)], [], []),
    "an old end that is told late": ([opened(9), closed(5)], [opened(9)], []),
    "aged": ([PLAN, AGED], [], [PLAN]),
    "aged and opened again": ([PLAN, AGED, opened(9)], [], [PLAN]),
    "aged and closed": ([PLAN, AGED, closed(9)], [], []),
    "aged, closed and opened anew": ([PLAN, AGED, closed(8), opened(9)], [opened(9)], []),
}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("case", COURSES.values(), ids=COURSES)
async def test_an_item_is_as_it_was_told(
    ledger: Ledger,
    clock: ManualClock,
    case: tuple[list[ItemChange], list[ItemRow], list[ItemRow]],
    *,
    at_once: bool,
) -> None:
    """E28, E29, S16: told at once or one by one, in order or not, an item has one day and end."""
    changes, still_open, aged = case
    journal = Journal()
    journal.note_item(OTHER)
    for change in changes:
        journal.note_item(change)
        assert at_once or await journal.flush(ledger, clock.now())
    assert await journal.flush(ledger, clock.now())
    assert await ledger.items() == [OTHER, *still_open]
    assert await ledger.items(aged=True) == aged
    assert await ledger.items(opened_before=NOON) == [OTHER]


async def test_an_item_is_warned_of_once(ledger: Ledger, clock: ManualClock) -> None:
    """E29: the warning and the mark that it was given are written together, and stay."""
    journal = Journal()
    notice = NoticeRow("salon", "anna", "drafts", NOON, 0, 0, "", "en", (), "plan", "body")
    for again in (False, True):
        for item in (PLAN, OTHER):
            journal.note_item(item)
        assert await journal.flush(ledger, clock.now())
        warned = {item.item for item in await ledger.items() if item.warned}
        assert warned == ({"plan"} if again else set())
        if not again:
            await warn_of_item(ledger, PLAN, notice, ())
    assert await ledger.notices("anna") == [notice]
