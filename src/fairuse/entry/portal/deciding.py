"""Makes a choice on one of the pages, whatever else happens to the case meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.errors import LedgerError
from fairuse.stages.choose import choose
from fairuse.stores.casebook import case_numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.choices import Choice
    from fairuse.rules.ladder import Case
    from fairuse.rules.process import Ladder
    from fairuse.stores.ledger import Ledger

TRIES = 5
"""How often a case is looked at again that moved on while it was answered."""
LONGEST_NAME = 120


async def decide(
    case: Case, choice: Choice, ladder: Ladder, ledger: Ledger, operators: Sequence[str]
) -> Case:
    """Make a choice, and give the case as it is then. Raises WrongStep and LedgerError."""
    for _ in range(TRIES):
        moved = await choose(case, choice, ladder, ledger, operators)
        if moved is not None:
            return moved
        case = await case_numbered(ledger, case.id) or case
    raise LedgerError("the case is moved by others all the time")


def named(account: str, name: str) -> str:
    """Say who chose, for the record: the account first, so that nobody passes for an operator."""
    told = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return f"{account}: {told[:LONGEST_NAME]}" if told else f"customer {account}"
