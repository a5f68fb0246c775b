"""Faults of the gateway itself: noted, and how many requests may be served in spite of them.

A customer must not be refused for a bug of ours, nor a bug be a way around every limit (F-55).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base import metrics
from fairuse.base.log import logger
from fairuse.stores.callers import RecentEvents

if TYPE_CHECKING:
    from fairuse.rules.exchange import Exchange

SERVED, SECONDS = 100, 60
"""How many requests of an account are served uncounted, in how many seconds."""
REMEMBERED = 10_000

log = logger(__name__)


class Faults:
    """Notes faults; whoever does so is handling the exception."""

    def __init__(self) -> None:
        self._served = RecentEvents(REMEMBERED)

    def served(self, exchange: Exchange, account: str) -> bool:
        """Note one that kept a request from being decided; False where it has to be refused."""
        served = self._served.count((account,), SECONDS, exchange.at).used <= SERVED
        self.note(exchange, "served" if served else "refused")
        return served

    def note(self, exchange: Exchange, became: str) -> None:
        """Note one, and what became of the request: "served" or "refused"."""
        metrics.faults(became).inc()
        log.exception("gateway.fault", request_id=exchange.request_id, became=became)
