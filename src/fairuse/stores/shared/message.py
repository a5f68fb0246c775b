"""What is told to the store and asked of it in one step, and what it answers: see tell.lua."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from fairuse.rules.levels import InFlightTally
from fairuse.rules.members import MembersTally
from fairuse.rules.rolling import RollingTally
from fairuse.rules.tally import Slot
from fairuse.stores.protocol import Crossing, Exceeded, longest
from fairuse.stores.shared.share import FOREVER_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim
    from fairuse.rules.tally import Tally
    from fairuse.stores.shared.share import Count, Share

EMPTY = '""'
LEASE_SECONDS = 10.0
"""How long the store believes a process that says nothing more; then what it held is free."""
SAFE_SECONDS = 8.0
"""How long a process spends what it leased: less, for the answer took its time."""


Asked = asyncio.Future[list[Slot] | Exceeded]


class Ask(NamedTuple):
    """One request that waits: what it claims of which shares, and who is told.

    Who waits gets the slots that hold its units, or what was exceeded.
    """

    wanted: Sequence[tuple[Share, Claim]]
    answer: Asked
    asked_at: float


class _Told(NamedTuple):
    """What a share said of itself."""

    share: Share
    telling: list[Count]
    lease: int


class Message:
    """One step: shares that tell, and requests that ask."""

    def __init__(self, at: Instant, shares: Sequence[Share], asks: Sequence[Ask]) -> None:
        self._at = at
        self._asks = asks
        wanted = {id(share) for ask in asks for share, _ in ask.wanted}
        self._places = {id(share): place for place, share in enumerate(shares, 1)}
        self._told: list[_Told] = []
        self.unfinished: list[Share] = []
        indexes = {share.index: None for share in shares}
        self.keys = [*indexes]
        self._index_places = {index: place for place, index in enumerate(self.keys, 1)}
        tells = [self._tell(share, asked=id(share) in wanted) for share in shares]
        self.text = f"[[{','.join(tells)}],[{','.join(map(self._ask, asks))}]]"

    def _tell(self, share: Share, *, asked: bool) -> str:
        """Write what a share says of itself, in the order in which tell.lua reads it."""
        at, mine, limit = self._at, share.entered().mine, share.claim.limit
        if at[mine.clock] >= mine.turns_at:
            mine.expire(at)
        if at.monotonic >= share.until:
            share.left = 0  # by now it may be somebody else's
        if asked:
            share.left = 0  # what is in hand goes back, so that all of it can be asked for
        wants = share.next_lease(at.monotonic, asked=asked)
        number = share.tell(at.monotonic)
        self._told.append(_Told(share, share.telling, share.left))
        held, peak, names = mine.used, 0, "[]"
        if isinstance(mine, InFlightTally):
            held, peak = mine.now, max(share.peak, mine.now)
            share.peak = mine.now
        elif limit.kind != "flow":
            held = 0
            names = json.dumps(mine.open_names) if isinstance(mine, MembersTally) else names
        return (
            f"[{share.head},{self._index_places[share.index]},{share.bounds(at)}"
            f",{share.claim.amount},{0 if limit.hard else 1},{number},{_window(share)}"
            f",{held},{share.left},{peak},{wants},{share.kept_crossing(at.monotonic)}"
            f",[{','.join([_count(count, mine, at) for count in share.telling])}],{names}]"
        )

    def _ask(self, ask: Ask) -> str:
        places = self._places
        claims = [
            f"[{places[id(share)]},{claim.cost},{claim.amount},{int(claim.hard)}"
            f",{json.dumps(claim.member) if claim.member else EMPTY}]"
            for share, claim in ask.wanted
        ]
        return f"[{','.join(claims)}]"

    def apply(self, reply: Any, at: Instant) -> list[Crossing]:
        """Take in the answer; gives the soft limits that were gone over."""
        server, answers, crossings, verdicts = reply
        now, four = float(server) / 1_000, iter(answers)
        for told, answer in zip(self._told, zip(four, four, four, four, strict=True), strict=True):
            self._answered(told, answer, now, at)
        for ask, refused in zip(self._asks, verdicts, strict=True):
            self._decided(ask, refused, at)
        return [self._crossing(*each) for each in crossings if self._is_new(each, at.monotonic)]

    def _answered(
        self, told: _Told, answer: tuple[int, int, int, int], server: float, at: Instant
    ) -> None:
        share = told.share.entered()
        share.elsewhere, lease, window, ends = answer
        share.told(told.telling)
        if share.units or share.counted:
            self.unfinished.append(share)  # what was told was what had been told before
        share.left = max(0, share.left + lease - told.lease)
        share.told_at = at.monotonic
        # The store read its time after it was asked: all is reckoned from then.
        asked_at = self._at.monotonic
        share.until = asked_at + SAFE_SECONDS
        if isinstance(share.mine, RollingTally):
            share.known_until = asked_at + share.mine.seconds
        else:
            share.known_until = asked_at + ends / 1_000 - server
            share.until = min(share.until, share.known_until)
            share.know(told.telling, window, ends)

    def _is_new(self, crossing: Sequence[int], monotonic: float) -> bool:
        """Say whether this process tells of it: of a calendar window once."""
        place, _, began, *_ = crossing
        share = self._told[place - 1].share
        return isinstance(share.mine, RollingTally) or share.crosses(began, monotonic)

    def _crossing(self, place: int, reading: int, began: int, ends: int, amount: int) -> Crossing:
        share = self._told[place - 1].share
        account, _, _, scope = share.name
        limit = share.claim.limit
        return Crossing(account, limit, scope, amount, reading, began / 1_000, ends / 1_000)

    def _decided(self, ask: Ask, refused: list[Any], at: Instant) -> None:
        """Tell who waits; what nobody waits for any longer is to be given back."""
        if ask.answer.done():
            self.unfinished += [share for share, _ in ask.wanted]
            return
        if not refused:
            # In the window that the store decided in, also where it is a new one by now.
            slots = [share.take(claim, at, share.span or claim.span) for share, claim in ask.wanted]
            ask.answer.set_result(slots)
            return
        over = [
            Exceeded(ask.wanted[place - 1][1], used, None if frees < 0 else frees / 1_000)
            for place, used, frees in refused
        ]
        ask.answer.set_result(longest(over))


def _count(count: Count, mine: Tally, at: Instant) -> str:
    """Write a count: the window's bounds, the value, how long ago or when, and the amount."""
    slot, value = count.slot, count.value
    if isinstance(mine, RollingTally):
        ago = round((at.monotonic - slot.ends + mine.seconds) * 1_000)
        return f"[0,0,{value},{max(0, ago)},{count.amount}]"
    ends = FOREVER_MS if math.isinf(slot.ends) else round(slot.ends * 1_000)
    shown = value if isinstance(value, int) else json.dumps(value)
    began, moment = round(slot.began * 1_000), round(count.moment * 1_000)
    return f"[{began},{ends},{shown},{moment},{count.amount}]"


def _window(share: Share) -> int:
    """Say which calendar window it is that units are held of."""
    slots = share.mine.slots
    if slots and not slots[-1].over and not isinstance(share.mine, RollingTally):
        return round(slots[-1].began * 1_000)
    return share.span.start * 1_000 if share.span is not None else 0
