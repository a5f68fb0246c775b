"""When something is overdue: one timer for many deadlines, moved on only when it fires."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Deadline:
    """Calls `overdue` when what is expected has not come."""

    __slots__ = ("_at", "_latest", "_loop", "_overdue", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, overdue: Callable[[], None]) -> None:
        self._loop = loop
        self._overdue = overdue
        self._at = math.inf
        self._latest = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def end_after(self, seconds: float) -> None:
        """Expect the end of it all within so many seconds, whatever else is expected."""
        self._latest = self._loop.time() + seconds

    def expect(self, seconds: float) -> None:
        """Expect something within so many seconds, and nothing else any more."""
        self._at = at = min(self._loop.time() + seconds, self._latest)
        if at < self._timer_at:
            self._set_timer(at)

    def stop(self) -> None:
        """Expect nothing any more, for good."""
        self._timer_at = -math.inf
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._check)

    def _check(self) -> None:
        """Say what is overdue, or look again later."""
        self._timer, self._timer_at = None, math.inf
        if self._at <= self._loop.time():
            self._overdue()
        elif not math.isinf(self._at):
            self._set_timer(self._at)
