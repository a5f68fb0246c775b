"""Handshakes of WebSockets: what the upstream is asked, and what the client is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.stages.support import policy
from tests.stages.websockets import relay, upstream

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

pytestmark = pytest.mark.anyio

REQUESTS = policy('count = ["GET /ws"]', amount="100")


async def test_what_hops_agree_on_is_not_passed_on(tmp_path: Path) -> None:
    """HTTP-46: each hop has a key of its own, and neither compresses, whatever is offered."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port) as gateway,
        gateway.connect(compression="deflate") as client,
    ):
        asked, sent = (await server.next()).request, client.request
        assert asked is not None
        assert sent is not None
        assert client.response is not None
        assert "permessage-deflate" in sent.headers["Sec-WebSocket-Extensions"]
        assert "Sec-WebSocket-Extensions" not in asked.headers
        assert "Sec-WebSocket-Extensions" not in client.response.headers
        assert asked.headers["Sec-WebSocket-Key"] != sent.headers["Sec-WebSocket-Key"]
        assert len(client.response.headers.get_all("Sec-WebSocket-Accept")) == 1
        assert len(client.response.headers.get_all("Date")) == 1


async def test_what_the_upstream_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP-2, HTTP-21, HTTP-36, HTTP-40: as with a request; targets and origins arrive as sent."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    headers = [
        ("Cookie", "a=b"),
        ("X-Forwarded-For", "203.0.113.9"),
        ("X_Forwarded_For", "198.51.100.1"),
        ("X-Fairuse-Account", "dentist"),
        ("X-Name", "caf\u00e9"),
    ]
    target = "/ws;v=1/%7Euser?a=%2F;b&&c=#"[:-1]
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        options: dict[str, Any] = {"origin": "https://app.example", "additional_headers": headers}
        async with gateway.connect(target, **options) as client:
            asked = (await server.next()).request
            assert asked is not None
            assert client.response is not None
            assert asked.path == target
            told = {name: asked.headers.get_all(name) for name in asked.headers}
            assert told["origin"] == ["https://app.example"]
            assert told["host"] == [gateway.url.removeprefix("ws://")]
            assert told["cookie"] == ["a=b"]
            assert told["x-name"] == ["caf\u00e9"]
            assert told["x-forwarded-for"] == ["203.0.113.9, 127.0.0.1"]
            assert told["x-forwarded-proto"] == ["http"]
            assert told["x-fairuse-account"] == ["salon"]
            assert told["x-request-id"] == [client.response.headers["x-request-id"]]
            assert "x_forwarded_for" not in told


