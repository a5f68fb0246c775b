"""What goes over the wire, in the types and the encoding that everyone uses."""

from __future__ import annotations

import json

Header = tuple[bytes, bytes]
Headers = list[Header]


def json_bytes(body: dict[str, object]) -> bytes:
    """Write JSON for people to read; a lone surrogate, from a path that is no UTF-8, is escaped."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
