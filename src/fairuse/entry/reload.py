"""Takes up changes of the configuration folder while the gateway runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watchfiles import awatch

from fairuse.base.log import logger

if TYPE_CHECKING:
    from fairuse.stores.configuration import Configuration

log = logger(__name__)


async def watch(configuration: Configuration) -> None:
    """Reload whenever a file of the folder changes, until cancelled."""
    async for _ in awatch(configuration.folder, debounce=200, step=50):
        reload(configuration)


def reload(configuration: Configuration) -> None:
    """Put in force what is good, and say what is not; what was in force before stays otherwise."""
    findings = configuration.reload()
    for finding in findings:
        log.error("configuration.kept_last_good", finding=str(finding))
    log.info("configuration.reloaded", tenants=len(configuration.current.terms))
