"""The demo: the sample booking API with the gateway in front, in processes of their own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import httpx
from rich.console import Console
from rich.markup import escape

from fairuse.base.errors import DemoError
from fairuse.entry.day import play

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

START_SECONDS = 30
STOP_SECONDS = 10

# Loopback counts as a trusted proxy here, so that one machine can play many addresses.
SETTINGS = """\
contact = "mailto:support@booking.example"
[upstream]
url = "{upstream}"
[identity]
location = "/locations/{{location}}"
[addresses]
trusted_proxies = ["127.0.0.0/8", "::1"]
[ledger]
url = "sqlite:///{ledger}"
"""

INVITATION = """
[bold]The booking API runs with the gateway in front:[/bold] {url}

[bold]1. An appointment that is allowed[/bold] (201)
{allowed}

[bold]2. A runaway script at 203.0.113.9:[/bold] 61 appointments at once, the last one refused (429)
{refused}

[bold]3. What an account has used[/bold]
{usage}

Run 2 again: after 20 refusals the address is blocked (403), and the account is still served from
every other: take the X-Forwarded-For out, or ask for 3 with the key demo-barber-london.
Logs: {log}      Stop with Ctrl-C.
"""


class Curls(NamedTuple):
    """The three lines to try."""

    allowed: str
    refused: str
    usage: str


def curls(url: str) -> Curls:
    """Give the lines to try against a running demo."""
    booking = '{"customer": "Jan", "start": "2026-12-01T10:00"}'
    body = f"-H 'Content-Type: application/json' -d '{booking}'"
    return Curls(
        allowed=f"curl -si -H 'X-API-Key: demo-salon-anna' {body}"
        f" {url}/locations/centrum/appointments",
        refused="curl -s -H 'X-API-Key: demo-barber-london' -H 'X-Forwarded-For: 203.0.113.9'"
        f" {body} '{url}/locations/soho/appointments?try=[1-61]' | tail -c 700",
        usage=f"curl -s -H 'X-API-Key: demo-salon-anna' {url}/fairuse/usage",
    )


def run(config: Path, examples: Path, *, once: bool) -> None:
    """Start the demo; play the scripted day and end, or stay up until stopped.

    Raises DemoError where the example or the gateway can't be started.
    """
    if not (examples / "booking_api").is_dir():
        raise DemoError(f"{examples} holds no booking_api; run the demo in the repository's folder")
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, _leave)
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="fairuse-demo-") as name, ExitStack() as stack:
        folder = Path(name)
        log = stack.enter_context((folder / "demo.log").open("wb"))
        upstream = stack.enter_context(_booking_api(examples, folder, log))
        gateway = stack.enter_context(_gateway(config, folder, upstream, log))
        if once:
            play(gateway, console)
        else:
            _invite(gateway, folder / "demo.log", console)
            signal.pause()


def _invite(gateway: str, log: Path, console: Console) -> None:
    lines = {name: escape(line) for name, line in curls(gateway)._asdict().items()}
    console.print(INVITATION.format(url=gateway, log=log, **lines), soft_wrap=True)


def _booking_api(examples: Path, folder: Path, log: IO[bytes]) -> AbstractContextManager[str]:
    port = free_port()
    command = ["-m", "booking_api", "--port", str(port), "--database", str(folder / "booking.db")]
    return _process(
        "the booking API", command, examples, f"http://127.0.0.1:{port}", "/health", log
    )


def _gateway(
    config: Path, folder: Path, upstream: str, log: IO[bytes]
) -> AbstractContextManager[str]:
    copy = folder / "config"
    for part in ("policies", "tenants"):
        shutil.copytree(config / part, copy / part)
    settings = SETTINGS.format(upstream=upstream, ledger=folder / "fairuse.db")
    (copy / "gateway.toml").write_text(settings)
    port = free_port()
    command = ["-m", "fairuse", "serve", "--config", str(copy), "--port", str(port)]
    return _process(
        "the gateway", command, folder, f"http://127.0.0.1:{port}", "/fairuse/health", log
    )


@contextmanager
def _process(
    name: str, command: Sequence[str], folder: Path, url: str, health: str, log: IO[bytes]
) -> Iterator[str]:
    """Run a server until the block ends; gives its URL once it answers."""
    process = subprocess.Popen([sys.executable, *command], cwd=folder, stdout=log, stderr=log)  # noqa: S603
    try:
        _wait_for(name, process, url + health, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(name: str, process: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None:
            last = Path(log.name).read_text(errors="replace")[-1_000:]
            raise DemoError(f"{name} did not start:\n{last}")
        time.sleep(0.05)
    raise DemoError(f"{name} does not answer at {url}")


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)
