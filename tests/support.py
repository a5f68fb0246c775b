"""What the tests share: configurations, real servers in threads, and calls without a socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import uvicorn

from fairuse import FairUse, Gateway
from fairuse.base.clock import ManualClock
from fairuse.base.keys import fingerprint
from fairuse.entry.protocol import HttpProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from fairuse.entry.lifecycle import Service
    from fairuse.stores.ledger import Ledger

T = TypeVar("T")

REPOSITORY = Path(__file__).parent.parent
NOON = 1_793_620_800.0
"""2026-11-02 13:00 in Amsterdam, 12:00 UTC: well inside a month."""

SALON = "key-of-salon"
DENTIST = "key-of-dentist"
APPOINTMENTS = "/locations/centrum/appointments"


def tenant(account: str, key: str, extra: str = "", zone: str = "Europe/Amsterdam") -> str:
    """Write a tenant's file."""
    return (
        textwrap.dedent(f"""\
        policy   = "booking"
        timezone = "{zone}"
        contact  = ["mailto:{account}@customer.example"]
        [contract]
        since = 2019-03-01
        [packages.standard]
        locations = 10
        [keys]
        "{fingerprint(key.encode())}" = "{account}"
        """)
        + extra
    )


def write_config(
    folder: Path,
    *,
    upstream: str = "http://127.0.0.1:9",
    policy: str | None = None,
    tenants: dict[str, str] | None = None,
    addresses: str = 'trusted_proxies = ["127.0.0.0/8"]',
    response_timeout: str = "2 seconds",
) -> Path:
    """Write a configuration: the booking policy as it is shipped, and two tenants."""
    config = folder / "config"
    (config / "tenants").mkdir(parents=True)
    (config / "policies").mkdir()
    (config / "gateway.toml").write_text(
        textwrap.dedent(f"""\
        contact = "mailto:support@booking.example"
        [upstream]
        url = "{upstream}"
        response_timeout = "{response_timeout}"
        [identity]
        location = "/locations/{{location}}"
        [addresses]
        ADDRESSES
        [ledger]
        url = "sqlite:///{folder}/fairuse.db"
        """).replace("ADDRESSES", addresses)
    )
    shipped = (REPOSITORY / "config/policies/booking.toml").read_text()
    (config / "policies/booking.toml").write_text(policy or shipped)
    for name, text in (tenants or default_tenants()).items():
        (config / f"tenants/{name}.toml").write_text(text)
    return config


def default_tenants() -> dict[str, str]:
    """Give two tenants with an account each."""
    return {"salon": tenant("salon", SALON), "dentist": tenant("dentist", DENTIST)}


@dataclass(slots=True)
class Recorder:
    """An upstream that remembers what it was sent and answers as told."""

    status: int = 201
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b"{}"
    requests: list[tuple[Scope, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.requests.append((scope, body))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})

    def seen(self, name: str) -> list[str]:
        """Give the values of a header in the last request."""
        scope, _ = self.requests[-1]
        return [value.decode() for key, value in scope["headers"] if key == name.encode()]


@dataclass(slots=True)
class Reply:
    """What came back from a call without a socket."""

    status: int
    headers: dict[str, str]
    body: bytes
    messages: list[Message]

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


async def call(
    app: ASGIApp,
    method: str = "POST",
    path: str = APPOINTMENTS,
    *,
    key: str | None = SALON,
    address: str | None = "203.0.113.9",
    headers: list[tuple[bytes, bytes]] | None = None,
    body: list[Message] | None = None,
    host_header: bytes | None = b"api.example",
    **scope: object,
) -> Reply:
    """Send one request to an ASGI app, as a server would."""
    sent = [*(headers or [])]
    if host_header is not None:
        sent.insert(0, (b"host", host_header))
    if key is not None:
        sent.append((b"x-api-key", key.encode()))
    waiting = body or [{"type": "http.request", "body": b"", "more_body": False}]
    messages: list[Message] = []
    hang = asyncio.Event()

    async def receive() -> Message:
        if not waiting:
            await hang.wait()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        messages.append(message)

    whole = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": sent,
        "client": (address, 40_000) if address else None,
        "server": ("127.0.0.1", 80),
        **scope,
    }
    await app(whole, receive, send)
    start = messages[0]
    return Reply(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in messages[1:]),
        messages,
    )


