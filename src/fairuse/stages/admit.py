"""Admit: refuse what can be read in two ways, and blocked addresses, before any account work.

The parser in front (httptools) refuses much already; this refuses the rest that it lets through,
so that the gateway and the upstream can't disagree about where a request ends or what it asks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairuse.rules.hops import PASSED_ON
from fairuse.rules.refusal import Refusal

if TYPE_CHECKING:
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange
    from fairuse.stores.blocks import Blocks

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::(\d{1,5}))?")
_HIGHEST_PORT = 65_535
_VERSIONS = frozenset({"1.0", "1.1", "2", "3"})
"""As ASGI writes them; "2.0" is a request line that says so, and no HTTP/2."""
_TWO_READINGS = re.compile(
    rb"%2f|%5c|%00|\\|//|/(?:\.|%2e){1,2}(?:/|;|%3b|$)|%(?![0-9a-f]{2})",
    re.IGNORECASE,
)
_NOT_IN_A_PATH = re.compile(r"[\x00-\x1f\x7f]")
_NOT_PASSED_ON = frozenset({"CONNECT", "TRACE"})


def admit(exchange: Exchange, config: Config, blocks: Blocks) -> Refusal | None:
    """Let a request in, or give the refusal; finds out the client's address."""
    lines = exchange.header_lines(config.resolver.header)
    exchange.address = config.resolver.resolve(exchange.peer, lines)
    if reason := _ambiguity(exchange):
        return Refusal("ambiguous-request", "http", reason)
    if exchange.method in _NOT_PASSED_ON:
        reason = f"the method is {exchange.method}"
        return Refusal("method-not-allowed", "http", reason, allow=PASSED_ON)
    if exchange.address.text in config.never_block:
        return None
    block = blocks.running_for_everybody(exchange.address.bucket, exchange.at.wall)
    return Refusal("blocked", block.rule, until=block.ends_at) if block else None


def _ambiguity(exchange: Exchange) -> str | None:
    """Say what can be read in two ways, or nothing."""
    return _ambiguous_path(exchange) or _ambiguous_host(exchange) or _ambiguous_body(exchange)


def _ambiguous_path(exchange: Exchange) -> str | None:
    path: str = exchange.scope["path"]
    raw_path: bytes = exchange.scope.get("raw_path") or path.encode("utf-8", "replace")
    if not raw_path.startswith(b"/"):
        return "the path must begin with a slash"
    if _TWO_READINGS.search(raw_path) or _NOT_IN_A_PATH.search(path):
        return "the path can be read in more than one way"
    return None


def _ambiguous_host(exchange: Exchange) -> str | None:
    version = exchange.scope.get("http_version", "1.1")
    if version not in _VERSIONS:
        return "the version of HTTP is none that is understood"
    hosts = exchange.header_lines(b"host")
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return "exactly one Host header is needed"
    if not hosts:
        return None
    host = _HOST.fullmatch(hosts[0].strip(b" \t"))
    if host is None or int(host[1] or 0) > _HIGHEST_PORT:
        return "the Host header is no host"
    return None


def _ambiguous_body(exchange: Exchange) -> str | None:
    codings = exchange.header_lines(b"transfer-encoding")
    if len(codings) + len(exchange.header_lines(b"content-length")) > 1:
        return "the length of the body is given more than once"
    if codings and codings[0].lower() != b"chunked":
        return "the only transfer coding understood is chunked"
    if codings and exchange.scope.get("http_version") == "1.0":
        return "HTTP/1.0 has no transfer codings"
    return None
