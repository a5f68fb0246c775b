"""Which tally counts what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.calendar_tally import CalendarTally
from fairuse.rules.levels import GaugeTally, InFlightTally
from fairuse.rules.members import MembersTally
from fairuse.rules.rolling import RollingTally
from fairuse.rules.windows import Rolling, Window

if TYPE_CHECKING:
    from fairuse.rules.meters import Measure
    from fairuse.rules.tally import Tally, TallyKey

_TALLIES: dict[Measure, type[CalendarTally]] = {
    "in flight": InFlightTally,
    "gauge": GaugeTally,
    "users": MembersTally,
    "locations": MembersTally,
    "addresses": MembersTally,
}


def new_tally(key: TallyKey, measure: Measure, window: Window, late: float = 0) -> Tally:
    """Begin a tally for a measure and a window."""
    tally: Tally
    if isinstance(window, Rolling):
        tally = RollingTally(key, window.seconds)
    else:
        tally = _TALLIES.get(measure, CalendarTally)(key, late)
    tally.measure = measure
    return tally