@asynccontextmanager
async def mounted(config: Path, app: ASGIApp, clock: ManualClock) -> AsyncIterator[FairUse]:
    """Run the middleware around an app."""
    fair = FairUse(app, config, clock=clock, access_stream=None)
    await fair.service.start()
    try:
        yield fair
    finally:
        await fair.service.stop()


async def told(service: Service) -> Ledger:
    """Wait until everybody has been told what happened, and give the ledger."""
    assert service.pipeline is not None
    assert service.ledger is not None
    assert service.journal is not None
    await service.pipeline.followups.join()
    service.pipeline.evidence.tell()
    assert await service.journal.flush(service.ledger, service.clock.now())
    return service.ledger


class Served:
    """A server in a thread, on a port of its own."""

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        # asyncio turns Nagle off only for sockets that say they are TCP.
        listener = socket.socket(proto=socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.port: int = listener.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            http=HttpProtocol,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            **options,
        )
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.loop: asyncio.AbstractEventLoop | None = None

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        startup = self._server.startup

        async def started(sockets: list[socket.socket] | None = None) -> None:
            await startup(sockets)
            self._started.set()

        self._server.startup = started  # type: ignore[method-assign]
        await self._server.serve([self._listener])
        self._started.set()

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._started.wait(20)
        assert self._server.started
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._listener.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the server's own loop."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


@dataclass(slots=True)
class Front:
    """A gateway in front of an upstream, both on real sockets."""

    server: Served
    gateway: Gateway
    clock: ManualClock
    config: Path
    client: httpx.Client

    @property
    def url(self) -> str:
        """Give where the gateway listens."""
        return self.server.url

    def book(
        self, key: str = SALON, address: str = "203.0.113.9", path: str = APPOINTMENTS
    ) -> httpx.Response:
        """Make an appointment, as a customer behind the operator's own proxy."""
        return self.client.post(
            path,
            json={"customer": "Jan", "start": "2026-12-01T10:00"},
            headers={"X-API-Key": key, "X-Forwarded-For": address},
        )

    def usage(self, key: str = SALON, address: str = "203.0.113.9") -> Any:
        """Read an account's usage."""
        headers = {"X-API-Key": key, "X-Forwarded-For": address}
        response = self.client.get("/fairuse/usage", headers=headers)
        assert response.status_code == 200
        return response.json()

    def told(self) -> Ledger:
        """Wait until everybody has been told what happened, and give the ledger."""
        return self.server.run(told(self.gateway.service))


@contextmanager
def front(config: Path, clock: ManualClock | None = None) -> Iterator[Front]:
    """Run a gateway on a real socket."""
    clock = clock or ManualClock(NOON)
    gateway = Gateway(config, clock=clock, access_stream=None)
    with (
        Served(gateway, lifespan="on") as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        yield Front(server, gateway, clock, config, client)


@dataclass(slots=True)
class Process:
    """`fairuse serve` in a process of its own."""

    url: str
    process: subprocess.Popen[str]
    log: Path
    heard: str = ""

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and give the exit code."""
        self.process.send_signal(how)
        return self.process.wait(30)

    def requests(self) -> list[dict[str, Any]]:
        """Read the request log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def unmeasured() -> dict[str, str]:
    """Give an environment without coverage, for processes that are started many times."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}


@contextmanager
def serving(config: Path) -> Iterator[Process]:
    """Run `fairuse serve` on any free port, as an operator would."""
    log = config.parent / "requests.log"
    command = [sys.executable, "-m", "fairuse", "serve", "--config", str(config), "--port", "0"]
    with (
        log.open("a") as stdout,
        subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True) as process,
    ):
        try:
            assert process.stderr is not None
            heard = []
            for line in process.stderr:
                heard.append(line)
                if line.startswith("fairuse listens on "):
                    break
            else:
                raise AssertionError("".join(heard))
            yield Process(line.split()[3].rstrip(","), process, log, "".join(heard))
        finally:
            process.kill()
            process.communicate()
