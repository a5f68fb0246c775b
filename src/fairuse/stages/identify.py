"""Identify: turn a request into a subject, or refuse an unknown caller.

Unknown callers share nothing with each other: each address has a bucket of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fairuse.base.keys import bounded, fingerprint, same
from fairuse.rules.config import KeyHolder, Sender
from fairuse.rules.exchange import Subject
from fairuse.rules.refusal import Figures, Refusal
from fairuse.rules.units import REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairuse.base.address import Address
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange
    from fairuse.rules.terms import Terms
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.callers import RecentEvents

K = TypeVar("K", KeyHolder, Sender)


def identify(
    exchange: Exchange, config: Config, unknown_callers: RecentEvents
) -> Subject | Refusal:
    """Find out who is asking, and about which location; or give the refusal."""
    holder = _known(exchange, config, config.holder_of)
    if holder is None:
        return _unknown(exchange, config, unknown_callers)
    return subject_of(exchange, config, holder.account, holder.terms)


def subject_of(exchange: Exchange, config: Config, account: str, terms: Terms) -> Subject:
    """Find out which location and which user an account's request is about."""
    location = bounded((config.location_in(exchange.path) or "").casefold())
    user = _user(exchange, config.user_header)
    exchange.subject = Subject(account, location, user, _address(exchange), terms)
    return exchange.subject


def identify_sender(
    exchange: Exchange, config: Config, unknown_callers: RecentEvents
) -> Sender | Refusal:
    """Find out who reports usage, or give the refusal; an account's own key is no sender's."""
    sender = _known(exchange, config, config.sender_of)
    if sender is not None:
        return sender
    return _unknown(exchange, config, unknown_callers)


def blocked_here(
    exchange: Exchange, subject: Subject, config: Config, blocks: Blocks
) -> Refusal | None:
    """Give the refusal of an account that is blocked at its address."""
    if subject.address.text in config.never_block:
        return None
    block = blocks.running(subject.address.bucket, subject.account, exchange.at.wall)
    return Refusal("blocked", block.rule, until=block.ends_at) if block else None


def _address(exchange: Exchange) -> Address:
    if exchange.address is None:
        raise RuntimeError("a request is admitted before it is identified")
    return exchange.address


def _user(exchange: Exchange, header: bytes | None) -> str:
    """Give the user that the request names; two names are as good as none."""
    if header is None:
        return ""
    names = exchange.header_lines(header)
    if len(names) != 1:
        return ""
    try:
        return bounded(names[0].decode().strip())
    except UnicodeDecodeError:
        return bounded(names[0].decode("latin-1").strip())


def _known(exchange: Exchange, config: Config, find: Callable[[str], K | None]) -> K | None:
    """Find whose the API key is; two keys are as good as none."""
    keys = exchange.header_lines(config.key_header)
    if len(keys) != 1:
        return None
    shown = fingerprint(keys[0])
    holder = find(shown)
    return holder if holder is not None and same(shown, holder.fingerprint) else None


def too_many(
    exchange: Exchange, config: Config, callers: RecentEvents, *name: str
) -> Refusal | None:
    """Count one more request without a key; gives the refusal where its bucket is empty.

    Each address has a bucket; with a name, one for what is named so.
    """
    rate, address = config.settings.unknown_callers.rate, _address(exchange)
    tally = callers.tally((address.bucket, *name), rate.get_expiry(), exchange.at)
    if tally.used < rate.amount:
        tally.take(1, exchange.at, None)
        return None
    window = f"{rate.multiples} {rate.GRANULARITY.name}"
    return Refusal(
        "unknown-callers",
        "unknown-callers",
        until=exchange.at.wall + (tally.frees_in(1, exchange.at) or 0),
        figures=Figures(tally.used, rate.amount, REQUEST, window, (("address", address.bucket),)),
    )


def _unknown(exchange: Exchange, config: Config, unknown_callers: RecentEvents) -> Refusal:
    """Refuse a caller without a known key; an address that keeps trying is told to wait."""
    header = config.key_header.decode()
    refusal = too_many(exchange, config, unknown_callers)
    return refusal or Refusal("unknown-caller", "unknown-caller", header)
