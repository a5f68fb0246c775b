"""Which header fields go on to the other side, and which the gateway adds (RFC 9110 section 7.6).

Framing is never passed on: it is built anew from what the gateway itself understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.wire import BODILESS, FRAMING

if TYPE_CHECKING:
    from fairuse.base.wire import Header, Headers
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange
    from fairuse.rules.hops import Via

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
NEVER_NAMED = frozenset({b"host"})
"""What no Connection can take away: without it the upstream would guess."""
LENGTH = frozenset({b"content-length"})
NOTHING: frozenset[bytes] = frozenset()
USUAL = frozenset({b"keep-alive", b"Keep-Alive"})
"""What Connection mostly says: it names nothing that would go on otherwise."""
HANDSHAKE = b"sec-websocket-"
"""Fields that two ends of one WebSocket agree on; each hop has a WebSocket of its own (HTTP-46)."""
SCHEMES = {"ws": "http", "wss": "https"}
"""How the scheme of a handshake is told: it is an HTTP request."""


def request_headers(headers: Headers, ours: Headers) -> Headers:
    """Give the upstream's request headers: the client's, less what stays here, then ours.

    Ours come last, so that no `Connection: x-fairuse-account` can take them away (HTTP-2).
    Names that an upstream may take for the dashed ones are dropped: for WSGI an underscore is as
    good as a dash, for PHP a dot (HTTP-20, F-9).
    White space around a value is no part of it (RFC 9110 section 5.5).
    """
    kept, named, framing = [], NOTHING, None
    for name, value in headers:
        if name in NOT_SENT_ON:
            if name == b"connection":
                named |= _named_by_connection(value)
            elif framing is None and name in FRAMING:
                framing = _framed(name, value)
        elif b"_" not in name and b"." not in name:
            kept.append((name, value.strip(b" \t")))
    if named:
        kept = [pair for pair in kept if pair[0] not in named]
    if framing is not None:
        kept.append(framing)
    return kept + ours


def response_headers(headers: Headers, status: int) -> Headers:
    """Give the client's response headers: the upstream's, less hop-by-hop ones and old framing.

    Content-Length goes where no body can follow it or it says something else than the transfer
    coding did (HTTP-8, HTTP-9, HTTP-10).
    """
    dropped = LENGTH if status in BODILESS else NOTHING
    kept = []
    for pair in headers:
        name, value = pair
        if name not in HOP_BY_HOP:
            kept.append(pair)
        elif name == b"connection":
            dropped |= _named_by_connection(value)
        elif name == b"transfer-encoding":
            dropped |= LENGTH
    return [pair for pair in kept if pair[0] not in dropped] if dropped else kept


def handshake_headers(headers: Headers, ours: Headers) -> Headers:
    """Give the upstream's handshake headers: like a request's, without any framing of a body.

    What the client and the gateway agreed on, the gateway and the upstream agree on anew: a key,
    a compression or a subprotocol passed on would promise what the other hop can't keep.
    """
    return request_headers([pair for pair in headers if _passes_handshake(pair[0])], ours)


def accept_headers(headers: Headers) -> Headers:
    """Give the headers of the handshake's answer to the client, less what the hops agreed on."""
    passed = response_headers(headers, 101)
    return [pair for pair in passed if _passes_handshake(pair[0])]


def rejection_headers(headers: Headers, status: int, body: bytes) -> Headers:
    """Give the headers of an upstream's answer that was read whole, with its length anew."""
    passed = [pair for pair in response_headers(headers, status) if pair[0] not in FRAMING]
    return [*passed, (b"content-length", str(len(body)).encode())]


def forwarded_headers(exchange: Exchange, config: Config, via: Via) -> Headers:
    """Give the headers that tell the upstream who is asking, and over which hops."""
    scheme: str = exchange.scope["scheme"]
    proto, host = SCHEMES.get(scheme, scheme).encode(), exchange.header(b"host")
    trusted = config.resolver.trusts(exchange.peer)
    if trusted:
        proto = exchange.header(b"x-forwarded-proto") or proto
        host = exchange.header(b"x-forwarded-host") or host
    account = exchange.subject.account.encode() if exchange.subject else b""
    ours = [
        (b"x-forwarded-for", b", ".join(_hops(exchange, config, trusted=trusted))),
        (b"x-forwarded-proto", proto),
        (b"x-request-id", exchange.request_id.encode()),
        (b"x-fairuse-account", account),
        via.line(exchange.scope.get("http_version", "1.1")),
    ]
    return [*ours, (b"x-forwarded-host", host)] if host else ours


def _framed(name: bytes, value: bytes) -> Header:
    """Say how long a body is, written anew."""
    if name == b"transfer-encoding":
        return name, b"chunked"
    return name, value.strip(b" \t").lstrip(b"0") or b"0"


def _named_by_connection(value: bytes) -> frozenset[bytes]:
    """Give the fields that Connection says are meant for this hop only."""
    if value in USUAL:
        return NOTHING
    return frozenset(option.strip().lower() for option in value.split(b",")) - NEVER_NAMED


def _passes_handshake(name: bytes) -> bool:
    return name not in FRAMING and not name.startswith(HANDSHAKE)


def _hops(exchange: Exchange, config: Config, *, trusted: bool) -> list[bytes]:
    """Give the hops so far; a header that no trusted proxy vouches for is not passed on."""
    peer = (exchange.peer or "unix").encode()
    if not trusted:
        return [peer]
    if config.resolver.header == b"x-forwarded-for":
        return [*exchange.header_lines(b"x-forwarded-for"), peer]
    client = exchange.address.text.encode() if exchange.address else peer
    return [client, peer] if client != peer else [peer]
