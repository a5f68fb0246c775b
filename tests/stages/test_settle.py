"""Settle: what the answer says a request cost, however it says it, and when it does not."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.stages.support import before, pages, policy, used
from tests.support import SALON, Recorder, call, mounted, write_config

from fairuse import Gateway
from fairuse.base.jsonfield import MAX_REQUEST
from fairuse.stages.forward import ToUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from fairuse.base.clock import ManualClock
    from fairuse.base.hop.upstream import Request, Target

HEADER = policy('cost = { response_header = "X-Pages", reserve = 2 }')
FIELD = policy('cost = { response_field = "job.pages", reserve = 2 }')
LIST = policy('cost = { response_field = "pages" }')

Headers = list[tuple[bytes, bytes]]
SAID: dict[str, tuple[str, Headers, bytes, int]] = {
    "E37 a header": (HEADER, [(b"x-pages", b"7")], b"", 7),
    "E37 a header in capitals": (HEADER, [(b"X-PAGES", b"7")], b"", 7),
    "E37 two headers, the last": (HEADER, [(b"x-pages", b"3"), (b"x-pages", b"7")], b"", 7),
    "E37 nothing generated": (HEADER, [(b"x-pages", b"0")], b"", 0),
    "no header": (HEADER, [], b"", 2),
    "a header that is no number": (HEADER, [(b"x-pages", b"seven")], b"", 2),
    "a negative header": (HEADER, [(b"x-pages", b"-7")], b"", 2),
    "E37 a field": (FIELD, [], b'{"job": {"id": 1, "pages": 7}}', 7),
    "E37 a list": (LIST, [], b'{"pages": [{"n": 1}, {"n": 2}]}', 2),
    "E37 the last of several events": (
        FIELD,
        [(b"content-type", b"text/event-stream")],
        b'data: {"job": {"pages": 3}}\n\ndata: {"job": {"pages": 7}}\n\ndata: [DONE]\n\n',
        7,
    ),
    "no field": (FIELD, [], b'{"pages": 7}', 2),
    "a field that is no number": (FIELD, [], b'{"job": {"pages": "seven"}}', 2),
    "no JSON": (FIELD, [], b"<html>", 2),
    "nothing at all": (FIELD, [], b"", 2),
    "JSON that breaks after it": (FIELD, [], b'{"job": {"pages": 7}} and', 7),
    "a huge answer": (
        FIELD,
        [],
        b'{"job": {"pages": 7}, "x": "' + b"x" * MAX_REQUEST * 2 + b'"}',
        7,
    ),
}


@pytest.mark.anyio
@pytest.mark.parametrize("case", SAID.values(), ids=SAID)
async def test_a_request_costs_what_its_answer_says(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, case: tuple[str, Headers, bytes, int]
) -> None:
    """E37, D05: the answer's header or field is the cost; what it does not say is as reserved."""
    rules, recorder.headers, recorder.body, cost = case
    async with mounted(write_config(tmp_path, policy=rules), recorder, clock) as fair:
        answer = await pages(fair)
        assert (answer.status, answer.body) == (201, recorder.body)
        assert await used(fair) == (cost, cost)


@pytest.mark.anyio
@pytest.mark.parametrize("rules", [HEADER, FIELD])
@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_what_failed_costs_nothing(
    tmp_path: Path, recorder: Recorder, clock: ManualClock, rules: str, status: int
) -> None:
    """E37: a generation that fails costs 0, whatever its answer says it cost."""
    recorder.status, recorder.headers = status, [(b"x-pages", b"7")]
    recorder.body = b'{"job": {"pages": 7}}'
    async with mounted(write_config(tmp_path, policy=rules), recorder, clock) as fair:
        assert (await pages(fair)).status == status
        assert await used(fair) == (0, 0)


@pytest.mark.anyio
async def test_an_answer_is_read_byte_by_byte(tmp_path: Path, clock: ManualClock) -> None:
    """E37: a cost is found in an answer that is streamed in single bytes, and passed on at once."""
    body = json.dumps({"job": {"pages": 7}, "more": "x" * 50}).encode()
    counts: list[int] = []

    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for byte in body:
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        counts.append(len(body))

    async with mounted(write_config(tmp_path, policy=FIELD), stream, clock) as fair:
        answer = await pages(fair)
        assert answer.body == body
        assert len(answer.messages) == 1 + len(body) + 1
        assert await used(fair) == (7, 7)


