"""Which addresses are inside: of the machine, of its network, or of whoever runs it (F-53).

A webhook's address comes from a tenant, and must not be a way to what only we can reach.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_PROTOCOLS = IPv4Network("192.0.0.0/24")  # older Pythons take the most of it for public
_PLATFORM = frozenset({IPv4Address("168.63.129.16")})
"""Azure's own services, which answer there in every virtual network; others use private ones."""


def is_inside(text: str) -> bool:
    """Say whether an address is anything but one of the public internet."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        inner = _ipv4_in(address)
        if inner is None:
            return address not in _GLOBAL_UNICAST or not address.is_global
        address = inner
    special = address in _PLATFORM or address in _PROTOCOLS
    return special or not address.is_global or address.is_multicast


def _ipv4_in(address: IPv6Address) -> IPv4Address | None:
    """Give the IPv4 address that is reached through an IPv6 one: mapped, NAT64 or 6to4."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
