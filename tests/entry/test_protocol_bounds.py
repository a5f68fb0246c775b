"""The server in front: how large a request may be, and what is never read as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.entry.wire import GET, LAST, LOOPS, Bounded, Echo, ask, connected, rest, statuses, until

from fairuse.rules.settings import Addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def echo() -> Echo:
    """Give an app that says what it was sent."""
    return Echo()


@pytest.fixture(params=LOOPS)
def server(request: pytest.FixtureRequest, echo: Echo) -> Iterator[Bounded]:
    """Run it with small bounds."""
    with Bounded(echo, request.param, max_head=1_024, max_fields=5, max_body=100) as running:
        yield running


def padded(size: int) -> bytes:
    """Give a request whose head is so long, and which closes the connection."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: "
    return head + b"x" * (size - len(head) - 2) + b"\r\n\r\n"


@pytest.mark.parametrize(("size", "status"), [(1_024, 200), (1_025, 431)])
def test_a_head_has_a_size(server: Bounded, echo: Echo, size: int, status: int) -> None:
    """F-12, HTTP-51 (bytes): a head as large as may be is served, a byte more gets 431."""
    assert statuses(ask(server, padded(size))) == [status]
    assert len(echo.requests) == (status == 200)


def test_a_head_behind_a_request_has_a_size(server: Bounded) -> None:
    """F-12, HTTP-51 (pipelined): a head too large is refused after the request it came with."""
    with connected(server) as client:
        client.sendall(GET + padded(1_025)[:600])
        until(client, b"/ ")
        client.sendall(padded(1_025)[600:])
        assert statuses(rest(client)) == [431]


@pytest.mark.parametrize(
    ("begin", "filler"),
    [
        (b"GET /", b"x"),
        (b"GET / HTTP/1.1\r\nX: ", b"x"),
        (b"GET / HTTP/1.1\r\nX:", b" "),
        (b"\r\n", b"\r\n"),
        (CHUNKED + b"1;", b"x"),
        (CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"x"),
        (CHUNKED + b"1\r\nx\r\n0\r\n", b"X: 1\r\n"),
    ],
    ids=["target", "field", "spaces", "empty lines", "chunk extension", "trailer", "trailers"],
)
def test_what_has_no_end_is_cut(server: Bounded, begin: bytes, filler: bytes) -> None:
    """F-12, HTTP-51 (no end): nothing that may grow for ever is read beyond the size of a head."""
    # More than one read takes, so that the bound is found whatever came with the beginning.
    assert statuses(ask(server, begin + filler * (600_000 // len(filler)))) == [431]


@pytest.mark.parametrize(("count", "status"), [(3, 200), (4, 431)])
def test_a_head_has_so_many_fields(server: Bounded, count: int, status: int) -> None:
    """F-12, HTTP-51 (fields): the fields are counted."""
    fields = b"X: 1\r\n" * count + b"Connection: close\r\n\r\n"
    assert statuses(ask(server, b"GET / HTTP/1.1\r\nHost: a\r\n" + fields)) == [status]


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 413)])
def test_a_body_that_says_its_length_has_a_size(server: Bounded, size: int, status: int) -> None:
    """F-12 (declared): a body said to be too large gets 413 before any of it is read."""
    head = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size
    assert statuses(ask(server, head + b"x" * size * (status == 200))) == [status]


def test_a_chunked_body_has_a_size(server: Bounded, echo: Echo) -> None:
    """F-12 (chunked): a body that grows too large gets 413, and who reads it is cut off."""
    chunk = b"3c\r\n" + b"x" * 60 + b"\r\n"
    with connected(server) as client:
        client.sendall(CHUNKED + chunk)
        client.sendall(chunk)
        assert statuses(rest(client)) == [413]
    server.run(echo.cut.wait())
    assert echo.requests == []


def test_without_a_bound_a_body_may_be_large(echo: Echo) -> None:
    """F-12 (no bound): unless a size is set, a body of any size goes through."""
    with Bounded(echo) as server:
        head = POST + b"Connection: close\r\nContent-Length: 1000000\r\n\r\n"
        assert len(ask(server, head + b"x" * 1_000_000)) > 1_000_000


def test_a_large_upload_reads_its_refusal(server: Bounded) -> None:
    """F-12 (upload): a client that still sends what is refused reads why, and is not reset."""
    with connected(server) as client:
        client.sendall(POST + b"Content-Length: 500000\r\n\r\n")
        client.sendall(b"x" * 500_000)
        assert statuses(rest(client)) == [413]


