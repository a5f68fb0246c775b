"""Who reads a refusal, as far as the exchange tells."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from fairuse.base.texts import preferred
from fairuse.rules.refusal import Reader

if TYPE_CHECKING:
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange


def reader_of(exchange: Exchange, config: Config) -> Reader:
    """Find out who reads a refusal: the caller's language comes first, then the tenant's."""
    terms = exchange.subject.terms if exchange.subject else None
    return Reader(
        language=language_of(exchange, terms.language if terms else "en"),
        zone=terms.zone if terms else UTC,
        contact=config.settings.contact,
        request_id=exchange.request_id,
    )


def language_of(exchange: Exchange, otherwise: str) -> str:
    """Give the language that the caller wants, where we have it."""
    wanted = (exchange.header(b"accept-language") or b"").decode("latin-1")
    return preferred(wanted, otherwise)
