"""A client that hangs up, told by our own server without anybody having to wait for it.

ASGI tells of it through `receive` alone, so that every request would need a task that waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EXTENSION = "fairuse.hangup"
"""Where an ASGI scope's extensions have the `HangUp` of a request."""


class HangUp:
    """Whether a request's client has hung up; `tell` is called when it does, once."""

    __slots__ = ("_tell", "happened")

    def __init__(self) -> None:
        self.happened = False
        self._tell: Callable[[], None] | None = None

    def watch(self, tell: Callable[[], None]) -> None:
        """Have it told; at once where it has happened already."""
        self._tell = tell
        if self.happened:
            self._told()

    def unwatch(self) -> None:
        """Have nobody told any more."""
        self._tell = None

    def happen(self) -> None:
        """Note that the client is gone."""
        if not self.happened:
            self.happened = True
            self._told()

    def _told(self) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()
