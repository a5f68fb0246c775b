"""Tells the store what was counted, and asks it for what is claimed.

All that is asked in one turn of the event loop goes in one call; an account has at most one call
under way, and what comes up meanwhile goes in its next one. Where the store does not answer in
time, nobody waits for it any more: one probe a second finds out when it is back (F-37).
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from fairuse.base import metrics
from fairuse.base.errors import StoreError
from fairuse.base.keys import new_owner
from fairuse.base.log import logger
from fairuse.stores.shared.message import LEASE_SECONDS, Ask, Asked, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.claims import Claim
    from fairuse.stores.protocol import Crossed
    from fairuse.stores.shared.channel import Channel
    from fairuse.stores.shared.clock import StoreClock
    from fairuse.stores.shared.share import Share

BUDGET_SECONDS = 0.05
"""How long a request waits for the store; then it is decided without (F-37)."""
STOOD_STILL_SECONDS = 0.005
PROBE_SECONDS = 1.0
TELL_SECONDS = 0.2
MOST_AT_ONCE = 500
"""Shares in one call."""
MOST_BESIDE = 100
"""Shares that are told in one call with requests that wait."""
MOST_ASKS = 200
"""Requests of one account in one call."""
MOST_TOLD = 2_000
"""Shares told in one turn of the timer: after an outage the store is not flooded (F-38)."""
CALLS_AT_ONCE = 2
CALLS_AT_ONCE_TO_A_CLUSTER = 16
NOT_ASKED = "it was not asked yet"
LOST = "nobody knows whether it has heard all"

log = logger(__name__)


class Group:
    """What is to be told and asked for one account."""

    __slots__ = ("account", "asks", "begun", "busy", "dirty", "ended", "failed", "waiting")

    def __init__(self, account: str) -> None:
        self.account = account
        self.asks: list[Ask] = []
        self.dirty: dict[Share, None] = {}
        self.busy = False
        self.waiting: deque[Group] | None = None
        self.begun = 0
        self.ended = 0
        self.failed = 0


class Teller:
    """Makes the calls. `away` says that the store does not answer, and why; "" while it does."""

    def __init__(
        self,
        channel: Channel,
        namespace: str,
        clock: StoreClock,
        crossed: Crossed,
        *,
        strict: bool,
    ) -> None:
        self._probe_key = f"{namespace}:probe"
        self.owner = new_owner()
        self.away = NOT_ASKED
        self.outages = 0
        self._stopping = False
        self._channel = channel
        self._clock = clock
        self._crossed = crossed
        self._strict = strict
        self._groups: dict[str, Group] = {}
        self._asking: deque[Group] = deque()
        self._telling: deque[Group] = deque()
        self._tells_first = False
        self._calls: set[asyncio.Task[None]] = set()
        self._pumping = False
        self._called = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect; where the store does not answer, go on looking for it. Raises StoreError."""
        try:
            await self._channel.connect()
            await self._probe()
        finally:
            self._tasks = [
                asyncio.create_task(self._tell_again_and_again()),
                asyncio.create_task(self._look_for_it()),
            ]

    async def stop(self) -> None:
        """Tell what there is to tell, if the store is there, and disconnect."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self.flush()
        self._stopping = True
        tasks = (*self._tasks, *self._calls)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for group in self._groups.values():
            _let_go(group.asks)
        await self._channel.close()

    def ask(self, account: str, wanted: Sequence[tuple[Share, Claim]]) -> Asked:
        """Ask for what is claimed."""
        answer: Asked = asyncio.get_running_loop().create_future()
        ask = Ask(wanted, answer, self._clock.monotonic())
        if self.away or self._stopping:
            _let_go([ask])
        else:
            group = self._group(account)
            group.asks.append(ask)
            self._wait(group)
        return answer

    def dirty(self, share: Share, *, urgent: bool = False) -> None:
        """Have it told what became of a share: soon, or at once."""
        account = share.name.account
        group = self._groups.get(account) or self._group(account)
        group.dirty[share] = None
        if urgent:
            self._wait(group)

    async def flush(self, account: str | None = None) -> None:
        """Wait until what there is to tell has been told. Raises StoreError."""
        known = [self._groups.get(account)] if account else [*self._groups.values()]
        # What is dirty now is in the calls that begin from now on.
        targets = {
            group: (group.begun + _calls_needed(group), group.failed)
            for group in known
            if group and (group.dirty or group.busy)
        }
        while waiting := [group for group, (calls, _) in targets.items() if group.ended < calls]:
            if self.away:
                raise StoreError(self.away)
            for group in waiting:
                self._wait(group)
            self._called.clear()
            await self._called.wait()
        if any(group.failed > failed for group, (_, failed) in targets.items()):
            raise StoreError(self.away or LOST)

    def _group(self, account: str) -> Group:
        group = self._groups.get(account)
        if group is None:
            group = self._groups[account] = Group(account)
        return group

    def _wait(self, group: Group) -> None:
        """Put a group in the next call; those of requests that wait come first."""
        if group.busy or self.away or self._stopping:
            return
        queue = self._asking if group.asks else self._telling
        if group.waiting is self._asking or group.waiting is queue:
            return
        group.waiting = queue
        queue.append(group)
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Make as many calls as may be under way at once."""
        self._pumping = False
        clustered = self._channel.clustered
        most = CALLS_AT_ONCE_TO_A_CLUSTER if clustered else CALLS_AT_ONCE
        while len(self._calls) < most and (groups := self._batch(1 if clustered else MOST_AT_ONCE)):
            task = asyncio.create_task(self._call(groups))
            self._calls.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("counters.call_failed", reason=repr(error))
        self._called.set()
        self._pump()

    def _batch(self, most: int) -> list[Group]:
        """Take groups for one call; no account is in two of them.

        Those that are only told have every other turn: however many ask, the store has to hear in
        time of what is held.
        """
        self._tells_first = not self._tells_first
        if self._tells_first:
            room = min(most, MOST_BESIDE) if self._asking else most
            groups, size = self._taken(self._telling, room)
            return groups + self._taken(self._asking, most - size)[0]
        groups, size = self._taken(self._asking, most)
        room = min(most - size, MOST_BESIDE) if groups else most
        return groups + self._taken(self._telling, room)[0]

    def _taken(self, queue: deque[Group], most: int) -> tuple[list[Group], int]:
        """Take groups from a queue, and say how many shares they are about."""
        groups: list[Group] = []
        size = 0
        while queue and size < most:
            group = queue.popleft()
            if group.waiting is not queue:
                continue  # it has come to ask meanwhile
            group.waiting = None
            group.busy = True
            group.begun += 1
            size += len(group.dirty) + sum(len(ask.wanted) for ask in group.asks)
            groups.append(group)
        return groups, size

    async def _call(self, groups: list[Group]) -> None:  # noqa: C901  all that can go wrong
        """Make one call; whatever comes of it, nobody is left waiting and nothing untold."""
        asks: list[Ask] = []
        shares: dict[Share, None] = {}
        outages = self.outages
        try:
            at = self._clock.now()
            for group in groups:
                _take(group, asks, shares, at)
            if shares or asks:
                await self._answered(Message(at, [*shares], asks), asks)
        except BaseException as error:
            for group in groups:
                group.failed += 1
            for share in shares:
                self.dirty(share)
            _let_go(asks)
            if not isinstance(error, Exception):
                raise
            if not isinstance(error, StoreError):
                log.exception("counters.call_failed")
            if self.outages == outages:  # it may have been found late before
                self._went_away(str(error))
        finally:
            for group in groups:
                group.busy = False
                group.ended += 1
                if group.asks or len(group.dirty) >= MOST_AT_ONCE:
                    self._wait(group)
                elif not group.dirty and self._groups.get(group.account) is group:
                    del self._groups[group.account]

    async def _answered(self, message: Message, asks: list[Ask]) -> None:
        """Wait for the answer; who asked waits no longer than the budget. Raises StoreError."""
        calling = asyncio.ensure_future(self._told(message, message.keys))
        now = self._clock.monotonic()
        oldest = min((ask.asked_at for ask in asks), default=now)
        left = max(BUDGET_SECONDS / 5, BUDGET_SECONDS - (now - oldest))
        try:
            if not await self._in_time(calling, left):
                self._went_away("it answers late")
                _let_go(asks)
            await calling
        finally:
            calling.cancel()
            await asyncio.wait((calling,))
        for share in message.unfinished:
            self.dirty(share)

    async def _in_time(self, calling: asyncio.Future[None], seconds: float) -> bool:
        """Wait for an answer; time in which this process stood still is not the store's."""
        lag = STOOD_STILL_SECONDS
        while not calling.done() and lag >= STOOD_STILL_SECONDS:
            began = self._clock.monotonic()
            await asyncio.wait((calling,), timeout=seconds)
            lag = self._clock.monotonic() - began - seconds
        return calling.done()

    async def _told(self, message: Message, keys: list[str]) -> None:
        """Call the script, and take in what it answers. Raises StoreError."""
        sent = self._clock.monotonic()
        args: list[int | str] = [self.owner, int(LEASE_SECONDS * 1_000), int(self._strict)]
        args.append(message.text)
        reply = await self._channel.call(self._channel.tell, keys, args)
        try:
            self._clock.correct(float(reply[0]) / 1_000, sent, self._clock.monotonic())
            crossings = message.apply(reply, self._clock.now())
        except (TypeError, ValueError, LookupError) as error:
            raise StoreError(f"it answers what is no answer: {error!r}") from error
        for crossing in crossings:
            self._crossed(crossing)

    async def _tell_again_and_again(self) -> None:
        """Tell a few times a second what was settled."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            told = 0
            for group in [*self._groups.values()]:
                if group.dirty and told < MOST_TOLD:
                    told += min(len(group.dirty), MOST_AT_ONCE)
                    self._wait(group)

    def _went_away(self, reason: str) -> None:
        """Decide without the store from now on."""
        if not self.away:
            self.outages += 1
            metrics.STORE_OUTAGES.inc()
            log.error("counters.store_away", store=self._channel.place, reason=reason)
        self.away = reason
        self._asking.clear()
        self._telling.clear()
        for group in self._groups.values():
            group.waiting = None
            waiting, group.asks = group.asks, []
            _let_go(waiting)
        self._called.set()

    async def _look_for_it(self) -> None:
        """Ask once a second whether the store is back, one question at a time."""
        while True:
            await asyncio.sleep(PROBE_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  no herd
            if self.away:
                try:
                    await self._probe()
                except StoreError as error:
                    self.away = str(error)
                except Exception:  # whatever it is, the store has to be looked for again
                    log.exception("counters.probe_failed")

    async def _probe(self) -> None:
        """Find out whether the store can be asked, and written. Raises StoreError."""
        if not self._channel.connected:
            await self._channel.connect()
        sent = self._clock.monotonic()
        await self._told(Message(self._clock.now(), [], []), [self._probe_key])
        if self._clock.monotonic() - sent > BUDGET_SECONDS:
            raise StoreError("it answers late")
        if self.away not in ("", NOT_ASKED):
            log.info("counters.store_back", store=self._channel.place)
        self.away = ""


def _calls_needed(group: Group) -> int:
    """Say in how many calls all is told that is to be told now.

    Where it is not known whether something arrived, it is told first, by itself.
    """
    in_doubt = any(share.telling for share in group.dirty)
    return math.ceil(len(group.dirty) / MOST_AT_ONCE) + in_doubt


def _take(group: Group, asks: list[Ask], shares: dict[Share, None], at: Instant) -> None:
    """Take what goes in one call; of an account with very much to tell, a part.

    What a lease affords that has come meanwhile need not be asked for.
    """
    waiting = [ask for ask in group.asks if not ask.answer.done() and not _afforded(ask, at)]
    waiting, group.asks = waiting[:MOST_ASKS], waiting[MOST_ASKS:]
    asks += waiting
    told = [*group.dirty][:MOST_AT_ONCE]
    for share in told:
        del group.dirty[share]
    shares |= dict.fromkeys(told)
    shares |= dict.fromkeys(share for ask in waiting for share, _ in ask.wanted)


def _afforded(ask: Ask, at: Instant) -> bool:
    """Let a request in that waits, where that is possible without asking."""
    if not all(share.entered().affords(claim, at.monotonic) for share, claim in ask.wanted):
        return False
    # In the window that the store is in by now, which may be a new one.
    slots = [share.spend(claim, at, share.span or claim.span) for share, claim in ask.wanted]
    ask.answer.set_result(slots)
    return True


def _let_go(asks: Iterable[Ask]) -> None:
    """Have those who wait decide without the store."""
    for ask in asks:
        if not ask.answer.done():
            ask.answer.set_exception(StoreError("the store does not answer"))
