"""What the two sides of a relayed WebSocket have in common."""

from __future__ import annotations

import logging
from typing import NamedTuple, Protocol

from websockets.frames import EXTERNAL_CLOSE_CODES, CloseCode

MAX_MESSAGE_BYTES = 1024 * 1024
"""A message is relayed whole, so each side may have one of this size in memory."""
CLOSE_SECONDS = 5.0
"""How long a side may take to answer a close before its connection is cut."""

ABNORMAL = CloseCode.ABNORMAL_CLOSURE
GOING_AWAY = CloseCode.GOING_AWAY
INTERNAL_ERROR = CloseCode.INTERNAL_ERROR
POLICY_VIOLATION = CloseCode.POLICY_VIOLATION

QUIET = logging.getLogger(__name__)
QUIET.setLevel(logging.WARNING)
"""For the libraries: at their other levels they log queries, and the API key in every handshake."""


class Close(NamedTuple):
    """How a WebSocket was closed: the code and reason of RFC 6455 section 7.1.5 and 7.1.6."""

    code: int
    reason: str = ""

    def sendable(self) -> Close:
        """Give it with a code that may be on the wire (RFC 6455 section 7.4)."""
        if self.code == CloseCode.NO_STATUS_RCVD:
            return Close(CloseCode.NORMAL_CLOSURE)
        if self.code in EXTERNAL_CLOSE_CODES or 3000 <= self.code < 5000:
            return self
        return Close(GOING_AWAY)


class Closed(Exception):
    """A side is closed; `close` says how."""

    def __init__(self, close: Close) -> None:
        super().__init__(close)
        self.close = close


class Side(Protocol):
    """Where messages come from and go to. Every method but `close` raises Closed."""

    async def receive(self) -> str | bytes:
        """Give the next message."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a message, once there is room for it."""
        ...

    async def close(self, close: Close) -> None:
        """Close it, if it is open still."""
        ...
