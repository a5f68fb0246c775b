"""The body of a client's request, read as the upstream takes it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fairuse.base.begun import Begun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Message, Receive


class ClientGone(Exception):
    """The client hung up before its request was complete."""


class RequestBody:
    """One body; `complete` says that all of it was read, `announced` that there is one."""

    def __init__(self, receive: Receive, *, announced: bool, at_once: bool) -> None:
        self._receive = receive
        self._at_once = at_once
        self._completed: asyncio.Event | None = None
        self._first: Begun[Message] | None = None
        self.announced = announced
        self.complete = not announced

    def sent_on(self) -> AsyncIterator[bytes] | bytes | None:
        """Give all of the body where it is here, and otherwise what comes of it; asked once."""
        if not self.announced:
            return None
        if self._at_once:
            first = Begun(self._receive())
            if first.done and _is_last(first.value):
                self._note_complete()
                return bytes(first.value.get("body", b""))
            self._first = first
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        """Give the body's bytes. Raises ClientGone where the client hangs up before the end."""
        while not self.complete:
            first, self._first = self._first, None
            message = await (first or self._receive())
            if message["type"] == "http.disconnect":
                raise ClientGone
            if _is_last(message):
                self._note_complete()
            if message.get("body"):
                yield message["body"]

    def _note_complete(self) -> None:
        self.complete = True
        if self._completed is not None:
            self._completed.set()

    async def until_gone(self) -> None:
        """Wait until the client hangs up."""
        if not self.complete:
            self._completed = asyncio.Event()
            await self._completed.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _is_last(message: Message) -> bool:
    """Say whether a body ends with this message; a client that is gone does not end it."""
    return message["type"] != "http.disconnect" and not message.get("more_body", False)
