"""Takes up changes of the configuration folder while the gateway runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watchfiles import Change, awatch

from fairuse.base.log import logger

if TYPE_CHECKING:
    from fairuse.stores.configuration import Configuration

log = logger(__name__)


async def watch(configuration: Configuration) -> None:
    """Reload whenever a TOML file of the folder changes, until cancelled."""
    async for _ in awatch(configuration.folder, watch_filter=_is_toml, debounce=200, step=50):
        reload(configuration)


def _is_toml(_change: Change, path: str) -> bool:
    """Leave out whatever else lies in the folder: a ledger there changes all the time."""
    return path.endswith(".toml")


def reload(configuration: Configuration) -> None:
    """Put in force what is good, and say what is not; what was in force before stays otherwise."""
    findings = configuration.reload()
    for finding in findings:
        log.error("configuration.kept_last_good", finding=str(finding))
    log.info("configuration.reloaded", tenants=len(configuration.current.terms))
