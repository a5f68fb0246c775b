"""Hops: gateways in a row pass a request on, and one that comes back to where it was is refused."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.stages.support import HEAD, before, exchange
from tests.stages.websockets import relay, upstream
from tests.support import Front, Recorder, Served, call, front, mounted, write_config
from websockets.exceptions import InvalidStatus

from fairuse.rules.hops import Via

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from fairuse.base.clock import ManualClock


class Detour:
    """An app that passes requests on to wherever it is told to, as a balancer does."""

    def __init__(self) -> None:
        self.to = ""
        self.passed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        self.passed += 1
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.request(
                scope["method"], self.to + scope["path"], headers=scope["headers"], content=body
            )
        headers = [(name.lower(), value) for name, value in answer.headers.raw]
        await send(
            {"type": "http.response.start", "status": answer.status_code, "headers": headers}
        )
        await send({"type": "http.response.body", "body": answer.content})


@pytest.mark.parametrize(("version", "told"), [("1.1", "1.1"), ("1.0", "1.0")])
def test_the_upstream_is_told_of_this_hop(
    tmp_path: Path, recorder: Recorder, version: str, told: str
) -> None:
    """HTTP-47, HTTP-40 (Via): ours comes after those before, with the version it came in."""
    request = f"GET / HTTP/{version}\r\n{HEAD}Via: 1.0 fred (a, b), 1.1 api.example\r\n\r\n"
    with before(recorder, tmp_path) as gateway:
        received = exchange(gateway.server.port, request)
        name = gateway.gateway._forward.via.line("1.1")[1].decode().split()[1]
    assert recorder.seen("via") == ["1.0 fred (a, b), 1.1 api.example", f"{told} {name}"]
    assert b"\r\nvia:" not in received.lower()


def test_a_request_that_comes_back_is_refused(tmp_path: Path) -> None:
    """HTTP-47 (loop): what comes back to its gateway is 508 after one turn, and is not counted."""
    detour = Detour()
    with before(detour, tmp_path, response_timeout="20 seconds") as gateway:
        detour.to = gateway.url
        refused = gateway.book(address="127.0.0.1")
        used = [entry["used"] for entry in gateway.usage(address="127.0.0.1")["limits"]]
    assert (refused.status_code, detour.passed, used) == (508, 1, [0, 0, 0, 0])
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["title"] == "This request goes round in a loop"


def _row(stack: ExitStack, last: str, folder: Path, length: int) -> list[Front]:
    """Run gateways, each before the next, and the last before something else."""
    row: list[Front] = []
    for number in range(length):
        url = row[-1].url if row else last
        config = write_config(folder / str(number), upstream=url, response_timeout="20 seconds")
        row.append(stack.enter_context(front(config)))
    return row


def test_gateways_can_stand_in_a_row(tmp_path: Path, recorder: Recorder) -> None:
    """HTTP-47 (in a row): gateways of one kind are told apart, so a request passes all of them."""
    with ExitStack() as stack:
        last = stack.enter_context(Served(recorder, lifespan="off"))
        *_, first = _row(stack, last.url, tmp_path, 3)
        answer = first.book(address="127.0.0.1")
    assert answer.status_code == 201
    assert len(set(recorder.seen("via"))) == 3


def test_a_loop_over_several_gateways_ends(tmp_path: Path) -> None:
    """HTTP-47 (behind a balancer): a loop over several ends where it comes to the first again."""
    detour = Detour()
    with ExitStack() as stack:
        last = stack.enter_context(Served(detour, lifespan="off"))
        *_, first = _row(stack, last.url, tmp_path, 3)
        detour.to = first.url
        assert first.book(address="127.0.0.1").status_code == 508
    assert detour.passed == 1


@pytest.mark.anyio
async def test_a_handshake_that_comes_back_is_refused(tmp_path: Path) -> None:
    """HTTP-47 (WebSocket): a handshake tells of the hop, too, and ends with 508 where it loops."""
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        async with gateway.connect():
            asked = (await server.next()).request
        assert asked is not None
        [via] = asked.headers.get_all("Via")
        with pytest.raises(InvalidStatus) as refused:
            await gateway.connect(additional_headers=[("Via", via)])
        assert refused.value.response.status_code == 508


@pytest.mark.anyio
async def test_an_app_is_no_hop(config: Path, clock: ManualClock, recorder: Recorder) -> None:
    """HTTP-47 (middleware): within the process nothing is counted down, and no hop is added."""
    async with mounted(config, recorder, clock) as fair:
        await call(fair, "OPTIONS", headers=[(b"max-forwards", b"0"), (b"via", b"1.1 a")])
    assert (recorder.seen("max-forwards"), recorder.seen("via")) == (["0"], ["1.1 a"])


def test_a_gateway_knows_its_own_name() -> None:
    """HTTP-47: it is found on any line and at any place, whatever stands around it."""
    via = Via("fairuse-0123abcd")
    assert via.names_us([b"1.0 fred", b"2.0 x, 1.1 fairuse-0123abcd (us), 1.1 y"])
    assert not via.names_us([b"1.1 fairuse-0123abce"])
    assert not via.names_us([])
