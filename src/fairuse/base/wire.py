"""What goes over the wire, in the types and the encoding that everyone uses."""

from __future__ import annotations

import json

Header = tuple[bytes, bytes]
Headers = list[Header]

FRAMING = frozenset({b"content-length", b"transfer-encoding"})
"""The fields that say how long a body is."""
BODILESS = frozenset({204, 304})
"""Answers that never have a body, whatever they announce (RFC 9110 section 6.4.1)."""
PORTS = {"http": 80, "https": 443}


def announces_body(headers: Headers) -> bool:
    """Say whether a body that is not empty is announced; names are in lower case."""
    for name, value in headers:
        if name in FRAMING and (name == b"transfer-encoding" or value.strip(b"0 \t")):
            return True
    return False


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
