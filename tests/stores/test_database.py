"""The ledger's database: who may open it beside whom, and what only one process does at a time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from fairuse.base.errors import LedgerError
from fairuse.stores.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ledgers import Place

    from fairuse.stores.backend import Access

pytestmark = pytest.mark.anyio

OPEN_TEN_TIMES = """\
import asyncio, os, sys
from alembic import command
from fairuse.stores.database import Database

upgrade = command.upgrade

def noted(*arguments):
    print("migrated", flush=True)
    upgrade(*arguments)

async def main():
    await Database.open(sys.argv[1], access="shared")
    print("opened", flush=True)

command.upgrade = noted
start, starter = os.pipe()
for _ in range(10):
    if not os.fork():
        os.close(starter)
        os.read(start, 1)  # ends for all of them at once, when the starter is closed
        asyncio.run(main())
        os._exit(0)
os.close(starter)
sys.exit(any([os.wait()[1] for _ in range(10)]))
"""
HOLD = """\
import asyncio, sys
from fairuse.stores.database import Database

async def main():
    database = await Database.open(sys.argv[1], access="shared")
    async with database.one_at_a_time("upkeep"):
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    print("let go", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


@pytest.fixture
def url(place: Place) -> str:
    """Give the place of a ledger that is still to be made."""
    return place.url


@contextmanager
def process(script: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script in a process of its own."""
    command = [sys.executable, "-c", script, url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def heard(running: subprocess.Popen[str]) -> str:
    """Wait for the next line of a process."""
    assert running.stdout is not None
    return running.stdout.readline().rstrip()


def tell(running: subprocess.Popen[str]) -> None:
    """Let a process go on."""
    assert running.stdin is not None
    running.stdin.write("\n")
    running.stdin.flush()


async def test_those_who_share_a_ledger_open_it_together(url: str) -> None:
    """Several gateways that count in Redis have one ledger, and none of its locks outlives them."""
    first = await Database.open(url, access="shared")
    second = await Database.open(url, access="shared")
    await first.close()
    third = await Database.open(url, access="shared")
    await second.close()
    await third.close()
    await (await Database.open(url)).close()


@pytest.mark.parametrize(
    ("holds", "asks", "why"),
    [
        ("alone", "shared", "by another process, which counts in memory and so needs the ledger"),
        ("shared", "alone", "by processes that count in Redis; one that counts in memory needs"),
        ("alone", "alone", "by another process; the embedded store counts in one process only"),
    ],
)
async def test_who_counts_in_memory_has_the_ledger_alone(
    url: str, holds: Access, asks: Access, why: str
) -> None:
    """Two that count apart never share a ledger, and the second is told why."""
    held = await Database.open(url, access=holds)
    for _ in range(2):
        with pytest.raises(LedgerError, match=rf"the ledger .*fairuse\S+ is in use {why}"):
            await Database.open(url, access=asks)
    await held.close()
    await (await Database.open(url, access=asks)).close()


async def test_who_adds_a_record_disturbs_nobody(url: str) -> None:
    """`fairuse snapshot` opens the ledger beside whoever has it, and keeps nobody out."""
    for access in ("alone", "shared"):
        held = await Database.open(url, access=access)
        await (await Database.open(url, access="beside")).close()
        await held.close()
    beside = await Database.open(url, access="beside")
    await (await Database.open(url)).close()
    await beside.close()


def test_of_many_that_start_at_once_one_makes_the_ledger(url: str) -> None:
    """F-42: ten processes that open a new ledger at the same time migrate it exactly once."""
    command = [sys.executable, "-c", OPEN_TEN_TIMES, url]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert sorted(outcome.stdout.split()) == ["migrated"] + ["opened"] * 10


async def test_only_one_process_at_a_time_has_its_turn(url: str) -> None:
    """Who waits for its turn gets it when the other's ends, and the loop runs on meanwhile."""
    database = await Database.open(url, access="shared")

    async def turn() -> str:
        async with database.one_at_a_time("upkeep"):
            return "mine"

    with process(HOLD, url) as other:
        assert heard(other) == "held"
        waiting = asyncio.create_task(turn())
        async with database.try_alone("upkeep") as mine, database.one_at_a_time("something else"):
            assert not mine
        await asyncio.sleep(0.1)
        assert not waiting.done()
        tell(other)
        assert heard(other) == "let go"
        assert await asyncio.wait_for(waiting, 20) == "mine"
    await database.close()


async def test_a_turn_ends_with_its_process(url: str) -> None:
    """A process that is killed in the middle keeps nobody waiting."""
    database = await Database.open(url, access="shared")
    with process(HOLD, url) as other:
        assert heard(other) == "held"
        other.kill()
        async with asyncio.timeout(20), database.one_at_a_time("upkeep"):
            assert other.wait(20) < 0
    await database.close()


async def test_tasks_of_one_process_take_turns_too(url: str) -> None:
    """Two tasks never have the same turn at a time, whether they wait or only try."""
    database = await Database.open(url)
    inside = 0

    async def turn() -> None:
        nonlocal inside
        async with database.one_at_a_time("upkeep"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.001)
            async with database.try_alone("upkeep") as mine:
                assert not mine
            inside -= 1

    await asyncio.gather(*(turn() for _ in range(5)))
    async with database.try_alone("upkeep") as mine:
        assert mine
        async with database.try_alone("upkeep") as again:
            assert not again
    await database.close()


@pytest.mark.parametrize("inside", [False, True])
async def test_a_cancelled_turn_leaves_nothing_behind(url: str, *, inside: bool) -> None:
    """Who is cancelled while waiting, or in the middle, has the turn no more: at once."""
    database = await Database.open(url)

    async def turn() -> None:
        async with database.one_at_a_time("upkeep"):
            await asyncio.Event().wait()

    async with database.try_alone("another" if inside else "upkeep"):
        task = asyncio.create_task(turn())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    async with database.try_alone("upkeep") as mine:
        assert mine
    await database.close()


@pytest.mark.parametrize("access", ["alone", "shared"])
async def test_a_start_that_is_cancelled_leaves_the_ledger_free(url: str, access: Access) -> None:
    """Wherever it is cancelled, opening a ledger keeps no lock of it."""
    for steps in range(30):
        opening = asyncio.create_task(Database.open(url, access=access))
        for _ in range(steps):
            await asyncio.sleep(0.001)
        opening.cancel()
        await asyncio.wait([opening])
        if not opening.cancelled():
            await opening.result().close()
        await (await Database.open(url)).close()
