"""A moment, as the clocks read it."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple


class Instant(NamedTuple):
    """One moment on both clocks: seconds since 1970 (UTC), and monotonic seconds."""

    wall: float
    monotonic: float


_make = partial(tuple.__new__, Instant)


def instant(wall: float, monotonic: float) -> Instant:
    """Make an instant; every request needs several, and this is the fast way."""
    return _make((wall, monotonic))
