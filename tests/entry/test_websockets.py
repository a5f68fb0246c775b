"""WebSockets through the middleware: metered like any request, and closed where one is refused."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.stages.support import policy, used
from tests.support import SALON, call, mounted, told, write_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send
    from tests.support import Recorder

    from fairuse import FairUse
    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio

ROUTE = 'count = ["GET /ws"]\n'
BYTES = policy(ROUTE + 'measure = "bytes"', amount="1000", over="case")
IN = policy(ROUTE + 'measure = "bytes in"', amount="1000", over="case")
OUT = policy(ROUTE + 'measure = "bytes out"', amount="1000", over="case")
SECONDS = policy(ROUTE + 'measure = "seconds open"', amount="100", over="case")
AT_ONCE = policy(ROUTE + 'measure = "in flight"', amount="1", window="always")
REQUESTS = policy(ROUTE, amount="2")


class Socket:
    """A client's side of a WebSocket."""

    def __init__(self, fair: FairUse, key: str = SALON, address: str = "203.0.113.9") -> None:
        self.said: list[Message] = []
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        self._told.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket",
            "path": "/ws",
            "raw_path": b"/ws",
            "http_version": "1.1",
            "headers": [(b"host", b"a"), (b"x-api-key", key.encode())],
            "client": (address, 1),
        }
        self._changed = asyncio.Event()
        self.task = asyncio.ensure_future(fair(scope, self._told.get, self._send))

    async def _send(self, message: Message) -> None:
        self.said.append(message)
        self._changed.set()

    def tell(self, **message: Any) -> None:
        """Send something."""
        self._told.put_nowait({"type": "websocket.receive", **message})

    def close(self) -> None:
        """Hang up."""
        self._told.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def heard(self, count: int) -> Message:
        """Wait for so many messages, and give the last one."""
        async with asyncio.timeout(20):
            while len(self.said) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.said[count - 1]


class Echo:
    """An app that accepts and says everything twice, unless it is told not to."""

    def __init__(self, how: str = "accepts") -> None:
        self.how = how
        self.seen = 0

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Live one WebSocket through."""
        self.seen += 1
        assert (await receive())["type"] == "websocket.connect"
        if self.how == "closes":
            await send({"type": "websocket.close", "code": 1000})
            return
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            if self.how == "raises":
                raise ZeroDivisionError
            echo = {name: value for name, value in message.items() if name != "type"}
            for _ in range(2):
                await send({"type": "websocket.send", **echo})


@asynccontextmanager
async def echoing(
    folder: Path, clock: ManualClock, rules: str, app: Echo | None = None
) -> AsyncIterator[FairUse]:
    """Mount the app with a policy."""
    async with mounted(write_config(folder, policy=rules), app or Echo(), clock) as fair:
        yield fair


@pytest.mark.parametrize(("rules", "size"), [(IN, 11), (OUT, 22), (BYTES, 33)])
async def test_bytes_count_both_ways(
    tmp_path: Path, clock: ManualClock, rules: str, size: int
) -> None:
    """C01: text counts as the bytes it is on the wire, and binary messages as they are."""
    async with echoing(tmp_path, clock, rules) as fair:
        socket = Socket(fair)
        socket.tell(text="h\u00e9llo")
        socket.tell(bytes=b"\x00\x01\x02\x03\x04", text=None)
        socket.tell(text="")
        await socket.heard(7)
        socket.close()
        await socket.task
        assert await used(fair) == (size, size)


async def test_seconds_count_while_it_is_open(tmp_path: Path, clock: ManualClock) -> None:
    """B08: a connection that is left open counts minute by minute, and opens its case meanwhile."""
    async with echoing(tmp_path, clock, SECONDS) as fair:
        socket = Socket(fair)
        await socket.heard(1)
        for minute in (1, 2):
            clock.advance(60)
            assert fair.service.pipeline is not None
            fair.service.pipeline.settle_lasting()
            assert await used(fair) == (60 * minute, 60 * minute)
        assert len(await (await told(fair.service)).cases("salon")) == 1
        clock.advance(5)
        socket.close()
        await socket.task
        assert await used(fair) == (125, 125)


@pytest.mark.parametrize("how", ["accepts", "closes", "raises", "is cancelled"])
async def test_its_place_is_free_once_it_is_over(
    tmp_path: Path, clock: ManualClock, how: str
) -> None:
    """E11, F-46: a second connection is closed before it opens, until the first one has ended."""
    app = Echo(how)
    async with echoing(tmp_path, clock, AT_ONCE, app) as fair:
        first = Socket(fair)
        await first.heard(1)
        if how != "closes":
            refused = Socket(fair)
            await refused.task
            assert refused.said == [{"type": "websocket.close", "code": 1008}]
            assert app.seen == 1
            assert (await used(fair))[0] == 1
        if how == "is cancelled":
            first.task.cancel()
        elif how == "raises":
            first.tell(text="x")
        else:
            first.close()
        await asyncio.wait([first.task])
        assert (await used(fair))[0] == 0
        second = Socket(fair)
        assert (await second.heard(1))["type"] != "websocket.close" or how == "closes"
        second.close()
        await asyncio.wait([second.task])


@pytest.mark.parametrize(("how", "counted"), [("accepts", 1), ("closes", 0)])
async def test_what_the_app_does_not_accept_is_given_back(
    tmp_path: Path, clock: ManualClock, how: str, counted: int
) -> None:
    """E37 (as 5xx): a handshake that the app refuses costs nothing, an accepted one counts."""
    async with echoing(tmp_path, clock, REQUESTS, Echo(how)) as fair:
        socket = Socket(fair)
        await socket.heard(1)
        socket.close()
        await socket.task
        assert await used(fair) == (counted, counted)


async def test_over_a_hard_limit_it_is_closed_before_it_opens(
    tmp_path: Path, clock: ManualClock
) -> None:
    """F-24: the third of two connections a month never reaches the app, and counts nothing."""
    app = Echo()
    async with echoing(tmp_path, clock, REQUESTS, app) as fair:
        for _ in range(2):
            socket = Socket(fair)
            await socket.heard(1)
            socket.close()
            await socket.task
        for _ in range(3):
            refused = Socket(fair)
            await refused.task
            assert refused.said == [{"type": "websocket.close", "code": 1008}]
        assert app.seen == 2
        assert await used(fair) == (2, 2)


async def test_a_blocked_address_gets_no_connection(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A29, P3: where an account is blocked at an address its WebSockets are closed there, too."""
    echo = Echo()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (echo if scope["type"] == "websocket" else recorder)(scope, receive, send)

    async with mounted(config, app, clock) as fair:
        assert [(await call(fair)).status for _ in range(81)][-1] == 403
        refused, other = Socket(fair), Socket(fair, address="198.51.100.7")
        await refused.task
        assert refused.said == [{"type": "websocket.close", "code": 1008}]
        assert (await other.heard(1))["type"] == "websocket.accept"
        other.close()
        await other.task
