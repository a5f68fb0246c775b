"""The hops of a request: those it came over, and how many it may still go (RFC 9110 section 7.6).

`Max-Forwards` is for OPTIONS and TRACE alone, and TRACE goes no further at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.base.wire import Header, Headers
    from fairuse.rules.exchange import Exchange

PASSED_ON = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
"""The methods that everybody knows, of those that go on; only CONNECT and TRACE do not."""
MAX_FORWARDS = b"max-forwards"
MOST_HOPS = 10**9
"""More are told on as so many."""
VERSIONS = {"1.0": b"1.0", "1.1": b"1.1", "2": b"2.0", "3": b"3.0"}
"""As Via writes what ASGI calls the version of HTTP."""


class Via:
    """How one gateway is told apart in Via, from all others: the next may well be one of ours."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._lines = {
            version: (b"via", written + b" " + self._name) for version, written in VERSIONS.items()
        }

    def line(self, version: str) -> Header:
        """Give our own line, for a request that came in this version of HTTP."""
        return self._lines[version]

    def names_us(self, lines: Sequence[bytes]) -> bool:
        """Say whether a request has been here before."""
        return any(self._name in line for line in lines)


def stopped(exchange: Exchange, via: Via) -> Refusal | None:
    """Refuse what would go round in a loop, or does not say clearly how far it may go."""
    if via.names_us(exchange.header_lines(b"via")):
        return Refusal("loop", "http")
    if exchange.method == "OPTIONS":
        try:
            hops_left(exchange)
        except ValueError as error:
            return Refusal("ambiguous-request", "http", str(error))
    return None


def ends_here(exchange: Exchange) -> bool:
    """Say whether a request is meant for this hop, whatever it asks for."""
    return exchange.method == "OPTIONS" and hops_left(exchange) == 0


def hops_left(exchange: Exchange) -> int | None:
    """Give how many hops a request may still go; None: any. Raises ValueError at what is none."""
    lines = exchange.header_lines(MAX_FORWARDS)
    if not lines:
        return None
    digits = lines[0].strip(b" \t")
    if len(lines) > 1 or not digits.isdigit():
        raise ValueError("Max-Forwards is no number")
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) < len(str(MOST_HOPS)) else MOST_HOPS


def one_hop_less(exchange: Exchange, headers: Headers) -> Headers:
    """Give the headers of a request that goes one hop on."""
    left = hops_left(exchange)
    if left is None:
        return headers
    others = [pair for pair in headers if pair[0] != MAX_FORWARDS]
    return [*others, (MAX_FORWARDS, b"%d" % (left - 1))]
