"""Counters shared over a real Redis, at a time that the tests decide."""

from __future__ import annotations

import itertools
import secrets
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha1
from typing import TYPE_CHECKING
from unittest.mock import patch

from redis import Redis
from tests.stores.support import Store

from fairuse.base.errors import StoreError
from fairuse.base.instant import Instant
from fairuse.stores.shared import teller
from fairuse.stores.shared.channel import Channel
from fairuse.stores.shared.clock import StoreClock
from fairuse.stores.shared.counters import SharedCounters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from fairuse.stores.protocol import Crossed

NOW = "fairuse-test:now"
MANUAL_TIME = f"""
local function server_time()
    return tonumber(redis.call('GET', '{NOW}'))
end
"""
PATIENT_SECONDS = 20.0
"""The budget in tests that are not about it: a busy machine is no store that is away."""
LEASED_AT_ONCE = 64
"""A lease is at most this part of what is free, unless a test wants larger ones."""

RUN = secrets.token_hex(4)
_namespaces = itertools.count(1)
_budgets: list[float] = []


def new_namespace() -> str:
    """Name a namespace that no other test has."""
    return f"test-{RUN}-{next(_namespaces)}"


@contextmanager
def patience() -> Iterator[None]:
    """Wait long for every answer, until the last who does so is through."""
    _budgets.append(teller.BUDGET_SECONDS)
    teller.BUDGET_SECONDS = PATIENT_SECONDS
    try:
        yield
    finally:
        first = _budgets[0]
        _budgets.pop()
        if not _budgets:
            teller.BUDGET_SECONDS = first


class Moments(StoreClock):
    """A clock that is always right: it shows the moment of the latest operation."""

    def __init__(self) -> None:
        self.at = Instant(0.0, 0.0)

    def now(self) -> Instant:
        """Give the moment."""
        return self.at

    def monotonic(self) -> float:
        """Give the moment on the monotonic clock."""
        return self.at.monotonic

    def correct(self, store_time: float, sent: float, received: float) -> None:
        """Need no correction."""


class SharedStore(Store):
    """A store that several of its kind can share; each moment is the server's time, too."""

    def __init__(
        self,
        url: str,
        *,
        strict: bool,
        namespace: str = "",
        leased_at_once: int = LEASED_AT_ONCE,
    ) -> None:
        self._redis = Redis.from_url(url)
        self.moments = Moments()
        self.namespace = namespace or new_namespace()
        self._url, self._strict = url, strict
        self._leased_at_once = leased_at_once
        self._ended = False
        if not self._redis.exists(NOW):
            self._set_time(Instant(0.0, 0.0))
        super().__init__(self._opened, self._set_time)

    @property
    def shared(self) -> SharedCounters:
        """Give the counters as what they are."""
        assert isinstance(self.counters, SharedCounters)
        return self.counters

    def close(self) -> None:
        """Give up what the counters hold, and disconnect."""
        if not self._ended:
            self._ended = True
            super().close()
            self._redis.close()

    def crash(self) -> None:
        """End as a killed process does: nothing more is told, and nothing is given back."""
        self.shared.teller.away = "it was killed"
        self.close()

    def unflushed(self, at: Instant, count: Callable[[], None]) -> None:
        """Count something, and wait for nobody to hear of it."""

        async def counted() -> None:
            count()

        self.before(at)
        self.run(counted())

    @contextmanager
    def away(self) -> Iterator[None]:
        """Have the server hear nothing for a while; at the end it is found again."""

        async def lost(*_: object) -> None:
            raise StoreError("the server hears nothing")

        with patch.object(self.shared._channel, "call", lost):
            self.shared.teller._went_away("the server hears nothing")
            yield
        self.run(self.shared.teller._probe())

    def sweep(self, at: Instant) -> None:
        """Keep up, as a process does every second, and have the store hear of it."""

        async def swept() -> None:
            self.shared.sweep(at)
            await self.shared.flush()

        self.before(at)
        self.run(swept())

    @asynccontextmanager
    async def _opened(self, crossed: Crossed) -> AsyncIterator[SharedCounters]:
        channel = Channel(self._url, MANUAL_TIME)
        script = channel.tell
        script.text = script.text.replace(
            f"LEASED_AT_ONCE = {LEASED_AT_ONCE}", f"LEASED_AT_ONCE = {self._leased_at_once}"
        )
        script.sha = sha1(script.text.encode(), usedforsecurity=False).hexdigest()
        counters = SharedCounters(
            channel, self.namespace, self.moments, crossed, strict=self._strict
        )
        with patience():
            await counters.start()
            yield counters
            await counters.close()

    def _set_time(self, at: Instant) -> None:
        self.moments.at = at
        self._redis.set(NOW, int(at.wall * 1_000))
