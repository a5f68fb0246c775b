"""Forward, over real sockets: upstreams that fail and clients that leave end as promised."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from tests.stages.support import HEAD, KEY, before, before_bytes, exchange
from tests.support import APPOINTMENTS, SALON, front, write_config

from fairuse import Gateway
from fairuse.base.errors import (
    UpstreamBusy,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from fairuse.base.hangup import EXTENSION, HangUp
from fairuse.stages.forward import ToUpstream

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send
    from tests.support import Front

    from fairuse.base.clock import ManualClock
    from fairuse.base.hop.upstream import Request, Target

FAULTS = {
    "HTTP-13 a length cut short": (
        b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nhalf",
        b"201",
        b"half",
    ),
    "HTTP-13 a broken chunk": (
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz",
        b"201",
        b"half\r\n",
    ),
    "HTTP-48 no HTTP": (b"hello\r\n\r\n", b"502", b"}"),
    "HTTP-48 nothing": (b"", b"502", b"}"),
    "HTTP-38 a status above 599": (b"HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n", b"502", b"}"),
}


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_answer_never_ends_cleanly(
    tmp_path: Path, case: tuple[bytes, bytes, bytes]
) -> None:
    """HTTP-13, HTTP-38, HTTP-48, F-47: 502 before the head, an aborted connection after it."""
    answer, status, end = case
    with before_bytes(answer, tmp_path) as gateway:
        received = exchange(gateway.server.port, f"GET / HTTP/1.1\r\n{HEAD}\r\n")
    assert received.split()[1] == status
    assert received.endswith(end)
    assert b"127.0.0.1" not in received


def test_an_upstream_that_is_down_gives_the_units_back(tmp_path: Path) -> None:
    """HTTP-48, F-47: no connection is 502 problem details, and nothing is counted."""
    with front(write_config(tmp_path, upstream="http://127.0.0.1:9")) as gateway:
        refused = gateway.book()
        assert refused.status_code == 502
        assert refused.headers["content-type"] == "application/problem+json"
        assert "127.0.0.1" not in refused.text
        assert [entry["used"] for entry in gateway.usage()["limits"]] == [0, 0, 0, 0]


class Gate:
    """An upstream that says when it is asked, waits, and says how it ended."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answer = threading.Event()
        self.ended: list[str] = []
        self.over = threading.Event()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 201 once let, unless the other side has hung up."""
        while (await receive()).get("more_body"):
            pass
        self.asked.set()
        hung_up = asyncio.ensure_future(receive())
        let = asyncio.ensure_future(asyncio.to_thread(self.answer.wait, 20))
        await asyncio.wait((hung_up, let), return_when=asyncio.FIRST_COMPLETED)
        self.ended.append("hung up" if hung_up.done() else "answered")
        self.over.set()
        if not hung_up.done():
            await send({"type": "http.response.start", "status": 201, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
        self.answer.set()
        hung_up.cancel()
        await let


def test_an_upstream_that_takes_too_long_is_504(tmp_path: Path) -> None:
    """HTTP-48: no head in time is 504 problem details, the units given back."""
    gate = Gate()
    with before(gate, tmp_path) as gateway:
        assert gateway.book().status_code == 504
        assert gateway.usage()["limits"][0]["used"] == 0


def hang_up_after(gateway: Front, gate: Gate, request: str) -> None:
    """Send a request, wait until the upstream has it, and hang up."""
    with socket.create_connection(("127.0.0.1", gateway.server.port)) as connection:
        connection.sendall(request.encode())
        assert gate.asked.wait(20)


def test_a_client_that_hangs_up_ends_the_exchange(tmp_path: Path) -> None:
    """HTTP-30, HTTP-31: a client that leaves an unmetered request frees the upstream at once."""
    gate = Gate()
    with before(gate, tmp_path, response_timeout="1 day") as gateway:
        hang_up_after(gateway, gate, f"GET / HTTP/1.1\r\n{HEAD}\r\n")
        assert gate.over.wait(20)
    assert gate.ended == ["hung up"]


def test_hanging_up_early_is_no_way_to_use_the_api_uncounted(tmp_path: Path) -> None:
    """F-46 (settled once): what the API accepted counts, though the client did not wait for it."""
    gate = Gate()
    with before(gate, tmp_path) as gateway:
        hang_up_after(gateway, gate, f"POST {APPOINTMENTS} HTTP/1.1\r\n{KEY}\r\n")
        gate.answer.set()
        assert gate.over.wait(20)
        usage = gateway.usage()
    assert gate.ended == ["answered"]
    assert usage["limits"][0]["used"] == 1


class Left:
    """An upstream whose client hangs up, and what happens after that; `asked` says it was asked."""

    def __init__(self, error: type[UpstreamError] | None, *, sent: bool) -> None:
        self.gone = asyncio.Event()
        self.asked = False
        self._error = error
        self._sent = sent

    async def send(self, _target: Target, request: Request) -> None:
        """Fail a little later, or never have an answer."""
        self.asked = True
        request.sent = self._sent
        await self.gone.wait()
        for _turn in range(5):
            await asyncio.sleep(0)
        if self._error is None:
            await asyncio.Event().wait()
        else:
            raise self._error

    async def receive(self) -> Message:
        """Hang up."""
        self.gone.set()
        return {"type": "http.disconnect"}


async def counted_after(
    config: Path, clock: ManualClock, upstream: Left, **scope: object
) -> list[str]:
    """Give the limits in which a request is counted whose client left."""
    gateway = Gateway(config, clock=clock, access_stream=None)
    gateway.service._forward = ToUpstream(lambda *_: upstream)  # type: ignore[arg-type]
    pipeline = await gateway.service.start()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": APPOINTMENTS,
        "raw_path": APPOINTMENTS.encode(),
        "query_string": b"",
        "headers": [(b"host", b"a"), (b"x-api-key", SALON.encode())],
        "client": ("203.0.113.9", 1),
        **scope,
    }

    async def send(_message: Message) -> None:
        return

    async with asyncio.timeout(20):
        await pipeline.handle(scope, upstream.receive, send)
    readings = await pipeline.counters.read("salon", clock.now())
    assert not [task for task in asyncio.all_tasks() if "Event.wait" in repr(task)]
    await gateway.service.stop()
    return [reading.limit for reading in readings]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("sent", "counted"),
    [(False, []), (True, ["appointments-burst"])],
    ids=["not sent", "sent"],
)
@pytest.mark.parametrize("error", [UpstreamUnreachable, UpstreamBusy, UpstreamTimeout])
async def test_a_client_that_left_pays_for_nothing_the_upstream_never_got(
    config: Path, clock: ManualClock, error: type[UpstreamError], *, sent: bool, counted: list[str]
) -> None:
    """F-47: what never reached the upstream is given back, and nothing else, however it ended."""
    assert await counted_after(config, clock, Left(error, sent=sent)) == counted


@pytest.mark.anyio
async def test_a_client_that_leaves_before_its_turn_is_let_go(
    config: Path, clock: ManualClock
) -> None:
    """F-46, HTTP-30: who hangs up while waiting for a connection is neither served nor counted."""
    assert await counted_after(config, clock, Left(None, sent=False)) == []


@pytest.mark.anyio
async def test_the_upstream_is_not_asked_for_a_client_that_is_gone(
    config: Path, clock: ManualClock
) -> None:
    """F-46, HTTP-30: of who hung up before that, nothing is sent that would not be counted."""
    hangup, upstream = HangUp(), Left(None, sent=True)
    hangup.happen()
    extensions = {EXTENSION: hangup}
    assert await counted_after(config, clock, upstream, extensions=extensions) == []
    assert not upstream.asked


def test_breaking_off_is_no_way_around_a_burst(tmp_path: Path) -> None:
    """F-46: requests that never end their body are held against the burst, not the month."""
    seen = threading.Semaphore(0)

    async def accepts_early(_scope: Scope, _receive: Receive, send: Send) -> None:
        seen.release()
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    request = f"POST {APPOINTMENTS} HTTP/1.1\r\n{KEY}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
    with before(accepts_early, tmp_path) as gateway:
        for _ in range(60):
            with socket.create_connection(("127.0.0.1", gateway.server.port)) as connection:
                connection.sendall(request.encode())
                assert seen.acquire(timeout=20)
        while gateway.book(address="127.0.0.1").status_code != 429:
            pass
        month, account, _, burst = gateway.usage(address="127.0.0.1")["limits"]
    assert burst["used"] == 60
    assert month["used"] == account["used"] < 60
