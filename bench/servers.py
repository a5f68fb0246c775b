"""Servers for a benchmark: started on a core of their own, waited for, and always stopped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx

from bench.configs import BOOKING_BODY, BOOKING_PATH, PATH, api_key
from bench.cpu import pinned
from bench.errors import BenchError, CannotRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

HOST = "127.0.0.1"
START_SECONDS = 30
STOP_SECONDS = 10
PACKAGES = {
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "node": "nodejs",
    "wrk": "wrk",
    "redis-server": "redis-server",
}
"""Programs that are used, and the Debian packages that hold them."""

ROOT = Path(__file__).parent.parent


class Server(NamedTuple):
    """A server that runs: its name, what to ask of it, and its process."""

    name: str
    url: str
    pid: int = 0
    method: str = "GET"
    body: str = ""

    @property
    def port(self) -> int:
        """Give the port it listens on."""
        return int(self.url.split(":")[2].split("/")[0])

    def asked_to_book(self, body: str = BOOKING_BODY) -> Server:
        """Give the same server, to be asked for appointments."""
        url = urljoin(self.url, BOOKING_PATH)
        return self._replace(url=url, method="POST", body=body)


def tool(name: str) -> str:
    """Give the path of a program. Raises CannotRun where it is not installed."""
    # Debian keeps nginx in /usr/sbin, which is not on every user's PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise CannotRun(f"{name} not found; install with: apt-get install {PACKAGES[name]}")
    return found


def free_port() -> int:
    """Find a loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def nginx(
    name: str, config: str, port: int, folder: Path, core: int
) -> AbstractContextManager[Server]:
    """Run an nginx until the block ends."""
    command = [tool("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return program(name, command, port, folder, core, {"nginx.conf": config})


def program(
    name: str,
    command: Sequence[str],
    port: int,
    folder: Path,
    core: int,
    files: Mapping[str, str] | None = None,
) -> AbstractContextManager[Server]:
    """Run any server until the block ends, in a folder that holds these files."""
    folder.mkdir(parents=True)
    _write(folder, files or {})
    return _running(Server(name, _url(port)), command, folder, core)


def gateway(
    name: str, config: Mapping[str, str], port: int, folder: Path, core: int
) -> AbstractContextManager[Server]:
    """Run the gateway until the block ends, as a user does: its request log goes to a file."""
    _write(folder / "config", config)
    command = [sys.executable, "-m", "fairuse", "serve", "--config", "config", "--port", str(port)]
    return _running(Server(name, _url(port)), command, folder, core)


def app(
    name: str, factory: str, config: Mapping[str, str], folder: Path, core: int
) -> AbstractContextManager[Server]:
    """Run one of the apps in `apps.py` until the block ends, with its configuration beside it."""
    folder.mkdir(parents=True)
    _write(folder / "config", config)
    port = free_port()
    command = [
        *(sys.executable, "-m", "uvicorn", f"bench.apps:{factory}", "--factory"),
        *("--app-dir", str(ROOT), "--port", str(port), "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning"),
    ]
    return _running(Server(name, _url(port)), command, folder, core)


def redis(folder: Path, core: int) -> AbstractContextManager[Server]:
    """Run a Redis that keeps nothing until the block ends."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [
        *(tool("redis-server"), "--port", str(port), "--bind", "127.0.0.1"),
        *("--save", "", "--appendonly", "no"),
    ]
    server = Server("redis-server", f"redis://127.0.0.1:{port}/0")
    return _running(server, command, folder, core, answers=_says_pong)


def ask(server: Server) -> httpx.Response:
    """Make one request as the load does."""
    return httpx.request(
        server.method,
        server.url,
        content=server.body,
        headers={"x-api-key": api_key(1)},
        trust_env=False,
        timeout=START_SECONDS,
    )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}{PATH}"


def serves(server: Server) -> bool:
    """Say whether a server serves what the load asks for. Raises BenchError for another answer."""
    try:
        answer = ask(server)
    except httpx.TransportError:
        return False
    if answer.status_code != 200:
        raise BenchError(f"{server.name} answered {answer.status_code}: {answer.text[:500]}")
    return True


def _says_pong(server: Server) -> bool:
    url = urlsplit(server.url)
    try:
        with socket.create_connection((url.hostname, url.port), START_SECONDS) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def _running(
    server: Server,
    command: Sequence[str],
    folder: Path,
    core: int,
    answers: Callable[[Server], bool] = serves,
) -> Iterator[Server]:
    errors = folder / "stderr.log"
    with (folder / "stdout.log").open("wb") as out, errors.open("wb") as err:
        with pinned(core):
            process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)
        try:
            _wait_for(server, process, answers, errors)
            yield server._replace(pid=process.pid)
        finally:
            _stop(process)


def _wait_for(
    server: Server,
    process: subprocess.Popen[bytes],
    answers: Callable[[Server], bool],
    errors: Path,
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"{server.name} did not start:\n{errors.read_text()[-1_000:]}")
        if answers(server):
            return
        time.sleep(0.05)
    raise BenchError(f"{server.name} does not answer at {server.url}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
