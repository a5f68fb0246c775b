"""RateLimit header fields (draft-ietf-httpapi-ratelimit-headers-11), hard limits only.

Both fields are Lists of Items (RFC 9651): `RateLimit-Policy: "burst";q=60;w=60` says what is
agreed, `RateLimit: "burst";r=12;t=41` what remains and in how many seconds it is whole again.
"""

from __future__ import annotations

import math
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairuse.base.wire import Header

MOST_REFUSING = 1_024
"""Limits whose headers are kept written."""


def policy_item(name: str, amount: int, window_seconds: int) -> str:
    """Write what is agreed of one limit, in whole units."""
    return f'"{name}";q={amount};w={window_seconds}'


def policy_header(items: Iterable[str]) -> Header:
    """Write what is agreed."""
    return (b"ratelimit-policy", ", ".join(items).encode())


def state_form(names: Iterable[str]) -> bytes:
    """Write what remains of some limits, with places for the figures of each."""
    return ", ".join(f'"{name}";r=%d;t=%d' for name in names).encode()


def state_figures(remaining: int, resets_in: float) -> tuple[int, int]:
    """Give how many units remain, and for how many whole seconds; neither is ever negative."""
    # Rounded up; for every limit of every answer a call less.
    return (
        remaining if remaining > 0 else 0,  # noqa: FURB136
        -int(-resets_in // 1) if resets_in > 0 else 0,
    )


def state_header(form: bytes, figures: Sequence[int]) -> Header:
    """Write what remains."""
    return (b"ratelimit", form % tuple(figures))


@lru_cache(maxsize=MOST_REFUSING)
def policy_of_one(name: str, amount: int, window_seconds: int) -> Header:
    """Write what is agreed of one limit alone: a limit that refuses does so again and again."""
    return policy_header([policy_item(name, amount, window_seconds)])


@lru_cache(maxsize=2)
def date_header(second: int) -> Header:
    """Write Date (RFC 9110 section 6.6.1) for a second since 1970."""
    return (b"date", formatdate(second, usegmt=True).encode())


def retry_after(seconds: float) -> Header:
    """Write Retry-After (RFC 9110 section 10.2.3): whole seconds, rounded up, at least 1."""
    return (b"retry-after", str(max(1, math.ceil(seconds))).encode())
