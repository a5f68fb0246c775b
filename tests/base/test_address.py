"""One canonical address per client, and one bucket per customer line."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairuse.base.address import LOCAL_SOCKET, Networks, parse_ip, parse_network, to_address

SPELLINGS = {
    "plain": ("203.0.113.9", "203.0.113.9"),
    "spaces": (" 203.0.113.9\t", "203.0.113.9"),
    "port": ("203.0.113.9:4711", "203.0.113.9"),
    "ipv6": ("2001:db8::1", "2001:db8::1"),
    "upper case": ("2001:DB8::A", "2001:db8::a"),
    "leading zeros": ("2001:0db8:0000::0001", "2001:db8::1"),
    "brackets": ("[2001:db8::1]", "2001:db8::1"),
    "brackets and port": ("[2001:db8::1]:443", "2001:db8::1"),
    "zone": ("fe80::1%eth0", "fe80::1"),
    "zone in brackets": ("[fe80::1%eth0]:80", "fe80::1"),
    "mapped": ("::ffff:203.0.113.9", "203.0.113.9"),
    "mapped, upper case": ("::FFFF:203.0.113.9", "203.0.113.9"),
    "mapped, in hexadecimal": ("::ffff:cb00:7109", "203.0.113.9"),
    "mapped, brackets and port": ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
}
NO_ADDRESSES = [
    "", " ", "unknown", "_hidden", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1", "010.0.0.1",
    "1.2.3.4/32", "1.2.3.4:", ":80", "[2001:db8::1", "2001:db8::1]:80", "[]", "[]:80", "%eth0",
    "1.2.3.4\x00", "1.2.3.4, 5.6.7.8", "<script>", "\u0661.2.3.4", "1:2:3:4:5:6:7:8:9", "0x7f.1",
]  # fmt: skip


@pytest.mark.parametrize(("text", "canonical"), SPELLINGS.values(), ids=SPELLINGS)
def test_spellings_of_an_address(text: str, canonical: str) -> None:
    """F-18: every spelling of an address, mapped ones too, is one canonical address."""
    ip = parse_ip(text)
    assert ip is not None
    assert str(ip) == canonical


@pytest.mark.parametrize("text", NO_ADDRESSES, ids=repr)
def test_what_is_no_address(text: str) -> None:
    """A text that is no address gives none, and raises nothing."""
    assert parse_ip(text) is None


@given(st.ip_addresses())
def test_canonical_addresses_stay_as_they_are(ip: IPv4Address | IPv6Address) -> None:
    """F-18: making an address canonical twice changes nothing, however it was written first."""
    first = parse_ip(str(ip))
    assert first is not None
    assert parse_ip(str(first)) == first
    texts = {ip.exploded.upper(), f"[{ip}]", f"[{ip}]:443"}
    assert {parse_ip(text) for text in texts} == {first}
    assert to_address(first).text == str(first)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """F-17 (garbage): no text makes reading an address raise; what is read is canonical."""
    ip = parse_ip(text)
    assert ip is None or parse_ip(str(ip)) == ip


@given(st.ip_addresses(v=4))
def test_an_ipv4_bucket_is_the_address(ip: IPv4Address) -> None:
    """F-18: an IPv4 address is its own bucket, also where it is mapped into IPv6."""
    mapped = parse_ip(f"::ffff:{ip}")
    assert mapped == ip
    assert to_address(ip).bucket == to_address(mapped).bucket == str(ip)


def test_one_line_is_one_bucket() -> None:
    """F-19: ten thousand addresses of one /64 are one bucket, the next /64 is another."""
    first = int(IPv6Address("2001:db8:0:7::"))
    line = {to_address(IPv6Address(first + step * 2**50 + step)).bucket for step in range(10_000)}
    assert line == {"2001:db8:0:7::/64"}
    assert to_address(IPv6Address(first + 2**64)).bucket == "2001:db8:0:8::/64"


LOCAL = {
    "127.0.0.1": True,
    "127.9.9.9": True,
    "::1": True,
    "[::1]:80": True,
    "::ffff:127.0.0.1": True,
    "128.0.0.1": False,
    "10.0.0.1": False,
    "0.0.0.1": False,
    "::2": False,
    "fe80::1": False,
    "::ffff:203.0.113.9": False,
}


@pytest.mark.parametrize(("text", "local"), LOCAL.items(), ids=LOCAL)
def test_this_machine_is_local(text: str, local: bool) -> None:
    """P9: loopback, in every spelling, is this machine's own; no other network is."""
    ip = parse_ip(text)
    assert ip is not None
    assert to_address(ip).local is local


def test_a_unix_socket_is_local() -> None:
    """P9, F-20: a peer without an address is on this machine."""
    assert LOCAL_SOCKET.local


NETWORKS = {
    "host bits": ("10.1.2.3/8", "10.0.0.0/8"),
    "single ipv4": ("192.0.2.1", "192.0.2.1/32"),
    "single ipv6": ("2001:db8::1", "2001:db8::1/128"),
    "ipv6": ("2001:db8::1/32", "2001:db8::/32"),
    "mapped": ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
    "mapped single": ("::ffff:192.0.2.1", "192.0.2.1/32"),
    "all of mapped": ("::ffff:0:0/96", "0.0.0.0/0"),
    "more than mapped": ("::ffff:0:0/80", "::/80"),
}


@pytest.mark.parametrize(("text", "network"), NETWORKS.values(), ids=NETWORKS)
def test_networks_are_read(text: str, network: str) -> None:
    """A network may have host bits, and one of mapped addresses is the IPv4 network it means."""
    assert str(parse_network(text)) == network


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "ten", "10.0.0.0/8/8", "[::1]", "1.2.3"])
def test_what_is_no_network(text: str) -> None:
    """A text that is no network is an error, never a literal that matches nothing."""
    with pytest.raises(ValueError, match=r"does not appear|Only one '/'"):
        parse_network(text)


def test_a_set_of_networks_holds_every_spelling() -> None:
    """F-18: a block on an IPv4 address also hits its mapped form, again and again."""
    networks = Networks([parse_network("203.0.113.9"), parse_network("2001:db8::/32")])
    inside = ["203.0.113.9", "::ffff:203.0.113.9", "[2001:DB8::1]:80", "203.0.113.9:80"]
    outside = ["203.0.113.8", "2001:db9::1", "unix", "", "unknown"]
    for _ in range(2):
        assert [text in networks for text in inside] == [True] * len(inside)
        assert [text in networks for text in outside] == [False] * len(outside)


@given(st.ip_addresses(), st.lists(st.ip_addresses(network="10.0.0.0/29"), max_size=4))
@settings(max_examples=50)
def test_membership_is_that_of_any_network(
    ip: IPv4Address | IPv6Address, members: list[IPv4Address | IPv6Address]
) -> None:
    """An address is in the set exactly when it is in one of its networks."""
    networks = Networks([parse_network(str(member)) for member in members])
    for candidate in (ip, *members, ip_address("10.0.0.1")):
        assert (str(candidate) in networks) == (candidate in members)