@pytest.mark.anyio
async def test_what_came_to_more_than_was_left_is_waited_for(
    tmp_path: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """E17 (ambiguity 2): a job that cost more than was left counts whole, the next waits."""
    rules = policy('cost = { response_header = "X-Pages" }', amount="5", window="1 minute")
    recorder.headers = [(b"x-pages", b"12")]
    async with mounted(write_config(tmp_path, policy=rules), recorder, clock) as fair:
        assert (await pages(fair)).status == 201
        refused = await pages(fair)
        assert (refused.status, refused.headers["retry-after"]) == (429, "60")
        assert (refused.json()["used"], refused.json()["amount"]) == (12, 5)
        clock.advance(60)
        assert (await pages(fair)).status == 201


def test_a_readable_answer_is_asked_for(tmp_path: Path, recorder: Recorder) -> None:
    """E37: where the cost stands in the answer's body, no client can have it compressed."""
    recorder.body = b'{"job": {"pages": 7}}'
    with before(recorder, tmp_path, rules=FIELD) as gateway:
        for path, asked in (("/pages", "identity"), ("/other", "gzip, br")):
            headers = {"X-API-Key": SALON, "Accept-Encoding": "gzip, br"}
            assert gateway.client.post(path, headers=headers).status_code == 201
            assert recorder.seen("accept-encoding") == [asked]
        assert gateway.usage()["limits"][0]["used"] == 7


def test_an_answer_that_is_compressed_all_the_same_costs_what_was_reserved(
    tmp_path: Path, recorder: Recorder
) -> None:
    """E37: a body that can't be read is passed on as it is, and costs what was reserved."""
    recorder.body = gzip.compress(b'{"job": {"pages": 7}}')
    recorder.headers = [(b"content-encoding", b"gzip")]
    with before(recorder, tmp_path, rules=FIELD) as gateway:
        answer = gateway.client.post("/pages", headers={"X-API-Key": SALON})
        assert answer.json() == {"job": {"pages": 7}}
        assert gateway.usage()["limits"][0]["used"] == 2


@pytest.mark.anyio
async def test_a_mounted_app_is_asked_for_a_readable_answer_too(
    tmp_path: Path, clock: ManualClock
) -> None:
    """E37: an app that compresses what it is asked to is not asked to, where its body says it."""

    async def answer(_request: object) -> JSONResponse:
        return JSONResponse({"job": {"pages": 7}, "more": "x" * 2_000}, status_code=201)

    app = Starlette(routes=[Route(path, answer, methods=["POST"]) for path in ("/pages", "/x")])
    app.add_middleware(GZipMiddleware)
    async with mounted(write_config(tmp_path, policy=FIELD), app, clock) as fair:
        plain = await pages(fair, headers=[(b"accept-encoding", b"gzip")])
        assert plain.json()["job"] == {"pages": 7}
        assert "content-encoding" not in plain.headers
        assert await used(fair) == (7, 7)


class Generating:
    """An upstream that begins to answer when the client is gone, in pieces."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.status = 201
        self.headers = [(b"x-pages", b"7")]
        self.whole = None
        self.read = 0

    async def send(self, _target: Target, request: Request) -> Generating:
        """Take a request, and wait until the client has left."""
        request.sent = True
        await self.gone.wait()
        await asyncio.sleep(0)
        return self

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the answer."""
        for piece in (b'{"job": {', b'"pages": 7', b"}}", *[b" "] * 1_000):
            for _turn in range(10):
                await asyncio.sleep(0)
            self.read += 1
            yield piece

    async def close(self) -> None:
        """End."""


@pytest.mark.anyio
@pytest.mark.parametrize("rules", [HEADER, FIELD])
async def test_who_does_not_wait_for_the_answer_pays_what_it_says(
    tmp_path: Path, clock: ManualClock, rules: str
) -> None:
    """F-46, E37: hanging up as soon as the request is sent is no way around what it costs."""
    upstream = Generating()
    gateway = Gateway(write_config(tmp_path, policy=rules), clock=clock, access_stream=None)
    gateway.service._forward = ToUpstream(lambda *_: upstream)
    await gateway.service.start()

    class Leaving(list[Any]):
        def pop(self, _index: object = 0) -> dict[str, str]:
            upstream.gone.set()
            return {"type": "http.disconnect"}

    await call(gateway, path="/pages", body=Leaving([{}]))
    assert await used(gateway) == (7, 7)
    assert upstream.read <= 4  # what comes after the cost is nobody's business any more
    await gateway.service.stop()
