"""WebSockets as the server in front takes them: hostile handshakes and clients, and what is left.

What is relayed, and how, tests/stages/test_relay_websocket.py shows.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest
from tests.stages.support import exchange, policy
from tests.stages.websockets import (
    HEAD,
    KEY,
    SCOPE,
    VERSION,
    Relay,
    masked,
    relay,
    shake_hands,
    upstream,
)
from tests.support import SALON, serving, write_config
from websockets.asyncio.client import connect

from fairuse import Gateway
from fairuse.base.clock import ManualClock
from fairuse.entry.websocket import MAX_FRAGMENTS, WebSocketProtocol

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request

pytestmark = pytest.mark.anyio

REQUESTS = policy('count = ["GET /ws"]', amount="1000")
MANY = "A: b\r\n" * 200
HOSTILE = {
    "not a GET": (f"POST /ws HTTP/1.1\r\n{HEAD}{KEY}{VERSION}\r\n", 405),
    "no key": (f"GET /ws HTTP/1.1\r\n{HEAD}{VERSION}\r\n", 400),
    "a short key": (f"GET /ws HTTP/1.1\r\n{HEAD}Sec-WebSocket-Key: AA==\r\n{VERSION}\r\n", 400),
    "two keys": (f"GET /ws HTTP/1.1\r\n{HEAD}{KEY}{KEY}{VERSION}\r\n", 400),
    "another version": (f"GET /ws HTTP/1.1\r\n{HEAD}{KEY}Sec-WebSocket-Version: 8\r\n\r\n", 400),
    "no ASCII": (f"GET /ws\xff HTTP/1.1\r\n{HEAD}{KEY}{VERSION}\r\n", 400),
    "many fields": (f"GET /ws HTTP/1.1\r\n{HEAD}{KEY}{VERSION}{MANY}\r\n", 431),
    "a long field": (f"GET /ws HTTP/1.1\r\n{HEAD}{KEY}{VERSION}A: {'b' * 9000}\r\n\r\n", 431),
    "two hosts": (f"GET /ws HTTP/1.1\r\nHost: b\r\n{HEAD}{KEY}{VERSION}\r\n", 400),
    "two readings": (f"GET /a/..%2fws HTTP/1.1\r\n{HEAD}{KEY}{VERSION}\r\n", 400),
}


@pytest.mark.parametrize(("request_", "status"), HOSTILE.values(), ids=HOSTILE)
async def test_a_handshake_that_is_none(tmp_path: Path, request_: str, status: int) -> None:
    """HTTP-45, HTTP-46, F-15: it is refused at once, reaches no upstream and counts nothing."""
    async with upstream() as server, relay(tmp_path, server.port, REQUESTS) as gateway:
        answer = await asyncio.to_thread(exchange, gateway.front.server.port, request_)
        assert answer.split(b" ")[1] == b"%d" % status
        assert answer.count(b"HTTP/1.1 ") == 1
        assert server.connections.empty()
        assert gateway.used_now() == 0


BODIES = ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]


@pytest.mark.parametrize("body", BODIES)
async def test_a_handshake_with_a_body(tmp_path: Path, body: str) -> None:
    """HTTP-46: it opens no WebSocket, and no framing of a body gets near one."""
    request = f"GET /ws HTTP/1.1\r\n{HEAD}{KEY}{VERSION}{body}"
    async with upstream() as server, relay(tmp_path, server.port, REQUESTS) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.front.server.port)) as connection:
            await asyncio.to_thread(connection.sendall, request.encode())
            answer = await asyncio.to_thread(connection.recv, 12)
        assert answer in {b"HTTP/1.1 400", b"HTTP/1.1 502"}
        assert server.connections.empty()
        assert gateway.used_now() == 0


async def test_a_client_that_closes_as_the_server_stops(tmp_path: Path) -> None:
    """F-49: a close that is under way keeps the server from nothing."""
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        client = await gateway.connect()

        async def close_and_stop() -> None:
            [protocol] = [
                each
                for each in gateway.front.server._server.server_state.connections
                if isinstance(each, WebSocketProtocol)
            ]
            protocol.data_received(masked(8, b"\x03\xe8"))
            protocol.shutdown()

        await gateway.run(close_and_stop())
        await client.wait_closed()
        assert client.close_code == 1000


async def test_a_server_that_can_only_close(tmp_path: Path) -> None:
    """HTTP-45: where the server in front knows no refusal but a close, it is closed."""
    async with upstream() as server:
        port = server.port
    config = write_config(tmp_path, upstream=f"http://127.0.0.1:{port}", policy=REQUESTS)
    gateway = Gateway(config, clock=ManualClock(0), access_stream=None)
    said: list[Any] = []
    told: asyncio.Queue[Any] = asyncio.Queue()
    told.put_nowait({"type": "websocket.connect"})

    async def send(message: Any) -> None:
        said.append(message)

    try:
        await gateway(SCOPE, told.get, send)
    finally:
        await gateway.service.stop()
    assert [message["type"] for message in said] == ["websocket.close"]


def read_all(connection: socket.socket) -> bytes:
    """Read until the gateway hangs up."""
    received = b""
    while chunk := connection.recv(65_536):
        received += chunk
    return received


async def test_fragments_without_end(tmp_path: Path) -> None:
    """F-13: empty fragments, that never add up to too large a message, end with 1009."""

    def send(gateway: Relay) -> bytes:
        with shake_hands(gateway) as connection:
            connection.sendall(masked(1, fin=False) + masked(0, fin=False) * (MAX_FRAGMENTS + 1))
            return read_all(connection)

    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        assert await asyncio.to_thread(send, gateway) == b"\x88\x14\x03\xf1too many fragments"
        connection = await server.next()
        await connection.wait_closed()


@pytest.mark.parametrize(
    "frame", [masked(1, b"\xff"), masked(3), masked(8, b"\x03\xed"), b"\x81\0"]
)
async def test_a_frame_that_is_none(tmp_path: Path, frame: bytes) -> None:
    """F-15: text that is no UTF-8, an opcode or a close code that is none, a frame unmasked."""

    def send(gateway: Relay) -> bytes:
        with shake_hands(gateway) as connection:
            connection.sendall(frame)
            return read_all(connection)

    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        answer = await asyncio.to_thread(send, gateway)
        assert answer[:1] == b"\x88"
        assert int.from_bytes(answer[2:4]) in {1002, 1007}
        await (await server.next()).wait_closed()
        await gateway.over()


async def test_neither_log_has_a_query_or_a_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F-52: the libraries that speak WebSocket log neither the query nor any header."""
    for name in ("websockets.client", "websockets.server", "httpcore", "httpx"):  # the test's own
        caplog.set_level(logging.WARNING, name)
    caplog.set_level(logging.DEBUG)
    async with upstream() as server, relay(tmp_path, server.port) as gateway:
        async with gateway.connect("/ws?token=secret") as client:
            await client.send("x")
            await client.recv()
        assert (await gateway.handshake("/ws?token=secret", key="nobody")).status_code == 401
    assert caplog.records
    assert "secret" not in caplog.text
    assert SALON not in caplog.text


