"""The requests of one turn of the loop, written together.

Written one by one, each wakes the origin anew, and each needs a look of its own whether its
connection is still good; both cost more than the request.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

MOST_TOGETHER = 16
"""More gain little, and the first of them would wait for the last to be decided."""


class Sender(Protocol):
    """A connection with a request to write."""

    used: bool
    """Whether it may be stale."""

    @property
    def closed(self) -> bool:
        """Say whether it can carry nothing any more."""
        ...

    def fileno(self) -> int:
        """Give its file descriptor."""
        ...

    def write_request(self) -> None:
        """Write what is asked."""
        ...

    def fail(self, error: BaseException) -> None:
        """Hear that writing failed."""
        ...

    def not_sent(self) -> None:
        """Hear that it was of no use: what came unasked is the end of it, or poison (HTTP-35)."""
        ...


class Turn:
    """Gathers what one origin is asked in one turn of the loop."""

    __slots__ = ("_senders", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._senders: list[Sender] = []

    def add(self, sender: Sender) -> None:
        """Have a request written in the next turn, or at once where enough are together."""
        senders = self._senders
        senders.append(sender)
        if len(senders) == 1:
            self.loop.call_soon(self._write)
        elif len(senders) == MOST_TOGETHER:
            self._write()

    def _write(self) -> None:
        senders, self._senders = self._senders, []
        spoiled = with_input(senders)
        for sender in senders:
            try:
                if sender.closed or sender.fileno() in spoiled:
                    sender.not_sent()
                else:
                    sender.write_request()
            except Exception as error:  # noqa: BLE001  it is nobody else's
                sender.fail(error)


def with_input(senders: Sequence[Sender]) -> set[int]:
    """Find the descriptors, of those that may be stale, on which something has come."""
    incoming = select.poll()
    looked_at = False
    for sender in senders:
        if sender.used and not sender.closed:
            incoming.register(sender.fileno(), select.POLLIN)
            looked_at = True
    return {descriptor for descriptor, _ in incoming.poll(0)} if looked_at else set()
