"""A moment, as the clocks read it."""

from __future__ import annotations

from typing import NamedTuple


class Instant(NamedTuple):
    """One moment on both clocks: seconds since 1970 (UTC), and monotonic seconds."""

    wall: float
    monotonic: float
