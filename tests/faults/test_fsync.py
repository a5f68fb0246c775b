"""Power may fail: every commit of the ledger has reached the disk when it is done (F-40)."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from fairuse.stores.ledger import Ledger
from fairuse.stores.sqlite import SqliteFile

if TYPE_CHECKING:
    from pathlib import Path

    from fairuse.stores.backend import Access

FULL = 2
COMMITS = 10
WRITE = """
import asyncio, os, sys

from fairuse.rules.blocks import Block
from fairuse.stores.ledger import Ledger
from fairuse.stores.rows import Batch


async def main(url, commits):
    ledger = await Ledger.open(url)
    for number in range(int(commits)):
        os.write(2, b"begins\\n")
        await ledger.write(Batch(blocks=[Block("192.0.2.1", "anna", "burst", 0.0, 9.0, number)]))
        os.write(2, b"done\\n")
    await ledger.close()


asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.anyio
@pytest.mark.parametrize("access", ["alone", "shared", "beside"])
async def test_every_connection_waits_for_the_disk(tmp_path: Path, access: Access) -> None:
    """F-40: synchronous is FULL on each of several connections at once, however it was opened."""
    url = f"sqlite:///{tmp_path}/fairuse.db"
    await (await Ledger.open(url)).close()
    file = await SqliteFile.open(url, access)
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(file._engine.connect()) for _ in range(5)]
        found = [
            (await each.exec_driver_sql("PRAGMA synchronous")).scalar() for each in connections
        ]
    await file.close()
    assert found == [FULL] * 5


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    """F-40: a write is done when its log was synced, each time anew (strace)."""
    trace, url = tmp_path / "trace", f"sqlite:///{tmp_path}/fairuse.db"
    asyncio.run(_made(url))
    command = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=fsync,fdatasync,write"]
    command += [sys.executable, "-c", WRITE, url, str(COMMITS)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "ptrace" in outcome.stderr:
        pytest.skip("nobody may be traced here")
    assert outcome.returncode == 0
    synced = [_syncs_of_the_log(each) for each in _writes(trace.read_text())]
    assert len(synced) == COMMITS
    assert min(synced) >= 1


async def _made(url: str) -> None:
    await (await Ledger.open(url)).close()


def _writes(trace: str) -> list[str]:
    """Cut out what happened during each write."""
    return [each.partition('"done\\n"')[0] for each in trace.split('"begins\\n"')[1:]]


def _syncs_of_the_log(trace: str) -> int:
    return sum("sync(" in line and "fairuse.db-wal>" in line for line in trace.splitlines())
