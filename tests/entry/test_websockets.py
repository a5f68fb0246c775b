"""WebSockets through the middleware: metered like any request, and closed where one is refused."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.stages.support import policy, used
from tests.support import NOON, SALON, call, mounted, told, write_config

from fairuse.base.websocket.cuttable import Cuttable
from fairuse.rules.blocks import Block

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


BLOCK = Block("203.0.113.9", "salon", "one", NOON, NOON + 900, 0)
CUT = {"code": 1008, "reason": "blocked: one"}


async def test_a_block_ends_what_the_app_has_open(tmp_path: Path, clock: ManualClock) -> None:
    """A30: the app hears that its client is gone, its client why, and its place is free by then."""
    async with echoing(tmp_path, clock, AT_ONCE) as fair:
        assert fair.service.pipeline is not None
        socket = Socket(fair)
        socket.tell(text="x")
        await socket.heard(3)
        fair.service.pipeline.blocks.add(BLOCK)
        assert await socket.heard(4) == {"type": "websocket.close", **CUT}
        assert (await used(fair))[0] == 0
        await socket.task


@pytest.mark.parametrize("waits", [True, False], ids=["waits", "says"])
async def test_an_app_that_never_listens_is_cut_short(
    tmp_path: Path, clock: ManualClock, *, waits: bool
) -> None:
    """A30: an app that only says something has nobody to say it to; one that waits is let."""
    let = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await let.wait()
        while not waits:
            await send({"type": "websocket.send", "text": "tick"})

    async with mounted(write_config(tmp_path, policy=AT_ONCE), app, clock) as fair:
        assert fair.service.pipeline is not None
        socket = Socket(fair)
        await socket.heard(1)
        fair.service.pipeline.blocks.add(BLOCK)
        assert await socket.heard(2) == {"type": "websocket.close", **CUT}
        let.set()
        await socket.task
        assert len(socket.said) == 2
        assert (await used(fair))[0] == 0


async def test_a_block_that_overtakes_a_handshake(tmp_path: Path, clock: ManualClock) -> None:
    """A30, F-24: it is refused before the app hears of it, though let in, and costs nothing."""
    config, app = write_config(tmp_path, policy=REQUESTS), Echo()
    settings = config / "gateway.toml"
    settings.write_text(settings.read_text() + '[counters]\ndurability = "strict"\n')
    async with mounted(config, app, clock) as fair:
        pipeline = fair.service.pipeline
        assert pipeline is not None
        socket = Socket(fair)
        async with asyncio.timeout(20):
            while not pipeline.cuts:  # noqa: ASYNC110
                await asyncio.sleep(0)
        pipeline.blocks.add(BLOCK)  # while what it counts is being written
        await socket.task
        assert socket.said == [{"type": "websocket.close", "code": 1008}]
        assert app.seen == 0
        assert await used(fair) == (0, 0)


async def test_one_that_is_refused_is_not_cut(tmp_path: Path, clock: ManualClock) -> None:
    """A30: to a client that the app has refused or left already nothing more is said."""
    for how in ("closes", "accepts"):
        async with echoing(tmp_path / how, clock, REQUESTS, Echo(how)) as fair:
            assert fair.service.pipeline is not None
            socket = Socket(fair)
            await socket.heard(1)
            socket.close()
            await asyncio.sleep(0)
            fair.service.pipeline.blocks.add(BLOCK)
            await socket.task
            assert len(socket.said) == 1


async def test_a_timeout_of_the_server_is_no_cut() -> None:
    """A30: what the server raises while an app listens, the app gets to see."""

    async def receive() -> Message:
        raise TimeoutError

    async def send(_message: Message) -> None:
        """Say nothing."""

    with pytest.raises(TimeoutError):
        await Cuttable(receive, send).receive()
