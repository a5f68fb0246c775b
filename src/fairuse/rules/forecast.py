"""The forecast: what a window's count comes to at its end, at the pace of the window so far (D18).

The pace is taken as even. Levels and the number of different users have none: what they are today
says nothing of tomorrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fairuse.rules.meters import Kind
    from fairuse.rules.windows import Span

OBSERVED = 10
"""One part in so many of a window has to be over before its pace says anything: three days of a
month. An early burst is no forecast."""


class Forecast(NamedTuple):
    """What a window comes to at this pace.

    `total` is in the counts of the meter; `reached_at` is when the amount will be used up, on wall
    time, or None where it is not within the window.
    """

    total: int
    reached_at: float | None


def forecast(kind: Kind, span: Span, reading: int, amount: int, moment: float) -> Forecast | None:
    """Give the forecast of a window that has a reading at a moment.

    None where it is too early, where the window is over, and for what has no pace.
    """
    length, elapsed = span.end - span.start, moment - span.start
    if kind != "flow" or elapsed * OBSERVED < length or moment >= span.end:
        return None
    total = max(reading, int(reading * (length / elapsed)))
    if total <= amount:
        return Forecast(total, None)
    reached_at = span.start + elapsed * (amount / reading)
    return Forecast(total, min(max(reached_at, moment), float(span.end)))
