"""Which header fields cross the gateway, and which stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairuse.base.wire import announces_body
from fairuse.rules.forwarding import (
    HOP_BY_HOP,
    NOT_SENT_ON,
    request_headers,
    response_headers,
)

if TYPE_CHECKING:
    from fairuse.base.wire import Headers

OURS: Headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-fairuse-account", b"salon")]
NAMES = [b"accept", b"cookie", b"host", b"set-cookie", b"x-a", b"x-b", b"x_a", b"content-length"]
FIELDS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from([*NAMES, *sorted(NOT_SENT_ON)]), st.sampled_from([b"", b"1", b"2"])
        ),
        st.tuples(
            st.just(b"connection"),
            st.lists(st.sampled_from([b"close", b" X-A ", b"x-b", b"x-fairuse-account", b""])).map(
                b",".join
            ),
        ),
    ),
    max_size=12,
)


def _named(headers: Headers) -> set[bytes]:
    lines = [value for name, value in headers if name == b"connection"]
    return {option.strip().lower() for line in lines for option in line.split(b",")}


def _others(headers: Headers, gone: frozenset[bytes]) -> Headers:
    left = gone | _named(headers) | {b"content-length"}
    return [(name, value) for name, value in headers if name not in left and b"_" not in name]


@given(FIELDS)
def test_only_end_to_end_fields_reach_the_upstream(headers: Headers) -> None:
    """HTTP-1, HTTP-2, HTTP-4: nothing of this hop goes on, ours always do, the rest in order."""
    sent = request_headers(headers, OURS)
    assert sent[-2:] == OURS
    theirs = sent[:-2]
    framing = [field for field in theirs if field[0] in (b"content-length", b"transfer-encoding")]
    assert len(framing) <= 1
    assert [field for field in theirs if field not in framing] == _others(headers, NOT_SENT_ON)


@given(FIELDS, st.sampled_from([200, 204, 206, 304, 404, 500]))
def test_only_end_to_end_fields_reach_the_client(headers: Headers, status: int) -> None:
    """HTTP-1, HTTP-3: of the answer's fields those of the hop stay behind, the rest in order."""
    names = [name for name, _ in response_headers(headers, status)]
    kept = HOP_BY_HOP | _named(headers)
    lengths = status not in (204, 304) and b"transfer-encoding" not in dict(headers)
    assert names == [
        name for name, _ in headers if name not in kept and (lengths or name != b"content-length")
    ]


@pytest.mark.parametrize(
    "value", [b"x-fairuse-account", b"close, X-Forwarded-For", b"x-request-id"]
)
def test_our_fields_can_not_be_taken_away(value: bytes) -> None:
    """HTTP-2: a client that names our fields in Connection, or sends them, changes none of them."""
    headers = [(b"connection", value), *((name, b"evil") for name, _ in OURS)]
    assert request_headers(headers, OURS) == OURS


@pytest.mark.parametrize("name", [b"x_forwarded_for", b"x_fairuse-account", b"_", b"x_account"])
def test_underscore_twins_are_dropped(name: bytes) -> None:
    """HTTP-20: a name with an underscore, which some upstreams take for a dash, stays here."""
    assert request_headers([(name, b"evil"), (b"x-a", b"1")], []) == [(b"x-a", b"1")]


def test_repeated_fields_stay_apart() -> None:
    """HTTP-3, HTTP-4: two Cookie or Set-Cookie lines stay two, in their order."""
    cookies = [
        (b"set-cookie", b"a=1; Expires=Mon, 02 Nov"),
        (b"x-a", b"1"),
        (b"set-cookie", b"b=2"),
    ]
    assert response_headers(cookies, 200) == cookies
    sent = [(b"cookie", b"a=1"), (b"x-a", b"1"), (b"cookie", b"b=2"), (b"cookie", b"a=1")]
    assert request_headers(sent, []) == sent


@pytest.mark.parametrize("status", [204, 304])
def test_no_length_where_no_body_follows(status: int) -> None:
    """HTTP-8 (304), HTTP-9 (204): an answer that can have no body has no Content-Length."""
    headers = [(b"content-length", b"5"), (b"etag", b'"a"')]
    assert response_headers(headers, status) == [(b"etag", b'"a"')]
    assert response_headers(headers, 200) == headers


def test_an_answer_has_one_framing() -> None:
    """HTTP-10: of an answer with a length and a coding neither field goes on."""
    headers = [(b"content-length", b"5"), (b"transfer-encoding", b"chunked"), (b"x-a", b"1")]
    assert response_headers(headers, 200) == [(b"x-a", b"1")]


FRAMINGS: dict[str, tuple[Headers, Headers]] = {
    "none": ([(b"host", b"a")], []),
    "length": ([(b"content-length", b"5")], [(b"content-length", b"5")]),
    "empty": ([(b"content-length", b"0")], [(b"content-length", b"0")]),
    "zeros": ([(b"content-length", b"007")], [(b"content-length", b"7")]),
    "white space": ([(b"content-length", b" 5 \t")], [(b"content-length", b"5")]),
    "white space around nothing": ([(b"content-length", b"00 ")], [(b"content-length", b"0")]),
    "chunked": ([(b"transfer-encoding", b"CHUNKED")], [(b"transfer-encoding", b"chunked")]),
    "both": (
        [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
        [(b"content-length", b"5")],
    ),
    "named by connection": (
        [(b"connection", b"content-length"), (b"content-length", b"5")],
        [(b"content-length", b"5")],
    ),
}


@pytest.mark.parametrize(("headers", "framing"), FRAMINGS.values(), ids=FRAMINGS)
def test_a_request_is_framed_anew(headers: Headers, framing: Headers) -> None:
    """A request goes on with the framing the gateway understood, and never with two."""
    sent = request_headers(headers, [])
    assert [field for field in sent if field[0] != b"host"] == framing
    assert announces_body(headers) == (framing not in ([], [(b"content-length", b"0")]))
