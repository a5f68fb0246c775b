"""The paced load asks as often as it should, and measures from when a request was due."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bench.errors import BenchError
from bench.paced import Latency
from bench.proxies import DIRECT, NGINX
from bench.rounds import Measurement

from bench import latency, load, paced, servers, slow, upstream

ANSWER_SECONDS = 0.05


@pytest.fixture
def slow_server() -> Iterator[servers.Server]:
    """Serve what takes a twentieth of a second."""
    port = servers.free_port()
    command = [sys.executable, upstream.__file__, str(port), str(ANSWER_SECONDS), "hello"]
    server = servers.Server("slow", f"http://127.0.0.1:{port}/")
    with subprocess.Popen(command) as process:
        try:
            while not servers.serves(server):
                assert process.poll() is None
                time.sleep(0.05)
            yield server
        finally:
            process.terminate()


def test_every_request_is_measured(slow_server: servers.Server) -> None:
    """As many as there should be, none of them faster than the server is."""
    measured = paced.run(slow_server, seconds=0.5, rate=100, keys=3)
    assert measured.requests == 50
    assert ANSWER_SECONDS * 1_000 <= measured.p50_ms <= measured.p99_ms


def test_waiting_for_a_connection_counts(slow_server: servers.Server) -> None:
    """Of 32 connections each answers 20 times a second: at more, requests wait for one."""
    measured = paced.run(slow_server, seconds=0.5, rate=1_280, keys=1)
    assert measured.p99_ms >= 4 * ANSWER_SECONDS * 1_000


@pytest.mark.parametrize(
    ("status", "version", "problem"),
    [
        pytest.param(429, "HTTP/1.1", "it answered 429", id="refused"),
        pytest.param(200, "HTTP/1.0", "it closed a connection", id="closed"),
    ],
)
def test_what_is_not_measured_is_no_figure(status: int, version: str, problem: str) -> None:
    """A refusal would be a very fast answer, and connecting again is not what is measured."""
    with (
        answering(status, version) as server,
        pytest.raises(BenchError, match=f"odd, asked 200 times a second: {problem}"),
    ):
        paced.run(server, seconds=0.5, rate=200, keys=1)


@contextmanager
def answering(status: int, version: str) -> Iterator[servers.Server]:
    """Serve nothing but this status, in threads."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = version

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    with Server((servers.HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield servers.Server("odd", f"http://{servers.HOST}:{server.server_port}/")
        server.shutdown()
        thread.join()


def test_a_request_has_its_body_and_its_length() -> None:
    """It is what the other load sends."""
    server = servers.Server("any", "http://127.0.0.1:8080/a", method="POST", body="{}")
    text = paced.written(server, "some-key").decode()
    assert text.startswith("POST /a HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n")
    assert text.endswith("Content-Length: 2\r\n\r\n{}")
    assert "X-API-Key: some-key" in text


def test_what_a_proxy_adds_is_taken_round_by_round() -> None:
    """A round in which everything was slow adds no more than the others."""
    rows = latency.summary(
        {
            DIRECT: [latency.Sample(Latency(9, p50, p50 + 1), 0.1) for p50 in (1.0, 5.0, 2.0)],
            NGINX: [latency.Sample(Latency(9, p50, p50 + 4), 0.2) for p50 in (1.5, 5.5, 3.0)],
        }
    )
    assert [row["added_p50_ms"] for row in rows] == [0.0, 0.5]
    assert [row["added_p99_ms"] for row in rows] == [0.0, 3.5]
    assert {column.field for column in latency.COLUMNS} <= set(rows[1])


def test_what_is_served_is_a_share_of_what_is_possible() -> None:
    """It is compared with 512 requests in 200 ms, and with what the upstream itself served."""
    rows = slow.summary(
        {
            name: [Measurement(load.Load(served, 1.0, p50_ms=200.0, p99_ms=300.0), 1.0)]
            for name, served in ((DIRECT, 2_048), (NGINX, 1_024))
        }
    )
    assert [row[slow.SHARE] for row in rows] == [0.8, 0.4]
    assert [row[slow.SHARE_OF_DIRECT] for row in rows] == [1.0, 0.5]
    assert {column.field for column in slow.COLUMNS} <= set(rows[0])
