"""Reads the body of a request to one of the gateway's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive


async def whole_body(receive: Receive, at_most: int) -> bytes | None:
    """Read a body; None where it is too large. Raises ValueError where it breaks off."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ValueError("the body breaks off")
        body += message.get("body", b"")
        if len(body) > at_most:
            return None
        more = message.get("more_body", False)
    return bytes(body)