async def test_the_answers_fields_arrive(tmp_path: Path) -> None:
    """HTTP-45: cookies that the upstream sets in its answer reach the client, and are not kept."""

    def add(_connection: ServerConnection, _request: Request, response: Response) -> None:
        response.headers["Set-Cookie"] = "a=1"
        response.headers["Set-Cookie"] = "b=2"

    async with upstream(process_response=add) as server, relay(tmp_path, server.port) as gateway:
        for _ in range(2):
            async with gateway.connect() as client:
                asked = (await server.next()).request
                assert asked is not None
                assert "cookie" not in asked.headers
                assert client.response is not None
                assert client.response.headers.get_all("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(("status", "counted"), [(200, 1), (302, 0), (401, 0), (404, 0), (503, 0)])
async def test_the_upstream_refuses(tmp_path: Path, status: int, counted: int) -> None:
    """HTTP-45, E37: the client is refused as the upstream refused; only a 2xx counts."""

    def refuse(connection: ServerConnection, _request: Request) -> Response:
        response = connection.respond(status, "not today")
        response.headers["Location"] = "http://127.0.0.1:9/elsewhere"
        response.headers["X-Request-Id"] = "theirs"
        return response

    async with (
        upstream(process_request=refuse) as server,
        relay(tmp_path, server.port, REQUESTS) as gateway,
    ):
        refused = await gateway.handshake()
        assert (refused.status_code, refused.text) == (status, "not today")
        assert refused.headers["location"] == "http://127.0.0.1:9/elsewhere"
        assert len(refused.headers.get_list("x-request-id")) == 1
        assert refused.headers["x-request-id"] != "theirs"
        assert refused.headers.get_list("content-length") == ["9"]
        assert gateway.used_now() == counted


ANSWERS = {
    "no HTTP": b"hello\r\n\r\n",
    "nothing": b"",
    "no key": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
    "an early hint": b"HTTP/1.1 103 Early Hints\r\n\r\n",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_upstream_that_speaks_no_websocket(tmp_path: Path, answer: bytes) -> None:
    """HTTP-48: what is no answer to a handshake is a 502, that counts nothing and leaks nothing."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with relay(tmp_path, port, REQUESTS) as gateway:
            refused = await gateway.handshake()
            assert refused.status_code == 502
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.headers["cache-control"] == "no-store"
            assert "127.0.0.1" not in refused.text
            assert gateway.used_now() == 0


@pytest.mark.parametrize("header", ["Extensions: permessage-deflate", "Protocol: a", "Protocol: "])
async def test_an_upstream_that_agrees_to_what_nobody_asked(tmp_path: Path, header: str) -> None:
    """HTTP-46: an extension or a subprotocol that was not offered fails the handshake: 502."""

    def add(_connection: ServerConnection, _request: Request, response: Response) -> None:
        name, value = header.split(": ")
        response.headers[f"Sec-WebSocket-{name}"] = value

    async with upstream(process_response=add) as server, relay(tmp_path, server.port) as gateway:
        assert (await gateway.handshake()).status_code == 502


async def test_an_upstream_that_is_not_there(tmp_path: Path) -> None:
    """HTTP-48: nobody listens: 502."""
    async with upstream() as server:
        port = server.port
    async with relay(tmp_path, port, REQUESTS) as gateway:
        refused = await gateway.handshake()
        assert (refused.status_code, refused.json()["status"]) == (502, 502)
        assert gateway.used_now() == 0


async def test_an_upstream_that_does_not_answer(tmp_path: Path) -> None:
    """HTTP-48: a handshake that takes longer than `response_timeout`: 504."""

    async def hang(connection: ServerConnection, _request: Request) -> None:
        await connection.wait_closed()

    async with (
        upstream(process_request=hang) as server,
        relay(tmp_path, server.port, REQUESTS, "1 second") as gateway,
    ):
        assert (await gateway.handshake()).status_code == 504
        assert gateway.used_now() == 0


async def test_no_more_than_may_be_open(tmp_path: Path) -> None:
    """F-13: one more WebSocket than `upstream.max_connections` is refused with 503."""
    async with (
        upstream() as server,
        relay(tmp_path, server.port, upstream_more="max_connections = 1") as gateway,
    ):
        async with gateway.connect():
            assert (await gateway.handshake()).status_code == 503
        await gateway.over()
        async with gateway.connect():
            pass


async def test_several_origins_take_turns(tmp_path: Path) -> None:
    """HTTP-45: one origin that can't be reached leaves the handshake to the next."""
    async with upstream() as gone:
        port = gone.port
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        settings = gateway.front.config / "gateway.toml"
        one = f'"http://127.0.0.1:{server.port}"'
        text = settings.read_text().replace(one, f'["http://127.0.0.1:{port}", {one}]')
        settings.write_text(text)
        gateway.front.gateway.service.configuration.load()
        for _ in range(3):
            async with gateway.connect() as client:
                await client.send("x")
                assert await client.recv() == "x"


async def test_an_unknown_caller_is_told_so(tmp_path: Path) -> None:
    """HTTP-45: a handshake is refused like a request, and the upstream sees nothing of it."""
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        refused = await gateway.handshake(key="nobody")
        assert refused.status_code == 401
        assert refused.json()["rule"] == "unknown-caller"
        assert server.connections.empty()


@pytest.mark.parametrize(("status", "counted"), [(None, 1), (404, 0)])
async def test_a_client_that_does_not_wait(
    tmp_path: Path, status: int | None, counted: int
) -> None:
    """F-46: who hangs up before the upstream answers is counted as the upstream answers."""
    asked, let = asyncio.Event(), asyncio.Event()

    async def wait(connection: ServerConnection, _request: Request) -> Response | None:
        asked.set()
        await let.wait()
        return connection.respond(status, "") if status else None

    async with (
        upstream(process_request=wait) as server,
        relay(tmp_path, server.port, REQUESTS) as gateway,
    ):
        connecting = asyncio.ensure_future(gateway.connect().__aenter__())
        await asked.wait()
        connecting.cancel()
        await asyncio.wait([connecting])
        let.set()
        assert await gateway.used() == counted


async def test_a_client_that_does_not_wait_for_what_is_not_counted(tmp_path: Path) -> None:
    """F-46: where nothing is counted the upstream's side is closed at once."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def wait(connection: ServerConnection, _request: Request) -> None:
        asked.set()
        await connection.wait_closed()
        gone.set()

    async with upstream(process_request=wait) as server, relay(tmp_path, server.port) as gateway:
        connecting = asyncio.ensure_future(gateway.connect().__aenter__())
        await asked.wait()
        connecting.cancel()
        await asyncio.wait([connecting])
        async with asyncio.timeout(20):
            await gone.wait()
        await gateway.over()
