"""Refused requests with a body: the connection goes on where nobody can doubt where it ended."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from tests.entry.wire import rest, statuses, until
from tests.stages.support import before, before_bytes, policy
from tests.support import SALON, Front, Recorder, call, front, mounted, write_config

from fairuse.stages import answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Message

    from fairuse.base.clock import ManualClock

HOST = "Host: api.example\r\n"
KNOWN = f"{HOST}X-API-Key: {SALON}\r\n"
NEXT = f"GET / HTTP/1.1\r\n{KNOWN}Connection: close\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"
COST = policy('cost = { request_field = "pages" }', amount="1")


@pytest.fixture
def gateway(tmp_path: Path, recorder: Recorder) -> Iterator[Front]:
    """Run a gateway."""
    with before(recorder, tmp_path) as running:
        yield running


def _sent(gateway: Front, *pieces: str) -> bytes:
    """Send pieces, each after something of an answer to the one before, and read to the end."""
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=20) as client:
        received = b""
        for number, piece in enumerate(pieces):
            if number:
                received += until(client, b"}")
            client.sendall(piece.encode())
        return received + rest(client)


def _refused(framing: str) -> str:
    return f"POST /1 HTTP/1.1\r\n{HOST}{framing}"


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 5\r\n\r\nhello",
        f"{CHUNKED}5\r\nhello\r\n0\r\n\r\n",
        f"{CHUNKED}0\r\n\r\n",
        f"Content-Length: 65536\r\n\r\n{65_536 * 'x'}",
    ],
    ids=["a length", "chunks", "no chunk", "64 KiB"],
)
def test_the_connection_goes_on_after_a_body(gateway: Front, framing: str) -> None:
    """F-11, HTTP-28: after a refused body that came, the next request is served where it is."""
    received = _sent(gateway, _refused(framing) + NEXT)
    assert statuses(received) == [401, 201]
    assert received.lower().count(b"connection: close") == 1


def test_a_body_that_is_soon_over_is_waited_for(gateway: Front) -> None:
    """F-11, HTTP-28: who is told the refusal first sends the rest, and goes on."""
    received = _sent(gateway, _refused("Content-Length: 8\r\n\r\nhalf"), "half" + NEXT)
    assert statuses(received) == [401, 201]


def test_a_body_that_comes_late_is_still_no_request(
    gateway: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-11, HTTP-52: what comes of a body when nobody waits for it any more is discarded, too."""
    monkeypatch.setattr(answer, "LINGER_SECONDS", 0)
    smuggled = "GET /smuggled HTTP/1.1\r\n\r\n"
    late = _refused(f"Content-Length: {len(smuggled)}\r\n\r\n")
    assert statuses(_sent(gateway, late, smuggled + NEXT)) == [401, 201]


@pytest.mark.parametrize(
    "framing",
    [
        f"Content-Length: 65537\r\n\r\n{65_537 * 'x'}",
        "Content-Length: 000005\r\n\r\nhell",
        f"{CHUNKED}5\r\nhello\r\n",
        CHUNKED + 17 * f"1000\r\n{4_096 * 'x'}\r\n",
        "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    ],
    ids=["a long one", "an odd length", "chunks without an end", "many chunks", "expected"],
)
def test_the_connection_ends_where_the_body_may_be_long(gateway: Front, framing: str) -> None:
    """F-11, HTTP-28: what is long, or has no end that is known, is not waited for."""
    received = _sent(gateway, _refused(framing))
    assert statuses(received) == [401]
    assert b"connection: close" in received


def test_a_body_that_was_read_is_over(tmp_path: Path, recorder: Recorder) -> None:
    """F-11: where the body was read to know what it costs, the refusal waits for nothing."""
    asks = f'POST /pages HTTP/1.1\r\n{KNOWN}Content-Length: 11\r\n\r\n{{"pages":2}}'
    with before(recorder, tmp_path, rules=COST) as gateway:
        assert statuses(_sent(gateway, asks + NEXT)) == [429, 201]


def test_an_upstream_that_is_down_keeps_the_connection(tmp_path: Path) -> None:
    """F-11, HTTP-48: 502 is no reason to connect anew, whatever of the body was sent on."""
    asks = f"POST /pages HTTP/1.1\r\n{KNOWN}Content-Length: 5\r\n\r\nhello"
    with front(write_config(tmp_path, upstream="http://127.0.0.1:9")) as gateway:
        assert statuses(_sent(gateway, asks + NEXT)) == [502, 502]


def test_an_upstream_that_breaks_off_keeps_the_connection(tmp_path: Path) -> None:
    """F-11, HTTP-48: nor is one that hangs up with the body in hand."""
    asks = f"POST /pages HTTP/1.1\r\n{KNOWN}Content-Length: 5\r\n\r\nhello"
    with before_bytes(b"", tmp_path) as gateway:
        assert statuses(_sent(gateway, asks + NEXT)) == [502, 502]


@pytest.mark.anyio
async def test_another_server_is_read_to_the_end(config: Path, clock: ManualClock) -> None:
    """F-11 (middleware): under any server a refused body is read, and the connection not closed."""
    pieces: list[Message] = [
        {"type": "http.request", "body": b"hel", "more_body": True},
        {"type": "http.request", "body": b"lo", "more_body": False},
    ]
    headers = [(b"content-length", b"5")]
    async with mounted(config, Recorder(), clock) as fair:
        refused = await call(fair, key="wrong", headers=headers, body=pieces)
    assert (refused.status, "connection" in refused.headers, pieces) == (401, False, [])
