"""Which header fields go on to the other side, and which the gateway adds (RFC 9110 section 7.6).

Framing is never passed on: it is built anew from what the gateway itself understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairuse.base.wire import Headers

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
NOT_SENT_ON = HOP_BY_HOP | {
    b"content-length",  # rebuilt
    b"expect",  # answered here
    b"forwarded",  # only our own account of the hops goes on
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-request-id",
    b"x-fairuse-account",
}
NO_BODY = frozenset({204, 304})


def request_headers(headers: Headers, ours: Headers) -> Headers:
    """Give the upstream's request headers: the client's, less what stays here, then ours.

    Ours come last, so that no `Connection: x-fairuse-account` can take them away (HTTP-2).
    Names with an underscore are dropped: some upstreams take them for the dashed ones (HTTP-20).
    White space around a value is no part of it (RFC 9110 section 5.5).
    """
    named = _named_by_connection(headers)
    kept = [
        (name, value.strip(b" \t"))
        for name, value in headers
        if name not in NOT_SENT_ON and name not in named and b"_" not in name
    ]
    return [*kept, *_framing(headers), *ours]


def response_headers(headers: Headers, status: int) -> Headers:
    """Give the client's response headers: the upstream's, less hop-by-hop ones and old framing.

    Content-Length goes where no body can follow it or it says something else than the transfer
    coding did (HTTP-8, HTTP-9, HTTP-10).
    """
    named = _named_by_connection(headers)
    drop_length = status in NO_BODY or any(name == b"transfer-encoding" for name, _ in headers)
    return [
        (name, value)
        for name, value in headers
        if name not in HOP_BY_HOP
        and name not in named
        and not (drop_length and name == b"content-length")
    ]


def has_body(headers: Headers) -> bool:
    """Say whether a request announces a body."""
    return bool(_framing(headers))


def _framing(headers: Headers) -> Headers:
    for name, value in headers:
        if name == b"content-length":
            return [(name, value)]
        if name == b"transfer-encoding":
            return [(name, b"chunked")]
    return []


def _named_by_connection(headers: Headers) -> set[bytes]:
    """Give the fields that Connection says are meant for this hop only."""
    return {
        option.strip().lower()
        for name, value in headers
        if name == b"connection"
        for option in value.split(b",")
    }
