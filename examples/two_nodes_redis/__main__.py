"""Show two gateways that count together in Redis: python -m examples.two_nodes_redis."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

REPOSITORY = Path(__file__).parents[2]
KEY = {"X-API-Key": "demo-salon-anna"}
BOOKING = {"customer": "Jan", "start": "2026-12-01T10:00"}
SCRIPT, OFFICE, SHOP = "203.0.113.9", "203.0.113.10", "203.0.113.11"
PATIENCE = 30.0

# Loopback counts as a trusted proxy here, so that one machine can play many addresses.
SETTINGS = """\
contact = "mailto:support@booking.example"
[upstream]
url = "http://127.0.0.1:{upstream}"
[identity]
user_header = "x-user"
location = "/locations/{{location}}"
[addresses]
trusted_proxies = ["127.0.0.0/8"]
[counters]
store = "{store}"
namespace = "example-{run}"
[ledger]
url = "sqlite:///{folder}/fairuse.db"
"""


class Node:
    """One of the gateways."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.let_in = 0
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    def book(self, address: str) -> httpx.Response:
        """Make an appointment, from an address."""
        path = "/locations/centrum/appointments"
        headers = KEY | {"X-Forwarded-For": address}
        answer = self._client.post(path, json=BOOKING, headers=headers)
        self.let_in += answer.status_code == 201
        return answer

    def usage(self) -> tuple[int | None, list[str]]:
        """Read how many appointments the account has this month, and its blocked addresses.

        While Redis is away, nobody knows how many there are.
        """
        usage = self.ask("/fairuse/usage")
        limits = {each["limit"]: each["used"] for each in usage["limits"] or ()}
        return limits.get("appointments-per-month"), [block["address"] for block in usage["blocks"]]

    def knows(self, let_in: int) -> bool:
        """Say whether so many appointments are counted."""
        used, _ = self.usage()
        return used is not None and used >= let_in

    def ask(self, path: str) -> Any:
        """Read one of the gateway's own pages."""
        return self._client.get(path, headers=KEY).json()


def count_together(first: Node, second: Node) -> None:
    """Book from one address at both, and be blocked at both."""
    print("One address books 80 times, in turns at both nodes; 60 a minute are agreed.")
    answers = [(node, node.book(SCRIPT)) for _ in range(40) for node in (first, second)]
    for node in (first, second):
        statuses = Counter(answer.status_code for asked, answer in answers if asked is node)
        print(f"  {node.name}: {statuses[201]} let in, {statuses[429]} refused")
    if any("fairuse-degraded" in answer.headers for _, answer in answers):
        print("  Redis answered late, and they counted alone for a while: please try again.")
    print(f"It goes on at {first.name}, until it is blocked there.")
    refused = 0
    while first.book(SCRIPT).status_code == 429:
        refused += 1
    print(f"  {first.name}: {refused} refused, then blocked")
    until(lambda: second.usage()[1] == [SCRIPT], f"a block at {second.name}")
    print(f"  {second.name}: {second.book(SCRIPT).status_code} as well")
    print(f"  {second.name}, from another address: {second.book(OFFICE).status_code}")


def count_alone(first: Node, second: Node) -> None:
    """Book while Redis is away."""
    print("Redis is stopped. Both serve on, and say so.")
    for node in (first, second):
        answers = [node.book(SHOP) for _ in range(5)]
        let_in = sum(answer.status_code == 201 for answer in answers)
        header, health = answers[-1].headers.get("fairuse-degraded"), node.ask("/fairuse/health")
        print(f"  {node.name}: {let_in} let in, fairuse-degraded: {header}, {health['status']}")


def say_the_same(*nodes: Node) -> None:
    """Read the usage at both, once each knows what both let in, and has had time to count twice."""
    let_in = sum(node.let_in for node in nodes)
    until(lambda: all(node.knows(let_in) for node in nodes), f"a count of {let_in} at both")
    time.sleep(1)
    for node in nodes:
        used, blocked = node.usage()
        print(f"  {node.name}: {used} this month; blocked: {', '.join(blocked)}")


def main() -> None:
    """Start everything, show it, and stop everything."""
    with tempfile.TemporaryDirectory(prefix="fairuse-two-nodes-") as name, ExitStack() as stack:
        folder, port, own = Path(name), free_port(), os.environ.get("REDIS_URL")
        redis = None if own else stack.enter_context(redis_server(port, folder))
        nodes = stack.enter_context(gateways(own or f"redis://127.0.0.1:{port}/0", folder))
        count_together(*nodes)
        print("/fairuse/usage says the same at both.")
        say_the_same(*nodes)
        if redis is None:
            print("The Redis of REDIS_URL is yours, and is not stopped.")
            return
        redis.terminate()
        redis.wait()
        count_alone(*nodes)
        stack.enter_context(redis_server(port, folder))
        print("Redis is started again. What each counted alone is there, once.")
        say_the_same(*nodes)


@contextmanager
def gateways(store: str, folder: Path) -> Iterator[tuple[Node, Node]]:
    """Run the booking API, and two gateways in front with one configuration and one ledger."""
    upstream, north, south = free_port(), free_port(), free_port()
    config = shutil.copytree(REPOSITORY / "config", folder / "config")
    settings = SETTINGS.format(upstream=upstream, store=store, run=time.time_ns(), folder=folder)
    (config / "gateway.toml").write_text(settings)
    api = [sys.executable, "-m", "examples.booking_api", "--database", str(folder / "booking.db")]
    gateway = [sys.executable, "-m", "fairuse", "serve", "--config", str(config)]
    with (
        running(api, upstream, folder),
        running(gateway, north, folder),
        running(gateway, south, folder),
    ):
        yield Node("north", north), Node("south", south)


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Redis that remembers what it was told when it is started again."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        sys.exit("redis-server not found: apt-get install redis-server, or set REDIS_URL")
    options = ["--bind", "127.0.0.1", "--maxmemory-policy", "noeviction", "--appendonly", "yes"]
    with running([program, *options, "--dir", str(folder)], port, folder) as process:
        yield process


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that listens on a port, until the block ends."""
    command = [*command, "--port", str(port)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log)  # noqa: S603
    try:
        until(lambda: answers(port) or process.poll() is not None, f"the start of {command}")
        if process.poll() is not None:
            sys.exit((folder / "log").read_text()[-1_000:])
        yield process
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    """Say whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not happen in {PATIENCE:.0f} seconds")
        time.sleep(0.05)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
