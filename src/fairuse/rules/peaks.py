"""Peaks: of a level a case remembers the one that was furthest above the amount of its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairuse.rules.ladder import Case
    from fairuse.rules.terms import LimitTerms


def counted(case: Case, limit: LimitTerms, reading: int, moment: float) -> Case:
    """Give a case with the last count of its window, as it is at a moment.

    Of what is added up the hours are known; of a level and of members nothing is, later. So the
    amount is remembered with the peak: what is bought after it doesn't cover it (E12, E23). The
    highest amount of the window so far counts, as the peak may be some moments old.
    """
    if limit.kind == "flow":
        return case._replace(latest=reading)
    amount = limit.within(case.scope).highest(case.starts_at, moment)
    if amount is None or reading - amount.value < case.latest - case.amount:
        return case
    return case._replace(latest=reading, amount=amount.value)
