"""Heads of HTTP/1.1 messages, as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairuse.base.wire import Headers


def head_bytes(first: bytes, fields: Headers) -> bytes:
    """Write a head: its first line, and its fields.

    Raises ValueError where one of them would end its line, and begin another (HTTP-37).
    """
    head = b"\r\n".join([first, *map(b": ".join, fields), b"", b""])
    breaks = head.count(b"\n")
    if breaks != len(fields) + 2 or head.count(b"\r") != breaks or b"\0" in head:
        raise ValueError("a field would break the head that it is in")
    return head
