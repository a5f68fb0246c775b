"""What the tests of faults share: a configuration, an upstream, and gateways that are processes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from tests.support import tenant, unmeasured, write_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

KEY = "key-of-salon"
MONTH, PLACE, BURST = "month", "place", "burst"
PLACE_AMOUNT = 20
"""Bookings at one place in a month; the next one opens a case."""
BURST_AMOUNT = 5
"""Bookings of one address in a minute; after two refusals it is blocked."""
PATIENCE = 30.0

POLICY = f"""
title = "Fair use"
[packages.standard]
title = "Subscription"
[counts]
locations = "locations"
[meters.bookings]
unit  = "booking"
count = ["POST /locations/{{location}}/bookings"]
when  = "2xx"
[limits.{MONTH}]
meter  = "bookings"
scope  = "account"
amount = "1000000000"
window = "calendar month"
over   = "refuse"
[limits.{PLACE}]
meter  = "bookings"
scope  = "location"
amount = "{PLACE_AMOUNT}"
window = "calendar month"
over   = "case"
[limits.{BURST}]
meter  = "bookings"
scope  = "account, address"
amount = "{BURST_AMOUNT}"
window = "1 minute"
over   = "refuse"
then   = {{ after = "2 refusals in 1 minute", block = "account, address", for = "5 minutes", at_most = "1 hour" }}
[emergency]
allowed = ["block address", "throttle"]
"""  # noqa: E501

ANSWER = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def path_of(place: str) -> str:
    """Give where bookings at a place are made."""
    return f"/locations/{place}/bookings"


def configured(folder: Path, upstream: str, durability: str, store: str = "memory") -> Path:
    """Write a configuration of one account."""
    config = write_config(
        folder,
        upstream=upstream,
        policy=POLICY,
        tenants={"salon": tenant("salon", KEY)},
        response_timeout="20 seconds",
    )
    with (config / "gateway.toml").open("a") as settings:
        settings.write(f'[counters]\nstore = "{store}"\ndurability = "{durability}"\n')
    return config


def until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something holds, and fail when it does not come to."""
    if not came_true(holds, seconds):
        raise AssertionError(f"{what} did not happen in {seconds:.0f} seconds")


def came_true(holds: Callable[[], Any], seconds: float) -> bool:
    """Say whether something holds at last."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Upstream:
    """An API that accepts whatever it is asked, and counts it; it keeps its connections open."""

    def __init__(self) -> None:
        self.served = 0
        self.url = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(lambda: _Accepting(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._over.wait()
        server.close()

    def __enter__(self) -> Upstream:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE)


class _Accepting(asyncio.Protocol):
    """One connection to the API; its requests have no bodies."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._transport: Any = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        self._upstream.served += len(requests)
        self._transport.write(ANSWER * len(requests))


@dataclass(slots=True)
class Gateway:
    """`fairuse serve` in a process of its own; what it says goes to a file."""

    url: str
    process: subprocess.Popen[bytes]
    said: Path

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(PATIENCE) == -signal.SIGKILL

    def stop(self) -> int:
        """End it as an operator does, and give the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give what was logged under a name."""
        lines = [line for line in self.said.read_text().splitlines() if line.startswith("{")]
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def book(self, address: str, place: str = "centrum") -> httpx.Response:
        """Make a booking."""
        return httpx.post(
            self.url + path_of(place), headers=headers(address), trust_env=False, timeout=PATIENCE
        )

    def ready(self) -> bool:
        """Say whether it wants requests."""
        answer = httpx.get(self.url + "/fairuse/ready", trust_env=False, timeout=PATIENCE)
        return answer.status_code == 200

    def usage(self) -> Any:
        """Read the account's usage, once it can be looked up."""
        deadline = time.monotonic() + PATIENCE
        while (usage := self._asked())["limits"] is None and time.monotonic() < deadline:
            time.sleep(0.1)
        return usage

    def _asked(self) -> Any:
        answer = httpx.get(
            self.url + "/fairuse/usage",
            headers=headers("198.51.100.1"),
            trust_env=False,
            timeout=PATIENCE,
        )
        assert answer.status_code == 200
        return answer.json()

    def used(self, limit: str = MONTH, place: str = "") -> int:
        """Give what is used of a limit, at a place or altogether."""
        scope = {"location": place} if place else {}
        entries = self.usage()["limits"]
        found = [each for each in entries if (each["limit"], each["scope"]) == (limit, scope)]
        return int(found[0]["used"]) if found else 0


def headers(address: str) -> dict[str, str]:
    """Give what a request carries that comes from an address."""
    return {"x-api-key": KEY, "x-forwarded-for": address}


@contextmanager
def gateway(config: Path, wrap: Sequence[str] = (), name: str = "gateway") -> Iterator[Gateway]:
    """Run `fairuse serve` on any free port, wrapped in another command where one is given."""
    said = config.parent / f"{name}.log"
    said.write_text("")
    command = [sys.executable, "-m", "fairuse", "serve", "--config", str(config), "--port", "0"]
    with said.open("ab") as stderr:
        process = subprocess.Popen(
            [*wrap, *command], stdout=subprocess.DEVNULL, stderr=stderr, env=unmeasured()
        )
    try:
        yield Gateway(_listening(process, said), process, said)
    finally:
        process.kill()
        process.wait(PATIENCE)


def _listening(process: subprocess.Popen[bytes], said: Path) -> str:
    """Wait until a gateway listens, and give where."""

    def lines() -> list[str]:
        return [
            line for line in said.read_text().splitlines() if line.startswith("fairuse listens on ")
        ]

    until(lambda: lines() or process.poll() is not None, "a start")
    if not lines():
        raise AssertionError(said.read_text())
    return lines()[0].split()[3].rstrip(",")
