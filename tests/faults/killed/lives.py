"""Lives of a process, one after another: `python -m tests.faults.killed.lives`.

This process imports everything once. For each line it reads it forks one that goes on with the
story of a configuration, and says how that ended: 0, or the negative of what killed it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.killed.death import Commits
from tests.faults.killed.story import live
from tests.support import REPOSITORY

from fairuse.entry import deliver, lifecycle
from fairuse.stores import journal, outbox
from fairuse.stores.configuration import Configuration
from fairuse.stores.forces import Forces

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ALONE = (
    (deliver.Delivery, "run"),
    (Forces, "follow"),
    (lifecycle, "_again_and_again"),
    (lifecycle, "watch"),
)
"""What runs beside a story, and would take steps of its own."""
PATIENCE = 60.0
"""Seconds after which a life that comes to no end is a failure."""

LATE = ("aiosqlite", "anyio._backends._asyncio", "asyncpg", "h11", "httpcore")
"""What others import when they need it first."""


def main() -> None:
    """Fork a life for each line."""
    for name in LATE:
        importlib.import_module(name)
    Configuration(REPOSITORY / "config").load()  # what that reads once it need not read again
    for line in sys.stdin:
        wanted = json.loads(line)
        child = os.fork()
        if child == 0:
            _live(wanted)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  the answer


def _live(wanted: Mapping[str, Any]) -> None:
    """Be a life, and end."""
    config = Path(wanted["config"])
    with (config.parent / "said.log").open("a") as said:
        os.dup2(said.fileno(), 2)
        try:
            os.environ.update(wanted["environment"])
            Commits(config.parent / "commits", wanted["death"]).watch()
            _nothing_by_itself()
            asyncio.run(asyncio.wait_for(live(config), PATIENCE))
        except BaseException:  # noqa: BLE001  whatever it is, the test is told
            traceback.print_exc()
            os._exit(1)
        os._exit(0)


def _nothing_by_itself() -> None:
    """Leave to the story what runs beside it, and let nobody wait long for another attempt."""

    async def wait(*_: object) -> None:
        await asyncio.Event().wait()

    for where, name in ALONE:
        setattr(where, name, wait)
    journal.FLUSH_SECONDS = 3_600.0
    outbox.RETRY_STEPS = (5.0,) * len(outbox.RETRY_STEPS)  # type: ignore[assignment]


if __name__ == "__main__":
    main()
