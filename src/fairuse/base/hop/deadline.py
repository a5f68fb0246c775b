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

    def expect(self, seconds: float) -> None:
        """Expect something within so many seconds, and nothing else any more."""
        self._move(self._loop.time() + seconds)

    def begin(self, seconds: float, total: float) -> None:
        """Expect something within so many seconds, and the end of it all within `total`."""
        now = self._loop.time()
        self._latest = now + total
        self._move(now + seconds)

    def _move(self, at: float) -> None:
        # Not min(): this happens several times for each request.
        self._at = at = at if at < self._latest else self._latest  # noqa: FURB136
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
