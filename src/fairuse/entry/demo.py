"""The demo: a sample service with the gateway in front, in processes of their own."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import httpx
from rich.console import Console
from rich.markup import escape

from fairuse.base.errors import DemoError
from fairuse.base.keys import fingerprint
from fairuse.entry.day import play as play_bookings
from fairuse.entry.document_day import play as play_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

START_SECONDS = 30
STOP_SECONDS = 10

# Loopback counts as a trusted proxy here, so that one machine can play many addresses.
SETTINGS = """\
contact = "mailto:support@{policy}.example"
[upstream]
url = "{upstream}"
[identity]
user_header = "x-user"
location = "/locations/{{location}}"
[addresses]
trusted_proxies = ["127.0.0.0/8", "::1"]
[events]
keys = {{ "{sender}" = "demo" }}
[ledger]
url = "sqlite:///{ledger}"
"""
SENDER = "demo-sender"
"""The demo's key for usage events."""


@dataclass(frozen=True, slots=True)
class Show:
    """What the demo shows of one policy: the service, what to try, and the scripted day."""

    example: str
    name: str
    invitation: str
    curls: Callable[[str], dict[str, str]]
    play: Callable[[str, Console], None]


def _booking_curls(url: str) -> dict[str, str]:
    booking = '{"customer": "Jan", "start": "2026-12-01T10:00"}'
    body = f"-H 'Content-Type: application/json' -d '{booking}'"
    return {
        "allowed": f"curl -si -H 'X-API-Key: demo-salon-anna' {body}"
        f" {url}/locations/centrum/appointments",
        "refused": "curl -s -H 'X-API-Key: demo-barber-london' -H 'X-Forwarded-For: 203.0.113.9'"
        f" {body} '{url}/locations/soho/appointments?try=[1-61]' | tail -c 700",
        "usage": f"curl -s -H 'X-API-Key: demo-salon-anna' {url}/fairuse/usage",
    }


def _documents_curls(url: str) -> dict[str, str]:
    document = '{"template": "invoice", "pages": 7}'
    key = "-H 'X-API-Key: demo-versicherung-nord'"
    json = "-H 'Content-Type: application/json'"
    return {
        "allowed": f"curl -s -o invoice.pdf -D - {key} {json} -d '{document}' {url}/documents",
        "refused": f"curl -s {key} {json} -d '{document}' '{url}/documents?[1-4]' | tail -c 700",
        "usage": f"curl -s {key} {url}/fairuse/usage",
    }


SHOWS = {
    "booking": Show(
        "booking_api",
        "booking API",
        """
[bold]1. An appointment that is allowed[/bold] (201)
{allowed}

[bold]2. A runaway script at 203.0.113.9:[/bold] 61 at once, the last one refused (429)
{refused}

[bold]3. What an account has used[/bold]
{usage}

Run 2 again: after 20 refusals the address is blocked (403), and the account is still served from
every other: take the X-Forwarded-For out, or ask for 3 with the key demo-barber-london.""",
        _booking_curls,
        play_bookings,
    ),
    "documents": Show(
        "document_api",
        "document API",
        """
[bold]1. An invoice of seven pages, which costs seven[/bold] (201; X-Pages says so)
{allowed}

[bold]2. Four more at once:[/bold] more pages than a minute allows, the last refused (429)
{refused}

[bold]3. What the account has used[/bold]
{usage}

Wait a minute and it goes on by itself: the limit ends with its minute.""",
        _documents_curls,
        play_documents,
    ),
}


def run(config: Path, examples: Path, policy: str, *, once: bool) -> None:
    """Start the demo; play the scripted day and end, or stay up until stopped.

    Raises DemoError where the example or the gateway can't be started.
    """
    chosen = SHOWS[policy]
    if not (examples / chosen.example).is_dir():
        raise DemoError(
            f"{examples} holds no {chosen.example}; run the demo in the repository's folder"
        )
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, _leave)
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="fairuse-demo-") as name, ExitStack() as stack:
        folder = Path(name)
        log = stack.enter_context((folder / "demo.log").open("wb"))
        upstream = stack.enter_context(_service(chosen, examples, folder, log))
        gateway = stack.enter_context(_gateway(policy, config, folder, upstream, log))
        if once:
            chosen.play(gateway, console)
        else:
            _invite(chosen, gateway, folder / "demo.log", console)
            signal.pause()


def _invite(chosen: Show, gateway: str, log: Path, console: Console) -> None:
    lines = {name: escape(line) for name, line in chosen.curls(gateway).items()}
    head = f"\n[bold]The {chosen.name} runs with the gateway in front:[/bold] {gateway}"
    foot = f"\nLogs: {log}      Stop with Ctrl-C.\n"
    console.print(head, chosen.invitation.format(**lines), foot, sep="\n", soft_wrap=True)


def _service(
    chosen: Show, examples: Path, folder: Path, log: IO[bytes]
) -> AbstractContextManager[str]:
    port = free_port()
    database = str(folder / "service.db")
    command = ["-m", chosen.example, "--port", str(port), "--database", database]
    url = f"http://127.0.0.1:{port}"
    return _process(f"the {chosen.name}", command, examples, url, "/health", log)


def _gateway(
    policy: str, config: Path, folder: Path, upstream: str, log: IO[bytes]
) -> AbstractContextManager[str]:
    copy = folder / "config"
    for part in ("policies", "tenants"):
        shutil.copytree(config / part, copy / part)
    settings = SETTINGS.format(
        policy=policy,
        upstream=upstream,
        sender=fingerprint(SENDER.encode()),
        ledger=folder / "fairuse.db",
    )
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
