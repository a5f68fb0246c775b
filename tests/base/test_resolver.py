"""The client's address behind trusted proxies: right to left, to the first that isn't ours."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairuse.base.address import LOCAL_SOCKET, MAX_HOPS, AddressResolver, parse_network

OURS = [parse_network(text) for text in ("10.0.0.0/8", "fd00::/8", "::ffff:192.168.0.0/112")]
PROXY, CLIENT, EVIL = "10.0.0.1", "203.0.113.9", "6.6.6.6"
TRUSTED_HOPS = [f"10.0.1.{number}" for number in range(40)]


class Case(NamedTuple):
    """A TCP peer, the lines of the header, and the client's address."""

    peer: str | None
    lines: list[str]
    client: str


LISTED = {
    "F-16 untrusted peer": Case(CLIENT, [EVIL], CLIENT),
    "F-16 untrusted peer claims ours": Case(CLIENT, ["10.0.0.2"], CLIENT),
    "F-16 spoofed on the left": Case(PROXY, [f"{EVIL}, {CLIENT}"], CLIENT),
    "F-16 spoofed line": Case(PROXY, [EVIL, CLIENT], CLIENT),
    "no header": Case(PROXY, [], PROXY),
    "empty header": Case(PROXY, [""], PROXY),
    "one hop": Case(PROXY, [CLIENT], CLIENT),
    "two hops": Case(PROXY, [f"{CLIENT},10.0.0.2"], CLIENT),
    "only our own": Case(PROXY, ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    "several lines": Case(PROXY, [EVIL, f"{CLIENT} , fd00::2", "10.0.0.2"], CLIENT),
    "port": Case(PROXY, [f"{CLIENT}:4711"], CLIENT),
    "ipv6": Case(PROXY, ["2001:db8::1"], "2001:db8::1"),
    "brackets": Case(PROXY, ["[2001:db8::1]"], "2001:db8::1"),
    "brackets and port": Case(PROXY, ["[2001:db8::1]:4711"], "2001:db8::1"),
    "zone": Case(PROXY, ["fe80::1%eth0"], "fe80::1"),
    "zone and port": Case(PROXY, ["[fe80::1%25eth0]:1"], "fe80::1"),
    "garbage in the middle": Case(PROXY, [f"{CLIENT}, unknown, 10.0.0.2"], "10.0.0.2"),
    "garbage nearest": Case(PROXY, [f"{CLIENT}, <script>"], PROXY),
    "garbage beyond the client": Case(PROXY, [f"\xff\x00, {CLIENT}"], CLIENT),
    "leading zeros are garbage": Case(PROXY, [f"{CLIENT}, 010.0.0.2"], PROXY),
    "empty hops are skipped": Case(PROXY, [f"{CLIENT}, , ,", "", " "], CLIENT),
    "mapped hop": Case(PROXY, [f"::ffff:{CLIENT}"], CLIENT),
    "mapped trusted hop": Case(PROXY, [f"{CLIENT}, ::ffff:10.0.0.2"], CLIENT),
    "mapped peer": Case("::ffff:10.0.0.1", [CLIENT], CLIENT),
    "mapped network": Case("192.168.0.1", [CLIENT], CLIENT),
    "mapped untrusted peer": Case(f"::ffff:{CLIENT}", [EVIL], CLIENT),
    "ipv6 peer": Case("fd00::1", [CLIENT], CLIENT),
    "peer with a zone": Case("fd00::1%eth0", [CLIENT], CLIENT),
    "40 hops of ours": Case(PROXY, [", ".join(TRUSTED_HOPS)], TRUSTED_HOPS[-MAX_HOPS]),
    "client beyond 40 hops": Case(PROXY, [EVIL, *TRUSTED_HOPS], TRUSTED_HOPS[-MAX_HOPS]),
    "client beyond 5000 bytes": Case(PROXY, [f"{CLIENT},{' ' * 5_000}10.0.0.2"], "10.0.0.2"),
    "client a line beyond 5000 bytes": Case(PROXY, [CLIENT, " " * 5_000 + "10.0.0.2"], "10.0.0.2"),
    "F-20 unix socket": Case(None, [CLIENT], "unix"),
    "F-20 empty peer": Case("", [CLIENT], "unix"),
    "F-20 peer is a path": Case("/run/proxy.sock", [CLIENT], "unix"),
}
FORWARDED = {
    "F-16 untrusted peer": Case(CLIENT, [f"for={EVIL}"], CLIENT),
    "F-16 spoofed on the left": Case(PROXY, [f"for={EVIL}, for={CLIENT}"], CLIENT),
    "one hop": Case(PROXY, [f"for={CLIENT}"], CLIENT),
    "quoted ipv6 and port": Case(PROXY, ['for="[2001:db8::1]:4711"'], "2001:db8::1"),
    "quoted ipv4 and port": Case(PROXY, [f'for="{CLIENT}:4711"'], CLIENT),
    "other parameters": Case(PROXY, [f"proto=https;for={CLIENT};by=10.0.0.1"], CLIENT),
    "upper case and spaces": Case(PROXY, [f"proto=http; FOR={CLIENT}"], CLIENT),
    "no for within a name": Case(PROXY, [f"for={CLIENT};xfor={EVIL}"], CLIENT),
    "two hops": Case(PROXY, [f"for={CLIENT};proto=https, for=10.0.0.2"], CLIENT),
    "several lines": Case(PROXY, [f"for={EVIL}", f"for={CLIENT}", 'for="[fd00::2]"'], CLIENT),
    "comma in quotes": Case(PROXY, [f'for={CLIENT};host="a,for={EVIL}"'], CLIENT),
    "escaped quote": Case(PROXY, [f'for={CLIENT};host="a\\",for={EVIL}"'], CLIENT),
    "obfuscated": Case(PROXY, [f"for={CLIENT}, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
    "unknown": Case(PROXY, [f"for={CLIENT}, for=unknown"], PROXY),
    "no for": Case(PROXY, [f"for={CLIENT}, proto=https"], PROXY),
    "empty for": Case(PROXY, ["for="], PROXY),
    "empty elements": Case(PROXY, [f"for={CLIENT}, ,", ""], CLIENT),
    "spaces": Case(PROXY, [f" for={CLIENT} ; proto=https ,\tfor=10.0.0.2 "], CLIENT),
    "garbage beyond the client": Case(PROXY, ['for="', f"for={CLIENT}"], CLIENT),
    "garbage nearest": Case(PROXY, [f"for={CLIENT}", "for=<script>;;="], PROXY),
    "an X-Forwarded-For list": Case(PROXY, [CLIENT], PROXY),
    "40 hops of ours": Case(
        PROXY, [",".join(f"for={hop}" for hop in TRUSTED_HOPS)], TRUSTED_HOPS[-MAX_HOPS]
    ),
    "F-20 unix socket": Case(None, [f"for={CLIENT}"], "unix"),
}


def _resolve(header: str, case: Case) -> str:
    lines = [line.encode("latin-1") for line in case.lines]
    return AddressResolver(OURS, header).resolve(case.peer, lines).text


@pytest.mark.parametrize("case", LISTED.values(), ids=LISTED)
def test_x_forwarded_for(case: Case) -> None:
    """F-16, F-17, F-18, F-20: a list is read from the right, to the first that isn't ours."""
    assert _resolve("X-Forwarded-For", case) == case.client


@pytest.mark.parametrize("case", FORWARDED.values(), ids=FORWARDED)
def test_forwarded(case: Case) -> None:
    """F-16, F-17, F-20: RFC 7239's elements are read from the right, to the first not ours."""
    assert _resolve("forwarded", case) == case.client


def test_nobody_is_trusted_by_default() -> None:
    """F-16: without trusted proxies no header is believed, not even from loopback."""
    resolver = AddressResolver([], "x-forwarded-for")
    assert resolver.resolve("127.0.0.1", [EVIL.encode()]).text == "127.0.0.1"
    assert not resolver.trusts("127.0.0.1")


def test_only_our_own_proxies_are_trusted() -> None:
    """F-20: a proxy is trusted in every spelling; a peer without an address never is."""
    resolver = AddressResolver([*OURS, parse_network("0.0.0.0/0")], "X-Real-IP")
    assert resolver.header == b"x-real-ip"
    assert resolver.trusts("::ffff:10.0.0.1")
    assert [resolver.trusts(peer) for peer in (None, "", "unix")] == [False] * 3
    assert resolver.resolve(None, [EVIL.encode()]) is LOCAL_SOCKET


@given(st.lists(st.binary(max_size=60), max_size=4), st.sampled_from([b",", b", ", None]))
def test_a_list_can_not_be_spoofed(evil: list[bytes], joint: bytes | None) -> None:
    """F-16: whatever the client sends first, the hop our proxy appends decides."""
    lines = [*evil, CLIENT.encode()] if joint is None else [joint.join([*evil, CLIENT.encode()])]
    assert AddressResolver(OURS, "x-forwarded-for").resolve(PROXY, lines).text == CLIENT


FORGED = st.text(alphabet='for=6.;"\\, []', max_size=40).map(str.encode)


@given(FORGED, st.booleans())
@example(b'for=6.6.6.6;x="', True)
@example(b'for=6.6.6.6;x="', False)
def test_an_open_quote_is_no_spoof(evil: bytes, one_line: bool) -> None:
    """F-16: a quote the client leaves open can't swallow the element our proxy appends."""
    ours = b'for="[2001:db8::1]:4711"'
    lines = [evil + b", " + ours] if one_line else [evil, ours]
    found = AddressResolver(OURS, "forwarded").resolve(PROXY, lines).text
    assert found in {"2001:db8::1", PROXY}


@pytest.mark.parametrize("host", ["a;for=6.6.6.6;b", "a; for=6.6.6.6 ;b", ";for=6.6.6.6;"])
def test_a_quoted_parameter_holds_no_for(host: str) -> None:
    """F-16: a Host that our proxy repeats in quotes can't pass for the client's address."""
    assert _resolve("forwarded", Case(PROXY, [f'host="{host}";for={CLIENT}'], "")) == CLIENT
