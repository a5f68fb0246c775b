"""Choose: write down what a customer chose in a case, and move the case with it (A23)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.log import logger
from fairuse.rules.choices import CHOSEN, GIVES_TIME, open_options, time_for
from fairuse.rules.ladder import WrongStep
from fairuse.rules.memo import more_is_wanted
from fairuse.rules.record import Entry
from fairuse.stores.casebook import move
from fairuse.stores.choices import choices_made
from fairuse.stores.memos import tell_operators
from fairuse.stores.record import append

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.rules.choices import Choice
    from fairuse.rules.ladder import Case
    from fairuse.rules.process import Ladder
    from fairuse.stores.ledger import Ledger

log = logger(__name__)


async def choose(
    case: Case, choice: Choice, ladder: Ladder, ledger: Ledger, operators: Sequence[str] = ()
) -> Case | None:
    """Make a choice; gives the case as it is then, or None where it has moved on meanwhile.

    The same choice twice is one. `operators` are told where it waits for one of them. Raises
    WrongStep where it is not offered, or no longer, and LedgerError.
    """
    option, moment, by, via = choice
    made = (await choices_made(ledger, case.account)).get(case.id, [])
    if made and made[-1].option == option:
        return case
    if option not in open_options(case, ladder, made, moment):
        raise WrongStep(f'"{option}" can\'t be chosen in a case that is {case.state}')
    changes: dict[str, object] = {"answered_at": moment}
    if option in GIVES_TIME:
        changes["answer_by"] = time_for(case, option, ladder, made, moment)
    entry = Entry(
        moment,
        "choice.made",
        case.account,
        case.id,
        by,
        {"choice": option, "by": by, "via": via, "case": case.id, "rule": case.rule},
    )
    async with ledger.transaction() as connection:
        moved = await move(connection, case, CHOSEN[option], moment, by, None, **changes)
        if moved is None:
            return None
        await append(connection, [entry])
        if moved.state == "extended":
            await tell_operators(connection, more_is_wanted(moved, by), operators, moment)
    log.info("choice.made", case=case.id, account=case.account, choice=option, via=via)
    return moved
