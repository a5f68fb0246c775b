"""Answers that come before the request is whole: both connections stay in order, or end."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.entry.wire import rest, statuses, until
from tests.stages.support import KEY, before

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

SIZE = 300_000
"""More than all buffers on the way hold, so that reading is paused for a while."""
NEXT = f"GET /next HTTP/1.1\r\n{KEY}Connection: close\r\n\r\n".encode()
HEAD = f"POST /early HTTP/1.1\r\n{KEY}".encode()
BODY = b"GET /smuggled HTTP/1.1\r\n\r\n".ljust(SIZE, b"x")
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, BODY)


class Hasty:
    """Answers at once, and reads a body never or after its answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        self.asked.append(scope["path"])
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"done"})


@contextmanager
def _client(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    ("framing", "body"),
    [(b"Content-Length: %d\r\n\r\n" % SIZE, BODY), (b"Transfer-Encoding: chunked\r\n\r\n", CHUNKS)],
    ids=["a length", "chunks"],
)
@pytest.mark.parametrize("sent", [0, 10, 200_000])
def test_the_rest_of_a_body_is_no_request(
    tmp_path: Path, framing: bytes, body: bytes, sent: int
) -> None:
    """HTTP-52, F-15 (early answer): what comes of a body after its answer is read as a body."""
    upstream = Hasty()
    with before(upstream, tmp_path) as gateway, _client(gateway.server.port) as client:
        client.sendall(HEAD + framing + body[:sent])
        received = until(client, b"done")
        client.sendall(body[sent:] + NEXT)
        assert statuses(received + rest(client)) == [200, 200]
    assert upstream.asked == ["/early", "/next"]


def test_another_tenant_never_gets_the_rest(tmp_path: Path) -> None:
    """HTTP-35, F-15 (early answer): a connection that is owed half a body carries nothing else."""
    upstream = Hasty()
    with before(upstream, tmp_path) as gateway, _client(gateway.server.port) as client:
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % SIZE + BODY[:10])
        until(client, b"done")
        for _ in range(3):
            with _client(gateway.server.port) as other:
                other.sendall(NEXT)
                assert statuses(rest(other)) == [200]
        client.sendall(BODY[10:] + NEXT)
        assert statuses(rest(client)) == [200]
    assert upstream.asked == ["/early", *["/next"] * 4]
