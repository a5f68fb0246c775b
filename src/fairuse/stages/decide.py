"""Decide: all limits at once, reserved on all of them or on none.

An address that goes on after its refusals is blocked here, at once: overload is the one thing
that may be answered without a notice first, and only with a block (A24, A29).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules.blocks import next_block
from fairuse.rules.claims import Claims
from fairuse.rules.headers import (
    policy_of_one,
    state_figures,
    state_form,
    state_header,
)
from fairuse.rules.meters import GROWING
from fairuse.rules.refusal import Figures, Refusal
from fairuse.rules.windows import Always
from fairuse.stores.memory import SWEEP_SECONDS
from fairuse.stores.protocol import Exceeded, Receipt, StoreAway

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.base.wire import Headers
    from fairuse.rules.blocks import Block
    from fairuse.rules.config import Config
    from fairuse.rules.exchange import Exchange, Subject
    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.callers import RecentEvents
    from fairuse.stores.protocol import Counters, Decision

AWAY_SECONDS = 1
"""When to try again where a store of counters is away; it is looked for as often."""


async def decide(subject: Subject, claims: Claims, counters: Counters, at: Instant) -> Decision:
    """Reserve what the request needs, or say which limit it would take over its amount."""
    decision = counters.try_reserve(subject.account, claims, at)
    if decision is None:
        return await counters.reserve(subject.account, claims, at)
    return decision


def limit_headers(claims: Claims, decision: Decision, at: Instant) -> Headers:
    """Write what remains of the hard limits that were asked; soft ones show nothing (P4)."""
    if isinstance(decision, Receipt):
        counted = decision.claims
        if isinstance(counted, Claims):
            claims = counted  # without the store there may be no room to count all of them
        policy = claims.policy
        if policy is None:
            return []
        figures: list[int] = []
        for claim, used, resets_in in decision.standings(at):
            if claim.announced:
                figures += state_figures((claim.amount - used) // claim.one, resets_in)
        return [policy, state_header(claims.state, figures)]
    if isinstance(decision, Exceeded) and (seconds := decision.claim.window_seconds):
        claim = decision.claim
        name, remains = claim.limit.name, (claim.amount - decision.used) // claim.one
        figures = [*state_figures(remains, decision.frees_in or seconds)]
        policy = policy_of_one(name, claim.amount // claim.one, seconds)
        return [policy, state_header(state_form([name]), figures)]
    return []


def refusal_of(exceeded: Exceeded | StoreAway, at: Instant) -> Refusal:
    """Turn an exceeded limit, or one that can't be looked up, into what the client is told."""
    claim = exceeded.claim
    limit = claim.limit
    if isinstance(exceeded, StoreAway):
        return Refusal("store-away", limit.name, until=at.wall + AWAY_SECONDS)
    if (measure := claim.closed) is not None:
        return Refusal(
            "no-new-users",
            limit.name,
            measure.reason,
            until=measure.ends_at,
            figures=Figures(
                exceeded.used, claim.amount, limit.unit, limit.window_text, claim.scope
            ),
            review=measure.review_at,
        )
    return Refusal(
        _kind(limit),
        limit.name,
        until=None if exceeded.frees_in is None else at.wall + exceeded.frees_in,
        figures=Figures(exceeded.used, claim.amount, limit.unit, limit.window_text, claim.scope),
    )


def over_by_now(receipt: Receipt, at: Instant) -> Refusal | None:
    """Give the refusal of a request that was let in, and has come to too much since.

    What it came to is counted once a minute, and all of it is of that moment: so much may be of
    the window before.
    """
    for claim, used, resets_in in receipt.standings(at):
        if claim.plain and claim.limit.measure in GROWING:
            before = claim.amount * SWEEP_SECONDS / claim.window_seconds
            if used > claim.amount + before:
                return refusal_of(Exceeded(claim, used, resets_in), at)
    return None


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
