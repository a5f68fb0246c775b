"""Reviews: the operator hears of a measure's day, once, and sees how many wait (P6)."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from fairuse.base import metrics
from fairuse.base.log import logger
from fairuse.base.texts import iso_time
from fairuse.stores.reviews import due_reviews, note_due

if TYPE_CHECKING:
    from fairuse.base.clock import Clock
    from fairuse.stores.configuration import Configuration
    from fairuse.stores.ledger import Ledger

log = logger(__name__)


class Reviews:
    """Says which measures are to be looked at again."""

    def __init__(self, clock: Clock, configuration: Configuration, ledger: Ledger) -> None:
        self._clock = clock
        self._configuration = configuration
        self._ledger = ledger

    async def run(self) -> None:
        """Say it of each measure whose day has come and of which it was not said yet."""
        moment = self._clock.now().wall
        operators = self._configuration.current.settings.notices.operators
        for measure in await due_reviews(self._ledger, moment):
            if await note_due(self._ledger, measure, moment, operators):
                day = iso_time(measure.review_at or moment, UTC)
                about = {"case": measure.case, "account": measure.account, "do": measure.kind}
                log.warning("measure.review_due", **about, review=day)

    async def count(self) -> None:
        """Bring the metric up to date: each process by itself. Raises LedgerError."""
        metrics.REVIEWS_DUE.set(len(await due_reviews(self._ledger, self._clock.now().wall)))
