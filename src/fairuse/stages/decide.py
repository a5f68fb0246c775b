"""Decide: all limits at once, reserved on all of them or on none.

An address that goes on after its refusals is blocked here, at once: overload is the one thing
that may be answered without a notice first, and only with a block (A24, A29).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.blocks import next_block
from fairuse.rules.headers import HardLimit
from fairuse.rules.refusal import Figures, Refusal
from fairuse.rules.windows import Always
from fairuse.stores.protocol import Receipt

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.blocks import Block
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.callers import RecentEvents
    from fairuse.stores.protocol import Claim, Counters, Exceeded


def decide(
    subject: Subject, claims: list[Claim], counters: Counters, at: Instant
) -> Receipt | Exceeded:
    """Reserve what the request needs, or say which limit it would take over its amount."""
    return counters.reserve(subject.account, claims, at)


def hard_limits(decision: Receipt | Exceeded, at: Instant) -> list[HardLimit]:
    """Give what remains of the hard limits that were asked; soft ones show nothing (P4)."""
    if isinstance(decision, Receipt):
        return [
            _hard_limit(claim, tally.used, seconds, tally.resets_in(at))
            for claim, tally, _ in decision.holds
            if claim.limit.hard and (seconds := claim.window_seconds)
        ]
    if not (seconds := decision.claim.window_seconds):
        return []
    return [_hard_limit(decision.claim, decision.used, seconds, decision.frees_in or seconds)]


def _hard_limit(claim: Claim, used: int, seconds: int, resets_in: float) -> HardLimit:
    amount, left = claim.amount, claim.amount - used
    if claim.limit.unit.decimals:
        one = 10**claim.limit.unit.decimals
        amount, left = amount // one, left // one
    return HardLimit(claim.limit.name, amount, left, seconds, resets_in)


def refusal_of(exceeded: Exceeded, at: Instant) -> Refusal:
    """Turn an exceeded limit into what the client is told."""
    claim = exceeded.claim
    limit = claim.limit
    return Refusal(
        _kind(limit),
        limit.name,
        until=None if exceeded.frees_in is None else at.wall + exceeded.frees_in,
        figures=Figures(exceeded.used, claim.amount, limit.unit, limit.window_text, claim.scope),
    )


def _kind(limit: LimitTerms) -> str:
    if limit.over == "deny user":
        return "seat"
    if isinstance(limit.window, Always):
        return "full"
    return "runaway" if limit.then and "address" in limit.scope else "quota"


def block_repeated(
    exceeded: Exceeded,
    exchange: Exchange,
    subject: Subject,
    config: Config,
    blocks: Blocks,
    refusals: RecentEvents,
) -> Block | None:
    """Block the address of a request whose limits keep refusing it, if a rule says so."""
    address = subject.address
    if address.text in config.never_block:
        return None
    for claim in (exceeded.claim, *exceeded.others):
        limit = claim.limit
        name = (limit.name, subject.account, address.bucket)
        if limit.then and refusals.repeats(name, limit.then.after, exchange.at):
            earlier, moment = blocks.latest(address.bucket, subject.account), exchange.at.wall
            block = next_block(limit.then, limit.name, address, subject.account, earlier, moment)
            blocks.add(block)
            return block
    return None
