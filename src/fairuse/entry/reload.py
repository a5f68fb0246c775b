"""Takes up changes of the configuration folder while the gateway runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from watchfiles import awatch

from fairuse.base.log import logger

if TYPE_CHECKING:
    from fairuse.stores.configuration import Configuration

LOOK_ANYWAY_MILLISECONDS = 5_000
"""For what changed while nobody watched yet, and for file systems that tell nobody."""

READ_AT_START = ("listen", "server", "counters", "ledger", "log", "metrics", "drain", "portal")

log = logger(__name__)


async def watch(configuration: Configuration) -> None:
    """Reload whenever a file of the configuration changes, until cancelled.

    Whatever else lies in the folder may change: a ledger does all the time. The files are read in a
    thread, so that requests go on meanwhile.
    """
    changes = awatch(
        configuration.folder,
        debounce=200,
        step=50,
        rust_timeout=LOOK_ANYWAY_MILLISECONDS,
        yield_on_timeout=True,
    )
    async for _ in changes:
        if await asyncio.to_thread(configuration.changed):
            await asyncio.to_thread(reload, configuration)


def reload(configuration: Configuration) -> None:
    """Put in force what is good, and say what is not; what was in force before stays otherwise."""
    before = configuration.current.settings
    try:
        findings = configuration.reload()
    except Exception:  # a fault of ours must not end the watch
        log.exception("configuration.not_reloaded")
        return
    for finding in findings:
        log.error("configuration.kept_last_good", finding=str(finding))
    settings = configuration.current.settings
    waiting = [name for name in READ_AT_START if getattr(settings, name) != getattr(before, name)]
    if waiting:
        log.warning("configuration.needs_restart", keys=waiting)
    event = "configuration.reloaded_in_part" if findings else "configuration.reloaded"
    log.info(event, tenants=configuration.current.tenants)
