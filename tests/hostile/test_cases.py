"""The cases themselves: their files stand for the bytes they should, and none is half a case."""

from __future__ import annotations

import pytest
from tests.hostile.cases import SPLITS, OfAnswer, OfRequest, on_the_wire, read, split
from tests.hostile.client import read_answers


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (b"\n5\nhello\\\n", b"\r\n5\r\nhello"),
        (b"a\\n\\\nb\n", b"a\nb\r\n"),
        (b"\\x00\\xff\\r\\n\\t\\\\\n", b"\x00\xff\r\n\t\\\r\n"),
        (b"back\\\\\n", b"back\\\r\n"),
        (b"\\(3*ab\\r\\n\\)\\\n", b"ab\r\n" * 3),
        (b"X: \\(2*\\x00\\)\n", b"X: \0\0\r\n"),
    ],
)
def test_a_file_stands_for_bytes(text: bytes, wire: bytes) -> None:
    """Lines end in CRLF; whatever an editor can't keep is escaped."""
    assert on_the_wire(text) == wire


@pytest.mark.parametrize("how", SPLITS)
def test_the_pieces_are_the_whole(how: str) -> None:
    """However bytes are split, nothing is lost, nor sent twice, and it is the same every time."""
    for length in (0, 1, 5, 1_999, 2_000, 2_001, 9_000):
        wire = bytes(code % 251 for code in range(length))
        pieces = list(split(wire, how, "seed"))
        assert b"".join(piece for piece, _ in pieces) == wire
        assert pieces == list(split(wire, how, "seed"))


def test_single_bytes_are_sent_singly() -> None:
    """What is short is sent byte by byte, of what is long both ends."""
    assert {len(piece) for piece, _ in split(b"GET / HTTP/1.1\r\n", "by byte", "")} == {1}
    assert sum(len(piece) == 1 for piece, _ in split(b"x" * 9_000, "by byte", "")) == 2_000


def test_every_case_is_complete() -> None:
    """F-1 to F-11, F-15: there is a case for each, with bytes, a promise and an outcome."""
    promises = [outcome.promise for _, outcome in read("requests", OfRequest).values()]
    promises += [outcome.promise for _, outcome in read("answers", OfAnswer).values()]
    for row in (*range(1, 12), 15):
        assert any(f"F-{row}:" in each or f"F-{row}," in each for each in promises)


@pytest.mark.parametrize(
    "bad",
    [
        b"HTTP/1.1 200 OK\nX: 1\r\n\r\n",
        b"HTTP/1.1 700 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nleft",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
    ],
)
def test_a_client_takes_no_bad_answer(bad: bytes) -> None:
    """An answer that could be read in two ways fails a case, whatever its file says."""
    with pytest.raises(AssertionError):
        read_answers(bad, head=False, gone=True)


def test_a_client_sees_what_was_cut_short() -> None:
    """HTTP-13: an answer without its end is not whole; one that ends with its connection is."""
    head = b"HTTP/1.1 200 OK\r\n"
    for rest, whole in (
        (b"Content-Length: 5\r\n\r\nhalf", False),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", False),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n\r\n", True),
        (b"\r\nhalf", True),
    ):
        [got] = read_answers(head + rest, head=False, gone=True)
        assert (got.body, got.whole) == (b"half", whole)
