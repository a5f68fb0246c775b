"""Identify: turn a request into a subject, or refuse an unknown caller.

Unknown callers share nothing with each other: each address has a bucket of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.keys import bounded, fingerprint, same
from fairuse.rules.exchange import Subject
from fairuse.rules.refusal import Figures, Refusal

if TYPE_CHECKING:
    from fairuse.base.address import Address
    from fairuse.rules.config import Config, KeyHolder
    from fairuse.rules.exchange import Exchange
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.callers import RecentEvents


def identify(
    exchange: Exchange, config: Config, unknown_callers: RecentEvents
) -> Subject | Refusal:
    """Find out who is asking, and about which location; or give the refusal."""
    address = _address(exchange)
    holder = _holder(exchange, config)
    if holder is None:
        return _unknown(exchange, address, config, unknown_callers)
    location = bounded(config.location_in(exchange.path) or "")
    exchange.subject = Subject(holder.account, location, address, holder.terms)
    return exchange.subject


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


def _holder(exchange: Exchange, config: Config) -> KeyHolder | None:
    """Find the account of the API key; two keys are as good as none."""
    keys = exchange.header_lines(config.key_header)
    if len(keys) != 1:
        return None
    shown = fingerprint(keys[0])
    holder = config.holder_of(shown)
    return holder if holder is not None and same(shown, holder.fingerprint) else None


def _unknown(
    exchange: Exchange, address: Address, config: Config, unknown_callers: RecentEvents
) -> Refusal:
    """Refuse a caller without a known key; an address that keeps trying is told to wait."""
    rate = config.settings.unknown_callers.rate
    seconds = rate.get_expiry()
    tally = unknown_callers.tally((address.bucket,), seconds, exchange.at)
    if tally.used < rate.amount:
        tally.take(1, exchange.at, None)
        return Refusal("unknown-caller", "unknown-caller", config.key_header.decode())
    window = f"{rate.multiples} {rate.GRANULARITY.name}"
    return Refusal(
        "unknown-callers",
        "unknown-callers",
        until=exchange.at.wall + tally.frees_in(1, exchange.at),
        figures=Figures(tally.used, rate.amount, "request", window, (("address", address.bucket),)),
    )
