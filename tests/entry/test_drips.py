"""Two hundred clients that send a byte at a time, and a normal one beside them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.stages.support import policy
from tests.support import NOON, SALON, Front, Recorder, Served, write_config

from fairuse import Gateway
from fairuse.base.clock import ManualClock
from fairuse.entry import corked, deadlines
from fairuse.entry.protocol import bounded
from fairuse.rules.settings import Server, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.entry.protocol import HttpProtocol

pytestmark = pytest.mark.anyio

CLIENTS = 200
PAUSE = 0.02
POST = f"POST /pages HTTP/1.1\r\nHost: a\r\nX-API-Key: {SALON}\r\n"
BODY = f"{POST}Content-Length: 100000\r\n\r\n"
CHUNKS = f"{POST}Transfer-Encoding: chunked\r\n\r\nfffff\r\n"
PAGES = policy('count = ["POST /pages"]', amount="1", over="case")


def hurried() -> type[HttpProtocol]:
    """Give a protocol with short deadlines; not validated, so that they can be below a second."""
    settings = Settings(contact="mailto:a@b.example")
    server = Server().model_copy(update={"head_timeout": 0.5, "min_body_rate": 240})
    return bounded(settings.model_copy(update={"server": server}))


async def drip(port: int, number: int) -> bytes:
    """Send a byte at a time, of a head or of a body, until the gateway hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begin = ["POST /", POST + "X-Slow: ", BODY, CHUNKS][number % 4]
    reading = asyncio.ensure_future(reader.read())
    try:
        writer.write(begin.encode())
        while not reading.done():
            writer.write(b"x")
            await asyncio.wait([reading], timeout=PAUSE)
        return await reading
    finally:
        writer.transport.abort()


async def ask_on(client: httpx.AsyncClient, over: asyncio.Event) -> list[int]:
    """Ask one request after the other until all the others are gone, and once more."""
    answers = []
    last = False
    while not last:
        last = over.is_set()
        answer = await client.post("/pages", json={}, headers={"X-API-Key": SALON})
        answers.append(answer.status_code)
    return answers


async def test_a_normal_client_is_served_beside_many_slow_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-13 (many drips): 200 that drip heads and bodies are all cut, and hold nobody else up."""
    monkeypatch.setattr(deadlines, "GRACE_SECONDS", 0.5)
    # However busy this machine is, nobody is cut off before having read the answer.
    monkeypatch.setattr(corked, "LINGER_SECONDS", 60.0)
    clock, over = ManualClock(NOON), asyncio.Event()
    with Served(Recorder(), lifespan="off") as upstream:
        config = write_config(
            tmp_path, upstream=upstream.url, policy=PAGES, response_timeout="20 seconds"
        )
        gateway = Gateway(config, clock=clock, access_stream=None)
        server = Served(gateway, lifespan="on")
        server._server.config.http = hurried()
        with server, httpx.Client(base_url=server.url, trust_env=False) as reader:
            async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
                asking = asyncio.create_task(ask_on(client, over))
                async with asyncio.timeout(60):
                    cut = await asyncio.gather(*(drip(server.port, n) for n in range(CLIENTS)))
                over.set()
                answers = await asking
            assert {answer[:12] for answer in cut} == {b"HTTP/1.1 408"}
            assert set(answers) == {201}
            front = Front(server, gateway, clock, config, reader)
            [limit] = front.usage()["limits"]
            assert limit["used"] == len(answers)
