"""Servers for a benchmark: started on a core of their own, waited for, and always stopped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx

from bench.configs import PATH, api_key
from bench.cpu import pinned
from bench.errors import BenchError, CannotRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

START_SECONDS = 30
STOP_SECONDS = 10
TOOLS = ("nginx", "wrk")


class Server(NamedTuple):
    """A server that runs: its name, what to ask of it, and its process."""

    name: str
    url: str
    pid: int


def tool(name: str) -> str:
    """Give the path of a program. Raises CannotRun where one of them is not installed."""
    # Debian keeps nginx in /usr/sbin, which is not on every user's PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = {name: shutil.which(name, path=path) for name in TOOLS}
    missing = " and ".join(name for name, where in found.items() if where is None)
    if missing:
        raise CannotRun(f"{missing} not found; install with: apt-get install nginx-light wrk")
    return found[name] or name


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
    _write(folder, {"nginx.conf": config})
    command = [tool("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return _running(name, command, port, folder, core)


def gateway(
    name: str, config: Mapping[str, str], port: int, folder: Path, core: int
) -> AbstractContextManager[Server]:
    """Run the gateway until the block ends, as a user does: its request log goes to a file."""
    _write(folder / "config", config)
    command = [sys.executable, "-m", "fairuse", "serve", "--config", "config", "--port", str(port)]
    return _running(name, command, port, folder, core)


def ask(url: str) -> httpx.Response:
    """Make one request as the load does."""
    headers = {"x-api-key": api_key(1)}
    return httpx.get(url, headers=headers, trust_env=False, timeout=START_SECONDS)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@contextmanager
def _running(
    name: str, command: Sequence[str], port: int, folder: Path, core: int
) -> Iterator[Server]:
    url, errors = f"http://127.0.0.1:{port}{PATH}", folder / "stderr.log"
    with (folder / "stdout.log").open("wb") as out, errors.open("wb") as err:
        with pinned(core):
            process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)
        try:
            _wait_for(name, process, url, errors)
            yield Server(name, url, process.pid)
        finally:
            _stop(process)


def _wait_for(name: str, process: subprocess.Popen[bytes], url: str, errors: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"{name} did not start:\n{errors.read_text()[-1_000:]}")
        try:
            answer = ask(url)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if answer.status_code == 200:
            return
        raise BenchError(f"{name} answered {answer.status_code}: {answer.text[:500]}")
    raise BenchError(f"{name} does not answer at {url}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
