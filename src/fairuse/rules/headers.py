"""RateLimit header fields (draft-ietf-httpapi-ratelimit-headers-11), hard limits only.

Both fields are Lists of Items (RFC 9651): `RateLimit-Policy: "burst";q=60;w=60` says what is
agreed, `RateLimit: "burst";r=12;t=41` what remains and in how many seconds it is whole again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.base.wire import Header, Headers


class HardLimit(NamedTuple):
    """A hard limit at one moment: the amount, what remains, seconds in all and until reset."""

    name: str
    amount: int
    remaining: int
    window_seconds: int
    resets_in: float


def rate_limit_headers(limits: Sequence[HardLimit]) -> Headers:
    """Write both fields; nothing where no hard limit applies."""
    if not limits:
        return []
    agreed = ", ".join(
        f'"{limit.name}";q={limit.amount};w={limit.window_seconds}' for limit in limits
    )
    left = ", ".join(
        f'"{limit.name}";r={max(0, limit.remaining)};t={max(0, math.ceil(limit.resets_in))}'
        for limit in limits
    )
    return [(b"ratelimit-policy", agreed.encode()), (b"ratelimit", left.encode())]


def retry_after(seconds: float) -> Header:
    """Write Retry-After (RFC 9110 section 10.2.3): whole seconds, rounded up, at least 1."""
    return (b"retry-after", str(max(1, math.ceil(seconds))).encode())
