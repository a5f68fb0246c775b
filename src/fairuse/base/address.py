"""The client's network address, found behind trusted proxies.

The rule: start at the TCP peer. While the address in hand is a trusted proxy, take the next hop
of the one configured header, from right to left. Stop at the first hop that isn't trusted. A hop
that is no address ends the walk at the last good one (F-16, F-17).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Network = IPv4Network | IPv6Network

IPV6_BUCKET_BITS = 64  # one customer line commonly gets a whole /64 and may use any of it
MAX_HOPS = 32
MAX_HEADER_BYTES = 4096

_FORWARDED_PAIR = re.compile(
    r"[ \t]*+(?:(?P<name>[\w!#$%&'*+.^`|~-]+)="
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s";,]*)))?'
    r"[ \t]*+(?P<end>[;,]|$)"
)
_WITH_PORT = re.compile(r"^(?:\[([^\]]*)\](?::\d+)?|([^:]+):\d+)$")


@dataclass(frozen=True, slots=True)
class Address:
    """A client's address: `text` is the address itself, `bucket` what is counted and blocked.

    The bucket is the address for IPv4, and its /64 for IPv6 (F-19). A local address is this
    machine's own: whoever comes from there may well be a proxy for everybody.
    """

    text: str
    bucket: str
    local: bool = False


LOCAL_SOCKET = Address("unix", "unix", local=True)
"""A peer without an address (a unix socket): a class of its own, never trusted (F-20)."""


@lru_cache(maxsize=65_536)
def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address as proxies write it, or give None.

    Brackets, port and zone are dropped, and an IPv4 address mapped into IPv6 becomes IPv4 (F-18).
    """
    text = text.strip()
    if with_port := _WITH_PORT.match(text):
        text = with_port[1] or with_port[2] or ""
    try:
        ip = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


@lru_cache(maxsize=65_536)
def to_address(ip: IPv4Address | IPv6Address) -> Address:
    """Give the address with its bucket."""
    if isinstance(ip, IPv4Address):
        return Address(str(ip), str(ip), ip.is_loopback)
    bucket = ip_network((ip, IPV6_BUCKET_BITS), strict=False)
    return Address(str(ip), str(bucket), ip.is_loopback)


@lru_cache(maxsize=65_536)
def _address_of(text: str) -> Address:
    ip = parse_ip(text)
    return LOCAL_SOCKET if ip is None else to_address(ip)


def parse_network(text: str) -> Network:
    """Read `10.0.0.0/8`, `2001:db8::/32` or a single address; host bits are allowed.

    Raises ValueError where the text is neither.
    """
    network = ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ip_network((mapped, network.prefixlen - 96), strict=False)
    return network


class Networks:
    """A set of networks that remembers its latest answers."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._holds = lru_cache(maxsize=4_096)(self._search)

    def _search(self, ip: IPv4Address | IPv6Address) -> bool:
        return any(ip in network for network in self._networks)

    def __contains__(self, text: str) -> bool:
        if not self._networks:
            return False
        ip = parse_ip(text)
        return ip is not None and self._holds(ip)


class AddressResolver:
    """Finds the client's address behind the trusted proxies."""

    def __init__(self, trusted: Sequence[Network], header: str) -> None:
        self._trusted = Networks(trusted)
        self.header = header.lower().encode("latin-1")

    def trusts(self, peer: str | None) -> bool:
        """Say whether the TCP peer is one of our own proxies."""
        return peer is not None and peer in self._trusted

    def resolve(self, peer: str | None, lines: Sequence[bytes]) -> Address:
        """Give the client's address, from the TCP peer and the lines of the header."""
        if not lines and peer:
            return _address_of(peer)
        ip = parse_ip(peer) if peer else None
        if ip is None:
            return LOCAL_SOCKET
        if str(ip) in self._trusted:
            for hop in self._hops(lines):
                hop_ip = parse_ip(hop)
                if hop_ip is None:
                    break
                ip = hop_ip
                if str(ip) not in self._trusted:
                    break
        return to_address(ip)

    def _hops(self, lines: Sequence[bytes]) -> Iterator[str]:
        """Give the hops from right (nearest) to left, at most MAX_HOPS of them."""
        parse = _forwarded_hops if self.header == b"forwarded" else _listed_hops
        hops = (hop for line in _last_bytes(lines) for hop in reversed(parse(line)))
        return islice(hops, MAX_HOPS)


def _last_bytes(lines: Sequence[bytes]) -> Iterator[str]:
    """Give the lines from the last to the first, as far as MAX_HEADER_BYTES go."""
    left = MAX_HEADER_BYTES
    for line in reversed(lines):
        if left <= 0:
            return
        yield line[-left:].decode("latin-1")
        left -= len(line)


def _listed_hops(line: str) -> list[str]:
    return [hop for hop in map(str.strip, line.split(",")) if hop]


def _forwarded_hops(line: str) -> list[str]:
    """Take the `for` of each element (RFC 7239 section 4).

    An element without one is no address, and neither is a line that is no Forwarded: a quote left
    open by a client can't swallow what our proxy put behind it.
    """
    hops: list[str] = []
    within_element = False
    position = 0
    while position < len(line):
        pair = _FORWARDED_PAIR.match(line, position)
        if pair is None:
            return [""]
        if pair["name"] and not within_element:
            hops.append("")
            within_element = True
        if (pair["name"] or "").lower() == "for":
            hops[-1] = pair["token"] if pair["quoted"] is None else pair["quoted"]
        if pair["end"] == ",":
            within_element = False
        position = pair.end()
    return hops
