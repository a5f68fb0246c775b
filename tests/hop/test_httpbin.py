"""httpbin behind gunicorn answers the same, asked directly and through the gateway.

httpbin asks for a greenlet that is older than ours on Python 3.11, so it has an environment of its
own, which `make httpbin` makes.
"""

from __future__ import annotations

import socket
import subprocess
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.hop.cases import CASES, Case
from tests.support import SALON, front, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = Path(__file__).parents[2] / ".httpbin/bin/python"
SERVE = ["-m", "gunicorn", "--threads=4", "--keep-alive=75", "--no-control-socket", "httpbin:app"]
HOST = "api.example"
KEY = ("X-API-Key", SALON)
TOLD = (
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-Proto", "http"),
    ("X-Fairuse-Account", "salon"),
    ("X-Forwarded-Host", HOST),
)
"""What the gateway tells its upstream; told in person too, so that echoes are the same bytes."""
EACH_HOP = {"date", "connection", "keep-alive", "transfer-encoding"}
OURS = {"x-request-id", "ratelimit", "ratelimit-policy"}
NO_LENGTH = {204, 304}
"""Answers without a body, whose length the gateway leaves out."""


class Answer(NamedTuple):
    """What came back, in an order that doesn't matter."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes


class Pair(NamedTuple):
    """Two connections that are kept alive: one to httpbin, one to the gateway with its own Via."""

    direct: HTTPConnection
    through: HTTPConnection
    via: str


@contextmanager
def _httpbin() -> Iterator[int]:
    """Run httpbin, and give its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        command = [str(PYTHON), *SERVE, f"--bind=fd://{number}"]
        with subprocess.Popen(command, pass_fds=(number,), stderr=subprocess.DEVNULL) as process:
            try:
                yield listener.getsockname()[1]
            finally:
                process.terminate()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Connect to httpbin and to the gateway in front of it."""
    if not PYTHON.exists():
        pytest.skip("httpbin is not installed; install it with: make httpbin")
    folder = tmp_path_factory.mktemp("httpbin")
    with _httpbin() as port:
        config = write_config(
            folder, upstream=f"http://127.0.0.1:{port}", response_timeout="20 seconds"
        )
        with (
            front(config) as gateway,
            closing(HTTPConnection("127.0.0.1", port, timeout=20)) as direct,
            closing(HTTPConnection("127.0.0.1", gateway.server.port, timeout=20)) as through,
        ):
            via = gateway.gateway._forward.via.line("1.1")[1].decode()
            yield Pair(direct, through, via)


def _ask(connection: HTTPConnection, case: Case, *more: tuple[str, str]) -> Answer:
    """Send a request as it is written, and read the whole answer."""
    connection.putrequest(case.method, case.target, skip_host=True, skip_accept_encoding=True)
    chunked = isinstance(case.body, tuple)
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", len(case.body))
    for name, value in (("Host", HOST), KEY, *case.fields, *more):
        connection.putheader(name, value)
    if case.body:
        connection.putheader(*framing)
    connection.endheaders(case.body or None, encode_chunked=chunked)
    answer = connection.getresponse()
    fields = [(name.lower(), value) for name, value in answer.getheaders()]
    left_out = EACH_HOP | OURS | ({"content-length"} if answer.status in NO_LENGTH else set())
    kept = sorted(field for field in fields if field[0] not in left_out)
    return Answer(answer.status, kept, answer.read())


def test_enough_is_asked() -> None:
    """HTTP-36: at least a hundred requests, each different."""
    assert len(set(CASES)) == len(CASES) >= 100


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_answer_is_the_same_through_the_gateway(pair: Pair, case: Case) -> None:
    """HTTP-3, HTTP-6 to HTTP-10, HTTP-21, HTTP-33, HTTP-36, HTTP-42 to HTTP-44: nothing differs."""
    told = (*TOLD, ("Via", pair.via))
    assert _ask(pair.through, case) == _ask(pair.direct, case, *told)
