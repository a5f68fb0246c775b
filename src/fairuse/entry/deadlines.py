"""How long a client may take: to send what it owes, and to take what it is sent (F-13)."""

from __future__ import annotations

from enum import Enum, auto
from math import inf
from typing import TYPE_CHECKING

from uvicorn.protocols.http.flow_control import FlowControl

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from fairuse.rules.settings import Server

GRACE_SECONDS = 5.0
MAX_SILENCE_SECONDS = 30.0
"""A body that came fast may pause so long; what it is ahead of its rate is forgotten beyond."""


class Owed(Enum):
    """What a client has to send next."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()
    REQUEST = auto()


class ReadDeadline:
    """When what the client owes has to be here: `due`, in the loop's time."""

    __slots__ = ("_settings", "due", "owed")

    def __init__(self, settings: Server, now: float) -> None:
        self._settings = settings
        # Who connects does it to ask something: the first head is owed from the start.
        self.owed = Owed.HEAD
        self.due = now + settings.head_timeout

    def nothing(self) -> None:
        """Wait for nothing."""
        self.owed, self.due = Owed.NOTHING, inf

    def request(self, now: float) -> None:
        """Wait for another request, as long as a connection may be idle."""
        self.owed, self.due = Owed.REQUEST, now + self._settings.keepalive_timeout

    def head(self, now: float) -> None:
        """Wait for the rest of a head; how it drips in changes nothing."""
        if self.owed is not Owed.HEAD:
            self.owed, self.due = Owed.HEAD, now + self._settings.head_timeout

    def body(self, now: float, size: int) -> None:
        """Wait for the rest of a body; what came of it buys time at the least rate."""
        rate = self._settings.min_body_rate
        if not rate:
            self.owed, self.due = Owed.BODY, inf
        elif self.owed is not Owed.BODY:
            self.owed, self.due = Owed.BODY, now + GRACE_SECONDS
        else:
            self.due = min(self.due + size / rate, now + MAX_SILENCE_SECONDS)

    def not_late(self, now: float) -> None:
        """Start with a new grace: until now the client had to wait for us."""
        self.due = max(self.due, now + GRACE_SECONDS)


class WriteStall:
    """Notices a client that takes nothing of what is sent."""

    __slots__ = ("_seconds", "_since", "_taken")

    def __init__(self, seconds: float, now: float) -> None:
        self._seconds = seconds
        self._since = now
        self._taken = 0

    def lasts(self, now: float, written: int, waiting: int) -> bool:
        """Say whether of what waits nothing went for too long."""
        taken = written - waiting
        if not waiting or taken != self._taken:
            self._taken, self._since = taken, now
        return now - self._since >= self._seconds


class Alarm:
    """One timer for all that a connection waits for; it is set anew only for what comes before."""

    __slots__ = ("_handle", "_loop", "_ring")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None

    def by(self, when: float) -> None:
        """Ring then, or before."""
        if self._handle is not None:
            if self._handle.when() <= when:
                return
            self._handle.cancel()
        self._handle = self._loop.call_at(when, self._rung)

    def stop(self) -> None:
        """Ring no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _rung(self) -> None:
        self._handle = None
        self._ring()


class TimedFlow(FlowControl):
    """Back-pressure that is not held against the client."""

    def __init__(
        self,
        transport: asyncio.Transport,
        deadline: ReadDeadline,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(transport)
        self._deadline = deadline
        self._loop = loop

    def resume_reading(self) -> None:
        """Read on, where it was paused."""
        if self.read_paused:
            self._deadline.not_late(self._loop.time())
            super().resume_reading()
