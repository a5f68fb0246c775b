"""Which tally counts what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fairuse.base.clock import ManualClock
from fairuse.rules.calendar_tally import CalendarTally
from fairuse.rules.counting import new_tally
from fairuse.rules.levels import GaugeTally, InFlightTally
from fairuse.rules.members import MembersTally
from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import TallyKey
from fairuse.rules.windows import Span, parse_window

if TYPE_CHECKING:
    from fairuse.rules.meters import Measure

KEY = TallyKey("salon-anna", "burst", "1 minute", ())
COUNTED_BY: dict[Measure, type[CalendarTally]] = {
    "requests": CalendarTally,
    "bytes": CalendarTally,
    "seconds open": CalendarTally,
    "in flight": InFlightTally,
    "gauge": GaugeTally,
    "users": MembersTally,
    "locations": MembersTally,
    "addresses": MembersTally,
}


@pytest.mark.parametrize(("measure", "kind"), COUNTED_BY.items())
def test_a_measure_gets_its_tally(measure: Measure, kind: type[CalendarTally]) -> None:
    """A calendar window is counted on a tally of its measure, which waits for what is told late."""
    tally = new_tally(KEY, measure, parse_window("calendar day"), 3_600)
    assert type(tally) is kind
    assert isinstance(tally, CalendarTally)
    assert (tally.key, tally.late, tally.used, tally.live) == (KEY, 3_600, 0, False)


def test_a_rolling_window_gets_its_tally() -> None:
    """A rolling window is counted on a rolling tally."""
    rolling = new_tally(KEY, "requests", parse_window("1 minute"))
    assert isinstance(rolling, RollingTally)
    assert (rolling.seconds, rolling.key) == (60, KEY)


def test_a_changed_amount_keeps_what_was_used() -> None:
    """F-28, S17, P7: no amount is in a name; a lowered one is crossed by what comes next."""
    assert TallyKey._fields == ("account", "limit", "window", "scope")
    clock = ManualClock()
    tally = CalendarTally(KEY)
    slot = tally.take(5, clock.now(), Span(0, 86_400))
    tally.settle(slot, 5, 5)
    assert not any(tally.crosses(slot, amount) for amount in (10, 5, 4, 3))
    tally.settle(tally.take(1, clock.now(), Span(0, 86_400)), 1, 1)
    assert [tally.crosses(slot, amount) for amount in (4, 4, 3)] == [True, False, False]
    assert (tally.used, tally.after(1, "")) == (6, 7)
