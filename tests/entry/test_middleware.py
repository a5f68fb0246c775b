"""The middleware's own duties: living with any app and any server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import SALON, Recorder, call, mounted, write_config

from fairuse import FairUse, Gateway

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from fairuse.base.clock import ManualClock

pytestmark = pytest.mark.anyio


async def lifespan(app: ASGIApp) -> list[Message]:
    """Live an app's life through, and give what it said."""
    said: list[Message] = []
    told: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Message:
        return told.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    return said


class Living:
    """An app with a lifespan of its own."""

    def __init__(self, fail: str = "") -> None:
        self.fail = fail
        self.lived: list[str] = []

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Live, or fail where told to."""
        for part in ("startup", "shutdown"):
            await receive()
            self.lived.append(part)
            if part == self.fail:
                raise RuntimeError(part)
            await send({"type": f"lifespan.{part}.complete"})


COMPLETE = [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]


async def test_it_starts_before_the_app_and_stops_after_it(config: Path) -> None:
    """The app's lifespan runs inside the service's, and both are lived through."""
    app = Living()
    fair = FairUse(app, config)
    assert await lifespan(fair) == COMPLETE
    assert app.lived == ["startup", "shutdown"]
    assert fair.service.pipeline is None


async def test_an_app_that_fails_to_stop_stops_the_service(config: Path) -> None:
    """An app's own failure reaches the server, and leaves no ledger open behind it."""
    fair = FairUse(Living(fail="shutdown"), config)
    with pytest.raises(RuntimeError, match="shutdown"):
        await lifespan(fair)
    assert fair.service.pipeline is None
    assert await lifespan(FairUse(Living(), config)) == COMPLETE


@pytest.mark.parametrize(
    ("says", "heard"),
    [
        (["startup.complete"], ["startup.complete", "shutdown.complete"]),
        (["startup.failed"], ["startup.failed"]),
        (["startup.complete", "shutdown.failed"], ["startup.complete", "shutdown.failed"]),
        ([], ["startup.complete", "shutdown.complete"]),
    ],
    ids=["returns early", "fails to start", "fails to stop", "says nothing"],
)
async def test_the_service_stops_whatever_the_app_says(
    config: Path, says: list[str], heard: list[str]
) -> None:
    """However an app lives its lifespan, the server hears an end and the service is stopped."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        for part in says:
            if not part.startswith("shutdown"):
                await receive()
            await send({"type": f"lifespan.{part}"})

    fair = FairUse(app, config)
    assert [message["type"] for message in await lifespan(fair)] == [f"lifespan.{h}" for h in heard]
    assert fair.service.pipeline is None


async def test_an_app_that_raises_at_its_start_is_lived_through(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An app that raises without an answer knows no lifespan, as servers take it; it is logged."""
    assert await lifespan(FairUse(Living(fail="startup"), config)) == COMPLETE
    assert "'app.knows_no_lifespan'" in caplog.text


async def test_an_app_without_a_lifespan_is_lived_through(config: Path) -> None:
    """An app that knows no lifespan, as Django's, is started and stopped all the same."""

    async def knows_none(scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError(scope["type"])

    assert await lifespan(FairUse(knows_none, config)) == COMPLETE


@pytest.mark.parametrize("build", [lambda path: FairUse(Recorder(), path), Gateway])
async def test_a_broken_configuration_fails_the_start(tmp_path: Path, build: Any) -> None:
    """A server is told why the start failed, finding by finding."""
    config = write_config(tmp_path)
    (config / "gateway.toml").write_text("x = 1\n")
    [failed] = await lifespan(build(config))
    assert failed["type"] == "lifespan.startup.failed"
    assert "gateway.toml: contact: is missing" in failed["message"]


async def test_without_a_lifespan_the_first_requests_start_it_once(
    config: Path, recorder: Recorder, clock: ManualClock
) -> None:
    """A server that sends no lifespan is served from the first request on, started once."""
    fair = FairUse(recorder, config, clock=clock)
    replies = await asyncio.gather(*(call(fair) for _ in range(20)))
    assert [reply.headers["ratelimit"].split(";")[1] for reply in replies] == [
        f"r={left}" for left in range(59, 39, -1)
    ]
    await fair.service.stop()
    await fair.service.stop()


async def test_an_app_that_raises_is_not_hidden(config: Path, clock: ManualClock) -> None:
    """The app's exception reaches the server as it was, and the units are given back."""

    async def raises(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError("from the app")

    async with mounted(config, raises, clock) as fair:
        with pytest.raises(KeyError, match="from the app"):
            await call(fair)
        usage = (await call(fair, "GET", "/fairuse/usage")).json()
        assert usage["limits"][0]["used"] == 0


async def connect(app: ASGIApp, key: str) -> list[str]:
    """Ask for a WebSocket, and give the types of what came back."""
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    headers = [(b"host", b"a"), (b"x-api-key", key.encode())]
    scope = {
        "type": "websocket",
        "path": "/ws",
        "raw_path": b"/ws",
        "http_version": "1.1",
        "headers": headers,
        "client": ("203.0.113.9", 1),
    }
    await app(scope, receive, send)
    return sent


async def test_a_websocket_needs_a_known_key(config: Path, clock: ManualClock) -> None:
    """A WebSocket of a known caller reaches the app; anybody else's is closed before it opens."""

    async def accepts(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})

    async with mounted(config, accepts, clock) as fair:
        assert await connect(fair, SALON) == ["websocket.accept"]
        assert await connect(fair, "wrong") == ["websocket.close"]
        await fair.service.stop()
        assert await connect(fair, SALON) == ["websocket.accept"]


async def test_other_scopes_go_to_the_app(config: Path) -> None:
    """Whatever is neither HTTP nor WebSocket nor lifespan is the app's own business."""
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Any:
        return {}

    await FairUse(app, config)({"type": "custom"}, nothing, nothing)
    assert seen == ["custom"]
