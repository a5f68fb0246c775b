"""What the tests of the stages share: upstreams of any kind behind a gateway on real sockets."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from tests.support import SALON, Served, call, front, mounted, told, write_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send
    from tests.support import Front, Reply

    from fairuse import FairUse, Gateway
    from fairuse.base.clock import ManualClock

KEY = f"Host: api.example\r\nX-API-Key: {SALON}\r\n"
HEAD = f"{KEY}Connection: close\r\n"


def policy(
    meter: str,
    *,
    amount: str = "10",
    window: str = "calendar month",
    over: str = "refuse",
    more: str = "",
) -> str:
    """Write a policy of one meter, which `POST /pages` moves, with one limit on it."""
    count = "" if "count" in meter else 'count = ["POST /pages"]'
    return f"""
title = "Fair use"
[packages.standard]
title = "Subscription"
[counts]
locations = "locations"
[meters.m]
unit = "page"
{count}
{meter}
[limits.one]
meter  = "m"
amount = "{amount}"
window = "{window}"
over   = "{over}"
{more}
"""


@contextmanager
def before(
    app: Any, folder: Path, response_timeout: str = "2 seconds", rules: str | None = None
) -> Iterator[Front]:
    """Run the gateway before an upstream app."""
    with Served(app, lifespan="off") as upstream:
        config = write_config(
            folder, upstream=upstream.url, response_timeout=response_timeout, policy=rules
        )
        with front(config) as running:
            yield running


@contextmanager
def before_bytes(answer: bytes, folder: Path, rules: str | None = None) -> Iterator[Front]:
    """Run the gateway before an upstream that sends these bytes and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_all() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

    thread = threading.Thread(target=answer_all)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with front(write_config(folder, upstream=url, policy=rules)) as running:
            yield running
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)


def exchange(port: int, request: str) -> bytes:
    """Send raw bytes and read until the other side hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request.encode("latin-1"))
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received


async def pages(
    fair: FairUse,
    body: bytes = b"",
    *,
    headers: list[tuple[bytes, bytes]] | None = None,
    chunk: int = 100_000,
) -> Reply:
    """Ask a mounted app for pages."""
    pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)] or [b""]
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    return await call(fair, path="/pages", headers=headers, body=messages)


async def used(fair: FairUse | Gateway, limit: str = "one") -> tuple[float, float]:
    """Give what the usage page says of a limit: what is used, and what was written down."""
    body = (await call(fair, "GET", "/fairuse/usage")).json()
    [entry] = [entry for entry in body["limits"] if entry["limit"] == limit]
    ledger = await told(fair.service)
    return entry["used"], sum((await ledger.usage("salon")).values())


class Held:
    """An app that answers each request when it is let, and as it is told to."""

    def __init__(self, status: int = 201) -> None:
        self.status = status
        self.waiting: list[asyncio.Event] = []
        self.fails = False

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        let = asyncio.Event()
        self.waiting.append(let)
        await let.wait()
        if self.fails:
            raise ZeroDivisionError
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def has(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(20):
            while len(self.waiting) < count:  # noqa: ASYNC110
                await asyncio.sleep(0)


@asynccontextmanager
async def held(
    folder: Path, clock: ManualClock, rules: str, count: int = 1, app: Held | None = None
) -> AsyncIterator[tuple[FairUse, Held, list[asyncio.Task[Reply]]]]:
    """Have so many requests under way."""
    app = app or Held()
    async with mounted(write_config(folder, policy=rules), app, clock) as fair:
        tasks = [asyncio.create_task(pages(fair)) for _ in range(count)]
        await app.has(count)
        yield fair, app, tasks
        for let in app.waiting:
            let.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def cases(fair: FairUse) -> list[int]:
    """Give the readings of the notices that opened cases."""
    ledger = await told(fair.service)
    assert len(await ledger.cases("salon")) == len(await ledger.notices("salon"))
    return [notice.reading for notice in await ledger.notices("salon")]