def test_trailers_are_dropped(server: Bounded, echo: Echo) -> None:
    """HTTP-18: a trailer reaches neither its own request nor the next on the connection."""
    ask(server, CHUNKED + b"1\r\nx\r\n0\r\nX-Account: victim\r\n\r\n" + LAST)
    assert [(path, body) for path, _, body in echo.requests] == [("/", b"x"), ("/last", b"")]
    assert b"x-account" not in {name for _, headers, _ in echo.requests for name, _ in headers}


def test_a_body_is_asked_for_when_it_is_read(server: Bounded) -> None:
    """HTTP-27: "100 Continue" comes when the app reads, and the connection goes on after it."""
    with connected(server) as client:
        client.sendall(POST + b"Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n")
        assert until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"x" + LAST)
        assert statuses(rest(client)) == [200, 200]


@pytest.mark.parametrize("size", [50, 101])
def test_other_expectations_are_refused(server: Bounded, size: int) -> None:
    """HTTP-27, F-14: another expectation gets 417; a body too large 413, without a 100 before."""
    expect, status = (b"200-ok", 417) if size == 50 else (b"100-continue", 413)
    head = POST + b"Content-Length: %d\r\nExpect: %b\r\n\r\n" % (size, expect)
    assert statuses(ask(server, head)) == [status]


def test_an_old_client_is_not_told_to_continue(server: Bounded) -> None:
    """HTTP-27: HTTP/1.0 knows no 100, so none is sent."""
    head = b"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
    assert statuses(ask(server, head + b"x")) == [200]


@pytest.mark.parametrize("cut", [0, 10])
def test_a_body_is_no_request(server: Bounded, echo: Echo, cut: int) -> None:
    """F-15, HTTP-52 (upgrade): a body is read as one though another protocol was asked for."""
    head = POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(GET)
    with connected(server) as client:
        client.sendall(head + GET[:cut])
        client.sendall(GET[cut:] + LAST)
        assert statuses(rest(client)) == [200, 200]
    assert [(path, body) for path, _, body in echo.requests] == [("/", GET), ("/last", b"")]


def test_an_upgrade_we_do_not_make_is_a_request(server: Bounded) -> None:
    """F-15: who asks for another protocol is answered in HTTP, and so is who comes after it."""
    asked = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert statuses(ask(server, asked + LAST)) == [200, 200]


@pytest.mark.parametrize(
    ("bounds", "trusted"),
    [({"max_connections": 2}, True), ({"max_connections_per_address": 2}, False)],
    ids=["in all", "of one address"],
)
def test_connections_are_counted(echo: Echo, bounds: dict[str, Any], *, trusted: bool) -> None:
    """F-13 (sockets): a connection too many gets 503; one that ends makes room for another."""
    addresses = Addresses(trusted_proxies=["127.0.0.0/8"] if trusted else [])
    with Bounded(echo, addresses=addresses, **bounds) as server:
        with connected(server) as first, connected(server) as second:
            for client in (first, second):
                client.sendall(GET)
                until(client, b"/ ")
            with connected(server) as third:
                assert statuses(rest(third)) == [503]
            first.sendall(LAST)
            assert statuses(rest(first)) == [200]
            assert statuses(ask(server, LAST)) == [200]
        assert statuses(ask(server, LAST)) == [200]


def test_a_proxy_of_ours_is_everybody(echo: Echo) -> None:
    """F-13 (proxies): a trusted proxy may hold more connections than one address."""
    addresses = Addresses(trusted_proxies=["127.0.0.0/8"])
    with (
        Bounded(echo, addresses=addresses, max_connections_per_address=1) as server,
        connected(server) as first,
        connected(server) as second,
    ):
        for client in (first, second):
            client.sendall(LAST)
            assert statuses(rest(client)) == [200]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/p?x=http://b/", 200),
        (b"http://a/p", 200),
        (b"HTTP://A/?x=1", 200),
        (b"http://ab/p", 400),
        (b"http://u@a/p", 400),
        (b"ftp://a/p", 400),
        (b"/p#part", 400),
        (b"http://a/p#part", 400),
    ],
)
def test_what_an_app_is_not_shown_of_a_target(server: Bounded, target: bytes, status: int) -> None:
    """HTTP-23, HTTP-25, F-7: a fragment, and a host but the one in Host, are refused."""
    head = b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert statuses(ask(server, head)) == [status]


def test_a_length_has_so_many_digits(echo: Echo) -> None:
    """F-2: a length that not everybody can count to is refused."""
    with Bounded(echo) as server:
        head = POST + b"Content-Length: 9223372036854775808\r\n\r\n"
        assert statuses(ask(server, head)) == [400]