async def test_a_server_that_stops_says_so(tmp_path: Path) -> None:
    """F-49: when the server drains both sides are told 1001, and nothing has to be cancelled."""
    async with upstream() as server:
        async with relay(tmp_path, server.port) as gateway:
            client = await gateway.connect()
            connection = await server.next()
        await client.wait_closed()
        await connection.wait_closed()
        assert (client.close_code, connection.close_code) == (1001, 1001)


async def test_a_server_that_stops_accepts_no_more(tmp_path: Path) -> None:
    """F-49: a handshake that the upstream has not answered is refused when the server drains."""
    asked = asyncio.Event()

    async def hang(connection: ServerConnection, _request: Request) -> None:
        asked.set()
        await connection.wait_closed()

    async with upstream(process_request=hang) as server:
        async with relay(tmp_path, server.port) as gateway:
            connecting = asyncio.create_task(gateway.handshake())
            await asked.wait()
        assert (await connecting).status_code == 503


async def test_a_gateway_as_it_is_served(tmp_path: Path) -> None:
    """F-49: `fairuse serve` relays, tells its clients 1001 when it is stopped, and exits with 0."""
    async with upstream() as server:
        config = write_config(tmp_path, upstream=f"http://127.0.0.1:{server.port}")
        running = serving(config)
        process = await asyncio.to_thread(running.__enter__)
        try:
            url = process.url.replace("http:", "ws:") + "/ws?token=secret"
            headers = {"X-API-Key": SALON}
            async with connect(url, additional_headers=headers, proxy=None) as client:
                await client.send("x")
                assert await client.recv() == "x"
                stopping = asyncio.create_task(asyncio.to_thread(process.stop))
                await client.wait_closed()
                assert client.close_code == 1001
            assert await stopping == 0
            [line] = process.requests()
            assert (line["path"], line["status"], line["sent_bytes"]) == ("/ws", 101, 1)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)
