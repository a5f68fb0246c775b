"""What goes over the wire, in the types and the encoding that everyone uses."""

from __future__ import annotations

import json

Header = tuple[bytes, bytes]
Headers = list[Header]


def whole_cookie(headers: Headers) -> Headers:
    """Join the crumbs that HTTP/2 may make of a cookie; HTTP/1 has it whole (RFC 9113, 8.2.3)."""
    crumbs = [value for name, value in headers if name == b"cookie"]
    if len(crumbs) < 2:
        return headers
    others = [pair for pair in headers if pair[0] != b"cookie"]
    return [*others, (b"cookie", b"; ".join(crumbs))]


def json_bytes(body: dict[str, object]) -> bytes:
    """Write JSON for people to read; a lone surrogate, from a path that is no UTF-8, is escaped."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
