"""Secrets and identifiers: fingerprints of API keys, request ids, bounded names."""

from __future__ import annotations

import hmac
import itertools
import re
import secrets
import unicodedata
from hashlib import sha256

MAX_NAME_BYTES = 128
"""Longer than any identifier seen in booking and document APIs; above it a name is hashed."""

_PREFIX = "sha256:"
_HALF = re.compile("[\ud800-\udfff]")
"""Half a character, which neither a database nor JSON can carry."""
_request_numbers = itertools.count(1)
_process = secrets.token_hex(6)


def fingerprint(key: bytes) -> str:
    """Give what a tenant file holds of an API key: `sha256:` and 64 hexadecimal digits."""
    return _PREFIX + sha256(key).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two secrets in constant time (F-22)."""
    return hmac.compare_digest(one.encode(), other.encode())


def new_request_id() -> str:
    """Give an id that no other request of any process has."""
    return f"{_process}-{next(_request_numbers):08x}"


def bounded(name: str) -> str:
    """Give a name of bounded length, the same for the same name and no other (F-21)."""
    if name.isascii():
        encoded, writable = name.encode(), True
    else:
        name = unicodedata.normalize("NFC", name)
        encoded = name.encode("utf-8", "surrogatepass")
        writable = not _HALF.search(name)
    if writable and len(encoded) <= MAX_NAME_BYTES and not name.startswith(_PREFIX):
        return name
    return _PREFIX + sha256(encoded).hexdigest()


def new_owner() -> str:
    """Give the name of a process that no other process has or had."""
    return secrets.token_hex(8)


def new_gateway_name() -> str:
    """Give a name by which a gateway knows itself again, and no other is known."""
    return f"fairuse-{secrets.token_hex(4)}"
