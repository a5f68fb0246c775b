"""What becomes of a claim on a tally: pure but for the tally itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import Slot, Tally
from fairuse.rules.windows import Always, Rolling, parse_window
from fairuse.stores.protocol import Crossing, Exceeded, Reading

if TYPE_CHECKING:
    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim
    from fairuse.stores.rows import SlotRow


def over(claim: Claim, tally: Tally) -> bool:
    """Say whether the units do not fit.

    A job larger than the limit of a short window is let in while the window is empty, and all
    that comes after it waits; otherwise it could never be done.
    """
    if tally.fits(claim.cost, claim.amount, claim.member):
        return False
    alone = tally.used == 0 and claim.amount > 0 and isinstance(claim.limit.window, Rolling)
    return not alone


def accrued(before: Claim, tally: Tally, held: Slot, units: int, at: Instant) -> tuple[Claim, Slot]:
    """Count units now, and give what is held from here on: nothing, in the window of now."""
    claim = before.but(cost=0, span=before.limit.span(at.wall))
    tally.expire(at)
    tally.settle(held, before.cost, None, claim.member)
    slot = tally.current(at, claim.span)
    tally.settle(slot, 0, units, claim.member)
    return claim, slot


def settled(claim: Claim, tally: Tally, slot: Slot, actual: int | None, at: Instant) -> Slot:
    """Settle units, and give the slot that has the last of them.

    What was reserved is of the moment it was; what a request came to beyond that is of the moment
    it is known, where a rolling window is over meanwhile. Otherwise being slow would be a way
    around the limit.
    """
    beyond = 0 if actual is None else actual - claim.cost
    if beyond <= 0 or not isinstance(tally, RollingTally) or at.monotonic < slot.ends:
        tally.settle(slot, claim.cost, actual, claim.member)
        return slot
    tally.expire(at)
    tally.settle(slot, claim.cost, claim.cost, claim.member)
    latest = tally.current(at, None)
    tally.settle(latest, 0, beyond, claim.member)
    return latest


def exceeded(claim: Claim, tally: Tally, at: Instant) -> Exceeded:
    """Say by how much a claim is over, and when it may fit."""
    larger_than_all = claim.cost > claim.amount
    if larger_than_all and (claim.amount == 0 or not isinstance(claim.limit.window, Rolling)):
        return Exceeded(claim, tally.used, None)
    over = tally.used if larger_than_all else tally.used + claim.cost - claim.amount
    return Exceeded(claim, tally.used, tally.frees_in(over, at))


def slot_of(row: SlotRow, tally: Tally, at: Instant) -> Slot:
    """Make the slot that a row of the ledger is about."""
    if not isinstance(tally, RollingTally):
        endless = isinstance(parse_window(row.key.window), Always)
        slot = Slot(row.slot, row.slot / 1_000, math.inf if endless else row.ends_at, row.units)
        slot.compared = slot.settled
        return slot
    left = min(row.ends_at - at.wall, tally.seconds)
    return Slot(row.slot, at.monotonic + left - tally.seconds, at.monotonic + left, row.units)


def reading_of(tally: Tally, at: Instant) -> Reading:
    """Give what a tally has, as it is shown; a level that outlasts its window is of none."""
    latest = tally.slots[-1]
    return Reading(
        limit=tally.key.limit,
        window=tally.key.window,
        scope=tally.key.scope,
        settled=tally.used if latest.over else tally.reading(latest),
        used=tally.used,
        starts_at=0.0 if latest.over else tally.opened_at,
        ends_at=at.wall + tally.resets_in(at),
    )


def crossing_of(claim: Claim, tally: Tally, slot: Slot, at: Instant) -> Crossing:
    """Give what there is to tell, where a soft limit was gone over."""
    return Crossing(
        account=tally.key.account,
        limit=claim.limit,
        scope=claim.scope,
        amount=claim.amount,
        reading=tally.reading(slot),
        starts_at=slot.key / 1_000,
        ends_at=at.wall + slot.ends - at[tally.clock],
    )
