"""RateLimit header fields (draft-ietf-httpapi-ratelimit-headers-11), hard limits only.

Both fields are Lists of Items (RFC 9651): `RateLimit-Policy: "burst";q=60;w=60` says what is
agreed, `RateLimit: "burst";r=12;t=41` what remains and in how many seconds it is whole again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairuse.base.wire import Header


def policy_item(name: str, amount: int, window_seconds: int) -> str:
    """Write what is agreed of one limit, in whole units."""
    return f'"{name}";q={amount};w={window_seconds}'


def state_item(name: str, remaining: int, resets_in: float) -> str:
    """Write how many whole units remain, and for how many seconds; neither is ever negative."""
    remaining = max(remaining, 0)
    # Rounded up; for every limit of every answer a call less.
    seconds = -int(-resets_in // 1) if resets_in > 0 else 0
    return f'"{name}";r={remaining};t={seconds}'


def retry_after(seconds: float) -> Header:
    """Write Retry-After (RFC 9110 section 10.2.3): whole seconds, rounded up, at least 1."""
    return (b"retry-after", str(max(1, math.ceil(seconds))).encode())
