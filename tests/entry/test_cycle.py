"""The server in front: how the head of an answer says where its body ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.entry.wire import Bounded, ask, statuses

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from fairuse.base.wire import Headers


class Says:
    """An app that answers with these headers and pieces of a body."""

    def __init__(self, headers: Headers, *pieces: bytes, status: int = 200) -> None:
        self.start = {"type": "http.response.start", "status": status, "headers": headers}
        self.pieces = pieces

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        await send(self.start)
        for number, piece in enumerate(self.pieces, 1):
            more = number < len(self.pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": more})


def answer(app: Says, method: str = "GET") -> bytes:
    """Give what a client reads that asks once."""
    with Bounded(app) as server:
        return ask(server, f"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())


LENGTH = (b"content-length", b"4")
CLOSE = b"connection: close\r\n"


@pytest.mark.parametrize("pieces", [(b"abcd",), (b"ab", b"cd"), (b"abcd", b"")])
def test_a_body_of_a_length_ends_where_it_says(pieces: tuple[bytes, ...]) -> None:
    """HTTP-10 (the answer): in one piece or in several, it is the same answer."""
    received = answer(Says([LENGTH], *pieces))
    assert received == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n" + CLOSE + b"\r\nabcd"


def test_a_body_without_a_length_goes_in_chunks() -> None:
    """HTTP-10 (the answer): where nobody knows the length, the last chunk is the end."""
    head, _, body = answer(Says([], b"ab", b"cd")).partition(b"\r\n\r\n")
    assert head.endswith(b"transfer-encoding: chunked")
    assert body == b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_what_has_no_body_says_no_chunks(method: str, status: int) -> None:
    """HTTP-8: after the head of such an answer nothing comes."""
    received = answer(Says([], b"", status=status), method)
    assert received.endswith(b"\r\n\r\n")
    assert b"chunked" not in received


def test_the_connection_ends_where_any_of_the_fields_says_so() -> None:
    """HTTP-13 (the answer): of several Connection fields one that says "close" is enough."""
    fields = [(b"connection", b"Close"), (b"connection", b"x-other"), LENGTH]
    received = answer(Says(fields, b"abcd"))
    assert received.lower().count(CLOSE) == 1


@pytest.mark.parametrize("pieces", [(b"abc",), (b"abcde",), (b"ab", b"c")])
def test_a_body_of_another_length_is_never_a_whole_answer(pieces: tuple[bytes, ...]) -> None:
    """HTTP-13: a body that is longer or shorter than announced ends with the connection."""
    received = answer(Says([LENGTH], *pieces))
    assert len(received.partition(b"\r\n\r\n")[2]) < 4


@pytest.mark.parametrize("value", [b"b\r\nset-cookie: c", b"b\nc", b"b\rc", b"b\0c"])
def test_no_field_breaks_the_head_of_an_answer(value: bytes) -> None:
    """HTTP-37 (the answer): a field with a line break in it goes to nobody."""
    assert statuses(answer(Says([(b"a", value), LENGTH], b"abcd"))) == []
