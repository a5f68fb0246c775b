"""Pursue: take the next step of a case, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.log import logger
from fairuse.rules.measures import proposed
from fairuse.rules.memo import approval_is_due, talk_is_due
from fairuse.rules.record import OURSELVES
from fairuse.stores.casebook import add_measure, add_notice, change_measure, move
from fairuse.stores.charges import add_charge
from fairuse.stores.memos import tell_operators

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from fairuse.rules.charges import Charge
    from fairuse.rules.ladder import Case, Move
    from fairuse.rules.measures import Measure
    from fairuse.rules.memo import Memo
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import NoticeRow

log = logger(__name__)


class Pursuit(NamedTuple):
    """A step that is about to be taken, and everything that goes with it.

    `measure` is the one that is proposed or in force already, `reason` why another one would be;
    `window_ends_at` the end of the limit's window now.
    """

    case: Case
    move: Move
    measure: Measure | None
    charges: Sequence[Charge]
    reason: str
    window_ends_at: float
    moment: float
    by: str = OURSELVES


class Telling(NamedTuple):
    """The notices that tell of a step, and to whom they go; and which operators hear of it."""

    of_measure: Callable[[Measure], NoticeRow]
    of_charge: Callable[[Charge], NoticeRow]
    of_end: Callable[[], NoticeRow]
    channels: Sequence[str]
    operators: Sequence[str] = ()


async def pursue(pursuit: Pursuit, telling: Telling, ledger: Ledger) -> Case | None:
    """Take a step; gives the case as it is now, or None where it has moved on meanwhile.

    Raises LedgerError, WrongStep, and PromiseBroken where it would break a promise.
    """
    case, happening, by = pursuit.case, pursuit.move.happening, pursuit.by
    async with ledger.transaction() as connection:
        moved = await move(connection, case, happening, pursuit.moment, by)
        if moved is None:
            return None
        measure = await _measure(connection, pursuit, telling)
        if memo := _memo(moved, measure):
            await tell_operators(connection, memo, telling.operators, pursuit.moment)
        for charge in pursuit.charges:
            if await add_charge(connection, charge, pursuit.moment, by):
                row = telling.of_charge(charge)
                await add_notice(connection, row, case.id, telling.channels)
        if happening == "terminated":
            await add_notice(connection, telling.of_end(), case.id, telling.channels)
    log.info("case.moved", case=case.id, account=case.account, on=happening, to=moved.state)
    return moved


def _memo(case: Case, measure: Measure | None) -> Memo | None:
    """Give what operators are told of a case that waits for one of them now."""
    if case.state == "proposed" and measure is not None:
        return approval_is_due(case, measure)
    return talk_is_due(case) if case.state == "renegotiating" else None


async def _measure(
    connection: AsyncConnection, pursuit: Pursuit, telling: Telling
) -> Measure | None:
    """Propose, begin, reject or end the measure that goes with a step, and give it."""
    case, (happening, step), measure = pursuit.case, pursuit.move, pursuit.measure
    moment, by = pursuit.moment, pursuit.by
    if step is not None and happening in ("proposed", "approved"):
        if measure is not None:
            await _reject(connection, pursuit, measure)  # another one takes its place
        wanted = proposed(case, step, pursuit.reason, moment)
        measure = await add_measure(connection, case, wanted, moment, by)
    if measure is None or happening == "proposed":
        return measure
    if happening == "approved":
        measure = measure.begun(moment, pursuit.window_ends_at, by)
        await change_measure(connection, case, measure, "measure.begun", moment, by)
        await add_notice(connection, telling.of_measure(measure), case.id, telling.channels)
    elif measure.state == "in force" or happening in ("charged", "terminated"):
        ended = measure.ended(moment)
        await change_measure(connection, case, ended, "measure.ended", moment, by)
    else:
        await _reject(connection, pursuit, measure)
    return measure


async def _reject(connection: AsyncConnection, pursuit: Pursuit, measure: Measure) -> None:
    case, moment, by = pursuit.case, pursuit.moment, pursuit.by
    rejected = measure._replace(state="rejected", by=by)
    await change_measure(connection, case, rejected, "measure.rejected", moment, by)
