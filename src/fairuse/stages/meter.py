"""Meter: find which limits a request touches, and ask of each what the request needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.stores.protocol import Claim

if TYPE_CHECKING:
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.policy import Scope
    from fairuse.rules.tally import ScopeKey


def meter(exchange: Exchange, subject: Subject) -> list[Claim]:
    """Give a claim of one unit on every limit of every meter that the request moves."""
    moment = exchange.at.wall
    meters = subject.terms.meters_of(exchange.method, exchange.path)
    exchange.meters = tuple(meters)
    return [
        Claim(
            limit,
            _scope_key(limit.scope, subject),
            limit.amount(moment).value,
            1,
            limit.span(moment),
        )
        for limits in meters.values()
        for limit in limits
    ]


def _scope_key(scope: Scope, subject: Subject) -> ScopeKey:
    """Say which part of the account is counted; a request without a location counts for all."""
    return tuple(
        (part, subject.location if part == "location" else subject.address.bucket)
        for part in scope
        if part != "location" or subject.location
    )
