"""What a client sends, and whether all of it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Receive


class Incoming:
    """The `receive` of one request; `over` says that nothing of the body is left to be read."""

    __slots__ = ("_receive", "over")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.over = False

    async def __call__(self) -> Message:
        """Receive one ASGI message."""
        message = await self._receive()
        if not message.get("more_body", False):
            self.over = True
        return message
