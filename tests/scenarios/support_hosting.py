"""A hosting service: a shop on shared hosting, and nine others on the same package."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.scenarios.support import contract, iso, key_of, tell

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from fairuse import FairUse

SHOP = "shop"
OTHERS = [f"site-{number}" for number in range(1, 10)]
MB = 10**6
SHARED = "[packages.shared]"
_numbers = count()


def sharing(**packages: str) -> dict[str, str]:
    """Give the contracts of ten accounts on shared hosting, or on other packages by name."""
    accounts = dict.fromkeys([SHOP, *OTHERS], SHARED) | packages
    return {name: contract(name, "hosting", package) for name, package in accounts.items()}


async def move(fair: FairUse, traffic: dict[str, int], when: str) -> None:
    """Have it told how many bytes accounts moved outside of the gateway."""
    reply = await tell(fair, [measured(account, units, when) for account, units in traffic.items()])
    assert (reply.status, reply.json()["counted"]) == (200, len(traffic))


def measured(account: str, traffic: int, when: str) -> dict[str, Any]:
    """Give the event of bytes that were measured."""
    return {
        "specversion": "1.0",
        "id": f"traffic-{next(_numbers)}",
        "source": "/panel",
        "type": "traffic.measured",
        "subject": account,
        "time": iso(when),
        "data": {"bytes": traffic},
    }


@dataclass(slots=True)
class Files:
    """An app that streams so many chunks of so many bytes, whatever it is asked."""

    chunks: int = 1
    chunk: bytes = bytes(MB)
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, once its body was read."""
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body", False):
            pass
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [*self.headers],
            }
        )
        for _ in range(self.chunks):
            await send({"type": "http.response.body", "body": self.chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


@dataclass(slots=True)
class Client:
    """A client that keeps no bytes, and hangs up once it was sent as many as it wanted."""

    wants: float = float("inf")
    body: list[bytes] = field(default_factory=list)
    status: int = 0
    headers: tuple[bytes, ...] = ()
    received: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> None:
        """Take one message of an answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = tuple(name for name, _ in message["headers"])
        self.received += len(message.get("body", b""))
        if self.received >= self.wants:
            self.gone.set()

    async def receive(self) -> Message:
        """Give the body, piece by piece, and after it the end of the connection."""
        if self.body:
            piece = self.body.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self.body)}
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def fetch(
    app: ASGIApp, method: str = "GET", account: str = SHOP, *, client: Client | None = None
) -> Client:
    """Send one request of an account, and give what its client saw of the answer."""
    client = client or Client()
    headers = [(b"host", b"api.example"), (b"x-api-key", key_of(account).encode())]
    if client.body:
        headers.append((b"content-length", str(sum(map(len, client.body))).encode()))
    else:
        client.body = [b""]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/film.mp4",
        "raw_path": b"/film.mp4",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("203.0.113.9", 40_000),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, client.receive, client.send)
    return client
