"""F-23: real processes that reserve at the same time are let have exactly what was agreed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.redis_servers import REDIS_MARKS
from tests.stores.shared_store import new_namespace
from tests.support import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.redis_servers import RedisServer

pytestmark = REDIS_MARKS

PROCESSES = 4
COMMAND = (sys.executable, "-m", "tests.stores.shared.process")


class Said(NamedTuple):
    """What a process answered: the units it was let have, and how often it called the store."""

    admitted: int
    calls: int
    away: str


class Processes:
    """Processes that share their limits."""

    def __init__(self, url: str) -> None:
        command = [*COMMAND, url, new_namespace()]
        self._running = [
            subprocess.Popen(
                command, cwd=REPOSITORY, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(PROCESSES)
        ]

    def start(self) -> None:
        """Wait until all of them are connected."""
        for process in self._running:
            assert self._said(process) == (0, 1, "")

    def tell(self, line: str, *numbers: int) -> list[Said]:
        """Tell some of them, or all, what to do at the same time, and give what they answer."""
        told = [self._running[number] for number in numbers or range(PROCESSES)]
        for process in told:
            assert process.stdin is not None
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
        said = [self._said(process) for process in told]
        assert not any(each.away for each in said)
        return said

    def kill(self) -> None:
        """End those that still run."""
        for process in self._running:
            process.kill()
            process.communicate()

    @staticmethod
    def _said(process: subprocess.Popen[str]) -> Said:
        assert process.stdout is not None
        return Said(**json.loads(process.stdout.readline()))


def admitted(said: list[Said]) -> list[int]:
    """Give what each process was let have."""
    return [each.admitted for each in said]


@pytest.fixture(scope="module")
def processes(server: RedisServer) -> Iterator[Processes]:
    """Run processes that count together."""
    running = Processes(server.url)
    try:
        running.start()
        yield running
    finally:
        running.kill()


@pytest.mark.parametrize("kind", ["strict", "relaxed"])
def test_a_thousand_requests_at_once_of_four_processes(processes: Processes, kind: str) -> None:
    """F-23: of 1,000 requests at the same time on a limit of 100, exactly 100 are let in."""
    assert sum(admitted(processes.tell(f"{kind} all 100 250"))) == 100
    assert admitted(processes.tell(f"{kind} all 100 1")) == [0] * PROCESSES


@pytest.mark.parametrize("kind", ["strict", "relaxed"])
def test_a_thousand_requests_far_from_the_limit(processes: Processes, kind: str) -> None:
    """F-23: of 1,000 requests at the same time, none is refused where 5,000 are agreed."""
    assert admitted(processes.tell(f"{kind} all 5000 250")) == [250] * PROCESSES


@pytest.mark.parametrize(("kind", "amount"), [("strict", 1_000), ("relaxed", 10_000)])
def test_four_processes_use_up_a_limit(processes: Processes, kind: str, amount: int) -> None:
    """F-23: no unit is let out twice, and none is lost once all leases are back."""
    before = sum(each.calls for each in processes.tell(f"{kind} all 1 0"))
    said = processes.tell(f"{kind} drain {amount}")
    assert sum(admitted(said)) <= amount
    if kind == "relaxed":
        assert sum(each.calls for each in said) - before < amount / 4  # most were leased
    first, *others = range(PROCESSES)
    processes.tell(f"{kind} close", *others)
    [last] = processes.tell(f"{kind} drain {amount}", first)
    assert sum(admitted(said)) + last.admitted == amount
