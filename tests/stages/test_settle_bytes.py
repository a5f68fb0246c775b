"""Settle: bytes, over real sockets, as they really went over the wire."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from tests.stages.support import HEAD, KEY, before, before_bytes, exchange, policy
from tests.support import SALON, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send
    from tests.support import Front

MIB = 1_048_576
KEYS = {"X-API-Key": SALON}


def measuring(measure: str, over: str = "case", amount: str = "1 GiB") -> str:
    """Write a policy that counts bytes, whatever they are for."""
    return policy(f'measure = "{measure}"\ncount = ["* /**"]', amount=amount, over=over)


IN, OUT, BOTH = map(measuring, ("bytes in", "bytes out", "bytes"))


def readings(gateway: Front) -> Iterator[int]:
    """Give what is counted, again and again."""
    for _ in range(2_000):
        yield int(gateway.usage()["limits"][0]["used"])


def counted(gateway: Front, expected: int) -> int:
    """Give what was counted; an answer is settled right after the client has its last byte."""
    used = -1
    for used in readings(gateway):
        if used == expected:
            break
    return used


class Streaming:
    """An upstream that answers in chunks, for as long as it is let."""

    def __init__(self, chunks: int, size: int = MIB // 4) -> None:
        self.chunks = chunks
        self.size = size
        self.sent = 0
        self.over = threading.Event()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(self.chunks):
            body = b"x" * self.size
            await send({"type": "http.response.body", "body": body, "more_body": True})
            self.sent += self.size
        await send({"type": "http.response.body", "body": b""})
        self.over.set()


@pytest.mark.parametrize(("rules", "size"), [(OUT, 5 * MIB), (BOTH, 5 * MIB), (IN, 0)])
def test_a_streamed_answer_counts_byte_by_byte(tmp_path: Path, rules: str, size: int) -> None:
    """C01: 5 MiB that are streamed in chunks are 5 MiB on the meter, neither more nor less."""
    with before(Streaming(20), tmp_path, rules=rules) as gateway:
        assert len(gateway.client.get("/file", headers=KEYS).content) == 5 * MIB
        assert counted(gateway, size) == size


@pytest.mark.parametrize(("rules", "size"), [(IN, 11), (BOTH, 13), (OUT, 2)])
@pytest.mark.parametrize(
    "sent",
    [
        "Content-Length: 11\r\n\r\nhello world",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    ],
    ids=["with a length", "chunked"],
)
def test_an_upload_counts_its_content(
    tmp_path: Path, recorder: Recorder, rules: str, size: int, sent: str
) -> None:
    """C01: what is uploaded counts by its content, however it is framed; headers count nothing."""
    with before(recorder, tmp_path, rules=rules) as gateway:
        answer = exchange(gateway.server.port, f"PUT /file HTTP/1.1\r\n{HEAD}{sent}")
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert counted(gateway, size) == size


@pytest.mark.parametrize("status", [200, 206, 404, 500])
def test_bytes_count_whatever_the_answer(tmp_path: Path, recorder: Recorder, status: int) -> None:
    """C01: a part of a file, or an error page, went over the wire like any other answer."""
    recorder.status, recorder.body = status, b"0123456789"
    recorder.headers = [(b"content-range", b"bytes 0-9/100")]
    with before(recorder, tmp_path, rules=OUT) as gateway:
        assert gateway.client.get("/file", headers=KEYS).status_code == status
        assert counted(gateway, 10) == 10


def test_an_answer_without_a_body_counts_nothing(tmp_path: Path) -> None:
    """C01: HEAD says how long the body would be and sends none of it."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"
    with before_bytes(answer, tmp_path, rules=OUT) as gateway:
        exchange(gateway.server.port, f"HEAD /file HTTP/1.1\r\n{HEAD}\r\n")
        assert counted(gateway, 0) == 0


def test_an_answer_that_breaks_off_counts_what_was_sent(tmp_path: Path) -> None:
    """C01, HTTP-13: of an upstream that breaks off halfway the half that was sent counts."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    with before_bytes(answer, tmp_path, rules=OUT) as gateway:
        assert exchange(gateway.server.port, f"GET /file HTTP/1.1\r\n{HEAD}\r\n").endswith(b"half")
        assert counted(gateway, 4) == 4


def test_a_client_that_hangs_up_counts_what_it_was_sent(tmp_path: Path) -> None:
    """C01, F-46: an answer the client breaks off counts what went out, once, and is ended."""
    upstream = Streaming(100_000)
    with before(upstream, tmp_path, rules=OUT) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.server.port)) as connection:
            connection.sendall(f"GET /file HTTP/1.1\r\n{KEY}\r\n".encode())
            received = 0
            while received < 3 * MIB:
                received += len(connection.recv(65_536))
        assert upstream.over.wait(20)
        used = next(used for used in readings(gateway) if used > 1)  # 1 is reserved meanwhile
        assert 3 * MIB <= used <= upstream.sent
        assert counted(gateway, used) == used


def test_what_is_refused_counts_nothing(tmp_path: Path, recorder: Recorder) -> None:
    """C01, F-24: over a hard limit on bytes requests are refused, and refusals are not counted."""
    recorder.body = b"x" * 100
    rules = measuring("bytes out", over="refuse", amount="150")
    with before(recorder, tmp_path, rules=rules) as gateway:
        for status, used in ((201, 100), (201, 200), (429, 200), (429, 200)):
            assert gateway.client.get("/file", headers=KEYS).status_code == status
            assert counted(gateway, used) == used
    assert len(recorder.requests) == 2


def test_a_refusal_in_place_of_an_answer_counts_no_answer(tmp_path: Path) -> None:
    """C01, HTTP-48: where the upstream gave no answer, our own problem details are not traffic."""
    with before_bytes(b"", tmp_path, rules=OUT) as gateway:
        assert gateway.client.get("/file", headers=KEYS).status_code == 502
        assert counted(gateway, 0) == 0
