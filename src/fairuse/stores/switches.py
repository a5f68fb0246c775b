"""Switched tariffs in the ledger: the measures by which every unit is charged, and who knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import or_, select

from fairuse.rules.recorded import SoFar
from fairuse.stores import schema
from fairuse.stores.case_rows import case_of, measure_of
from fairuse.stores.record import entries_of

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case
    from fairuse.rules.measures import Measure
    from fairuse.rules.recorded import Told
    from fairuse.stores.ledger import Ledger

KEPT_SECONDS = 400 * 86_400
"""How long one that ended is looked at: longer than its last window can take to be over."""


class Switch(NamedTuple):
    """A measure that switched a tariff, its case, and the delivery of the notice that said so."""

    case: Case
    measure: Measure
    told: Told | None = None


async def switches(ledger: Ledger, moment: float) -> list[Switch]:
    """Give those in force, and those that ended not long ago; `with_notice` completes one."""
    table, cases = schema.measures, schema.cases
    in_force = table.c.state == "in force"
    ended = (table.c.state == "ended") & (table.c.ends_at > moment - KEPT_SECONDS)
    query = select(table).where(
        table.c.kind == "switch tariff", table.c.starts_at.is_not(None), or_(in_force, ended)
    )
    measures = [measure_of(row) for row in await ledger.rows(query.order_by(table.c.id))]
    numbers = {measure.case for measure in measures}
    if not numbers:
        return []
    rows = await ledger.rows(select(cases).where(cases.c.id.in_(numbers)))
    known = {case.id: case for case in map(case_of, rows)}
    return [Switch(known[measure.case], measure) for measure in measures]


async def with_notice(ledger: Ledger, switch: Switch) -> Switch:
    """Give one with the delivery that the record knows: charges are proven by the same (P1).

    Raises RecordSpoiled.
    """
    so_far = SoFar()
    for entry in await entries_of(ledger, switch.case.id):
        so_far.add(entry)
    known = so_far.cases.get(switch.case.id)
    return switch._replace(told=None if known is None else known.priced)
