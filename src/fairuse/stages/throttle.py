"""Throttle: while the platform is overloaded, refuse what an account asks above its share (A29).

Nothing is refused while less is under way than the platform is sized for (A03), or to anybody but
the account whose overload it mostly is (P9). It ends with the overload, and so closes nothing (P3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.refusal import Figures, Refusal
from fairuse.rules.units import REQUEST
from fairuse.rules.windows import Always

if TYPE_CHECKING:
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.stores.load import Load


def throttled(exchange: Exchange, subject: Subject, load: Load) -> Refusal | None:
    """Give the refusal of one request too many of an account that is throttled."""
    throttle = load.throttle
    if throttle is None or throttle.account != subject.account:
        return None
    room = len(load.under_way) < throttle.capacity or load.of_throttled < throttle.allowed
    if room or exchange.at.monotonic >= throttle.until:
        return None
    load.refused += 1
    figures = Figures(load.of_throttled, throttle.allowed, REQUEST, str(Always()))
    return Refusal("overload", OVERLOAD, until=throttle.ends_at, figures=figures)
