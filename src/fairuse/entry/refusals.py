"""Refusals that several of our own pages give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.refusal import Refusal

if TYPE_CHECKING:
    from fairuse.rules.exchange import Exchange


def only_read(exchange: Exchange, what: str) -> Refusal | None:
    """Refuse any other method for what can only be read: "usage is", say."""
    if exchange.method in ("GET", "HEAD"):
        return None
    return Refusal("method-not-allowed", "http", f"{what} read with GET", allow="GET, HEAD")


def ledger_away(exchange: Exchange) -> Refusal:
    """Refuse what nobody can answer while the ledger is away; it may be back in a second."""
    return Refusal("ledger-away", "ledger", until=exchange.at.wall + 1)
