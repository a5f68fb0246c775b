"""The clocks: one that is the machine's, one that moves only when told to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fairuse.base.clock import ManualClock, SystemClock
from fairuse.base.instant import Instant

if TYPE_CHECKING:
    import pytest


def test_the_system_clock_reads_both_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's clock gives wall and monotonic time, each in its place."""
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 5.5)
        patch.setattr(time, "monotonic", lambda: 7.5)
        now = SystemClock().now()
    assert now == Instant(wall=5.5, monotonic=7.5)


def test_a_manual_clock_stands_still() -> None:
    """A manual clock moves both clocks together when told to, and never by itself."""
    clock = ManualClock(100.0)
    first = clock.now()
    assert clock.now() == first
    clock.advance(2.5)
    assert clock.now() == Instant(first.wall + 2.5, first.monotonic + 2.5)


def test_a_step_moves_the_wall_clock_only() -> None:
    """F-31: a step of the wall clock, either way, leaves monotonic time as it was."""
    clock = ManualClock(100.0)
    first = clock.now()
    clock.step_wall(-3_600)
    clock.step_wall(86_400)
    assert clock.now() == Instant(first.wall + 82_800, first.monotonic)
