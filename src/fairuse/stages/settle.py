"""Settle: close the receipt exactly once; units count only if the API accepted the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.exchange import CLIENT_GONE
from fairuse.stores.protocol import Outcome

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.stores.journal import Journal
    from fairuse.stores.protocol import Counters, Crossing, Receipt


def settle(
    exchange: Exchange,
    subject: Subject,
    receipt: Receipt,
    counters: Counters,
    journal: Journal,
    at: Instant,
) -> list[Crossing]:
    """Count the units of a 2xx, give back those of anything else; give the soft limits crossed."""
    outcome = _outcome(exchange)
    if outcome is Outcome.ACCEPTED:
        for meter in exchange.meters:
            journal.note_usage(subject.account, subject.location, meter, 1, exchange.at.wall)
    return counters.settle(receipt, outcome, at)


def _outcome(exchange: Exchange) -> Outcome:
    if exchange.status is None and exchange.fault == CLIENT_GONE:
        return Outcome.UNKNOWN
    accepted = exchange.status is not None and 200 <= exchange.status < 300
    return Outcome.ACCEPTED if accepted else Outcome.REFUSED
