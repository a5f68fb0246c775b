"""Settle: close the receipt exactly once; units count only if the API accepted the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    accepted = exchange.status is not None and 200 <= exchange.status < 300
    if accepted:
        for meter in exchange.meters:
            journal.note_usage(subject.account, subject.location, meter, 1, exchange.at.wall)
    return counters.settle(receipt, accepted=accepted, at=at)
