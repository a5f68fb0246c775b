"""Real Redis and Valkey servers for tests: one alone, or a cluster of three, on ports of their own.

No test uses a server it did not start: what the machine runs on port 6379 is left alone.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T", bound="Callable[..., object]")

BINARIES = [name for name in ("redis-server", "valkey-server") if shutil.which(name)]
"""The servers this machine has."""

BINARY = BINARIES[0] if BINARIES else "redis-server"

REDIS_MARKS = [
    pytest.mark.redis,
    pytest.mark.skipif(
        not BINARIES, reason="redis-server is not installed: apt-get install redis-server"
    ),
]
"""What `needs_redis` marks a test with, for a module's `pytestmark`."""

PATIENCE = 60.0
"""Seconds after which a server that does not come up is a failure."""

SLOTS = 16_384


def needs_redis(test: T) -> T:
    """Mark a test that needs a server, and skip it where there is none."""
    for mark in REDIS_MARKS:
        test = mark(test)
    return test


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds, and fail when it does not come to."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {PATIENCE:.0f} seconds")
        time.sleep(0.01)


def free_port() -> int:
    """Choose a port that is free, and 10000 above it the one a cluster's nodes talk on.

    Both lie below the ports that Linux gives to outgoing connections, so that none of those takes
    the port while a server that will come back to it is down.
    """
    while True:
        port = random.randrange(10_000, 22_768)  # noqa: S311
        if _is_free(port) and _is_free(port + 10_000):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class RedisServer:
    """A server in a process of its own, which can be killed, paused and restarted."""

    def __init__(self, folder: Path, port: int, binary: str, options: Sequence[str]) -> None:
        self.folder = folder
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = [
            *(binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", *options),
        ]
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Give the process that runs now, or ran last."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._answers, f"an answer from {self.url}")

    def kill(self) -> None:
        """End the process as a crash does, and wait until it has ended."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the process as an operator does, and wait until it has ended."""
        self.resume()
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Stop the process if it runs, and start it on the same port and in the same folder."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Make the process stand still: it keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)
        # Without WNOWAIT this would take the process's end away from Popen.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)

    def client(self, **options: Any) -> redis.Redis:
        """Give a client of this one server, which tries nothing twice."""
        retry = Retry(NoBackoff(), 0)
        return redis.Redis(port=self.port, decode_responses=True, retry=retry, **options)

    def ask(self, *command: str | int) -> Any:
        """Send one command, and give the answer as the server wrote it."""
        with self.client() as client:
            return client.execute_command(*command)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        if self._process is not None:
            self._process.wait(PATIENCE)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(self._log.read_text())
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                # A server with a password is up too; one that still reads its files is not.
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


@contextmanager
def redis_server(
    folder: Path,
    *,
    port: int | None = None,
    options: Sequence[str] = (),
    binary: str = BINARY,
) -> Iterator[RedisServer]:
    """Run a server that keeps nothing on disk, unless the options say so."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, port or free_port(), binary, options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


class RedisCluster:
    """Three masters that share the slots."""

    def __init__(self, nodes: list[RedisServer]) -> None:
        self.nodes = nodes
        self.url = nodes[0].url
        self._ids = {node.port: str(node.ask("CLUSTER", "MYID")) for node in nodes}

    def form(self) -> None:
        """Share out the slots, and wait until every node knows every other."""
        for number, node in enumerate(self.nodes):
            first, after = (SLOTS * i // len(self.nodes) for i in (number, number + 1))
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        self.until_ok()

    def until_ok(self) -> None:
        """Wait until every node finds the cluster whole."""
        until(lambda: all(map(self._is_ok, self.nodes)), "a whole cluster")

    def owner(self, slot: int) -> RedisServer:
        """Find the node that has a slot."""
        for first, last, master, *_ in self.nodes[0].ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == master[1])
        raise AssertionError(f"nobody has slot {slot}")

    def move_slot(self, slot: int, to_node: RedisServer) -> None:
        """Move a slot, with its keys, to another node."""
        with self.moving_slot(slot, to_node):
            pass

    @contextmanager
    def moving_slot(self, slot: int, to_node: RedisServer) -> Iterator[None]:
        """Move a slot; meanwhile its keys are on their way: the old node answers ASK for each."""
        from_node = self.owner(slot)
        to_node.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", self._ids[from_node.port])
        from_node.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", self._ids[to_node.port])
        _migrate(slot, from_node, to_node)
        yield
        _migrate(slot, from_node, to_node)
        # The new owner first: were it last, nobody would have the slot in between.
        for node in sorted(self.nodes, key=lambda node: node is not to_node):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", self._ids[to_node.port])

    def _is_ok(self, node: RedisServer) -> bool:
        lines = str(node.ask("CLUSTER", "INFO")).splitlines()
        return {"cluster_state:ok", f"cluster_known_nodes:{len(self.nodes)}"} <= set(lines)


def _migrate(slot: int, from_node: RedisServer, to_node: RedisServer) -> None:
    while keys := from_node.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
        from_node.ask("MIGRATE", "127.0.0.1", to_node.port, "", 0, 5_000, "KEYS", *keys)


@contextmanager
def redis_cluster(
    folder: Path, *, options: Sequence[str] = (), binary: str = BINARY
) -> Iterator[RedisCluster]:
    """Run a cluster of three nodes."""
    clustered = ("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", *options)
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                redis_server(folder / f"node-{number}", options=clustered, binary=binary)
            )
            for number in range(3)
        ]
        cluster = RedisCluster(nodes)
        cluster.form()
        yield cluster
