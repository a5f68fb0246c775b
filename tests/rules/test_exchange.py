"""One request, as the stages see it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.rules.support import terms

from fairuse.base.instant import Instant
from fairuse.rules.exchange import Exchange, Movement
from fairuse.rules.routes import canonical

AT = Instant(1.0, 2.0)


def _exchange(**scope: Any) -> Exchange:
    whole = {"type": "http", "method": "POST", "path": "/a", "headers": [], "client": ("::1", 1)}
    return Exchange(whole | scope, AT, "id-1")


def test_an_exchange_begins_with_the_request() -> None:
    """At first only the request is known; all that the stages find out is empty."""
    exchange = _exchange()
    assert (exchange.method, exchange.path, exchange.peer) == ("POST", "/a", "::1")
    assert (exchange.at, exchange.request_id) == (AT, "id-1")
    found = (exchange.address, exchange.subject, exchange.status, exchange.rule, exchange.fault)
    assert (found, exchange.moves) == ((None,) * 5, ())
    assert (exchange.received_bytes, exchange.sent_bytes) == (0, 0)
    assert (exchange.answer_headers, exchange.reads_answer) == ((), False)


def test_a_movement_begins_with_its_meter() -> None:
    """At first nobody told what a request costs, and none of it is counted yet."""
    meter = terms().meters["appointments"]
    move = Movement(meter, "doc-1", releases=True)
    assert (move.meter, move.item, move.releases) == (meter, "doc-1", True)
    assert (move.told, move.reader, move.accrued) == (None, None, 0)


@pytest.mark.parametrize("client", [None, []], ids=repr)
def test_a_peer_may_have_no_address(client: object) -> None:
    """F-20 (a missing client): it is no address, and not somebody else's."""
    assert _exchange(client=client).peer is None


def test_a_scope_without_a_method_reads() -> None:
    """A scope without a method (a WebSocket's) is a GET."""
    scope = {"type": "websocket", "path": "/a", "headers": []}
    assert Exchange(scope, AT, "id-1").method == "GET"


PATHS = {
    "not mounted": ("", "/a/b", "/a/b"),
    "mounted": ("/app", "/app/a", "/a"),
    "the mount itself": ("/app", "/app", "/"),
    "the mount with a slash": ("/app", "/app/", "/"),
    "another word": ("/app", "/apple/a", "/apple/a"),
    "elsewhere": ("/app", "/a", "/a"),
    "mounted deeper": ("/app/v1", "/app/v1/a", "/a"),
    "a last slash": ("", "/a/b/", "/a/b"),
    "parameters": ("", "/a;v=1/b;w", "/a/b"),
    "mounted, all of it": ("/app", "/app/a;v=1//", "/a"),
    "case": ("", "/A", "/A"),
}


@pytest.mark.parametrize(("root", "path", "below"), PATHS.values(), ids=PATHS)
def test_routes_begin_where_the_app_is_mounted(root: str, path: str, below: str) -> None:
    """Routes are matched against the canonical path below the mount; what was sent stays."""
    exchange = _exchange(root_path=root, path=path)
    assert exchange.path == below == canonical(below)
    assert exchange.scope["path"] == path


def test_headers_are_found_by_name() -> None:
    """HTTP-4 (order kept): a header's lines come in their order; asked for one, it is the first."""
    exchange = _exchange(headers=[(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert (exchange.header(b"a"), exchange.header(b"c")) == (b"1", None)
    assert [*exchange.header_lines(b"a")] == [b"1", b"3"]
    assert not exchange.header_lines(b"c")
