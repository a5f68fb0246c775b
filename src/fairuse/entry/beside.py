"""What runs beside the requests: how it is begun, and how it ends with the service."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from fairuse.base.errors import StoreError
from fairuse.base.log import logger
from fairuse.stores.memory import SWEEP_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from typing import Any

    from fairuse.base.clock import Clock
    from fairuse.entry.upkeep import Upkeep
    from fairuse.pipeline import Pipeline
    from fairuse.stores.evidence import EvidenceCollector
    from fairuse.stores.journal import Journal
    from fairuse.stores.ledger import Ledger

TELL_SECONDS = 5.0

log = logger(__name__)


async def again_and_again(upkeep: Upkeep) -> None:
    """Run it every minute; whoever cancels this waits until a run is through with the ledger."""
    while True:
        run = asyncio.create_task(upkeep.run())
        try:
            await asyncio.shield(run)
        except asyncio.CancelledError:
            await asyncio.wait([run])
            raise
        except Exception:  # a fault of ours must not end what is to be done every minute
            log.exception("upkeep.failed")
        await asyncio.sleep(SWEEP_SECONDS)


@asynccontextmanager
async def written_at_the_end(journal: Journal, ledger: Ledger, clock: Clock) -> AsyncIterator[None]:
    """Write what is gathered, and a last time at the end."""
    writer = asyncio.create_task(journal.run(ledger, clock))
    try:
        yield
    finally:
        journal.stop()
        await writer


async def all_told(pipeline: Pipeline) -> None:
    """Give the notices that are still to be written a moment; the next start finds the rest."""
    try:
        async with asyncio.timeout(TELL_SECONDS):
            with suppress(StoreError):
                await pipeline.counters.flush()
            await pipeline.followups.join()
    except TimeoutError:
        log.error("notices.waiting", count=pipeline.followups.waiting)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run something beside the requests, and end it with the service."""
    task = asyncio.create_task(work)
    task.add_done_callback(_report)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("background.died", reason=repr(error))


@asynccontextmanager
async def collecting(evidence: EvidenceCollector) -> AsyncIterator[None]:
    """Gather where use comes from, and hand on what is gathered at the end."""
    try:
        async with running(evidence.run()):
            yield
    finally:
        evidence.tell()
