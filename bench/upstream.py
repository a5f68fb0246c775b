"""A slow upstream: `python upstream.py PORT SECONDS BODY` gives every request the same answer."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import uvloop

BACKLOG = 1_024


class Slow(asyncio.Protocol):
    """One connection: each request is answered so many seconds after its end."""

    _transport: asyncio.Transport

    def __init__(self, seconds: float, answer: bytes) -> None:
        self._seconds = seconds
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer on."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Have the answer sent later."""
        self._loop.call_later(self._seconds, self._transport.write, self._answer)


async def serve(port: int, seconds: float, body: str) -> None:
    """Serve until the process is stopped."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    answer = f"{head}\r\n{body}".encode()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Slow(seconds, answer), "127.0.0.1", port, backlog=BACKLOG
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
