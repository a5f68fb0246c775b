"""What decides, with fairuse and with its peers: one call a request, which must be allowed.

Every decider takes the name of a key and asks all its windows about it. The windows of the peers
are fixed, which is the cheapest they have; those of fairuse slide, but for calendar ones.
"""

from __future__ import annotations

import asyncio
import tomllib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import limits.aio.storage
import limits.aio.strategies
import limits.storage
import limits.strategies
import pyrate_limiter
import throttled
from limits import RateLimitItemPerSecond

from bench import configs
from bench.configs import NEVER_REACHED, SECONDS, WINDOWS
from bench.errors import BenchError
from fairuse.base.clock import SystemClock
from fairuse.rules.agreed import History
from fairuse.rules.claims import Claim, Claims
from fairuse.rules.policy import Policy
from fairuse.rules.tenant import Tenant
from fairuse.rules.terms import Terms
from fairuse.stages.meter import MOST_PLANS
from fairuse.stores.journal import Journal
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.protocol import Outcome, Receipt
from fairuse.stores.shared.channel import Channel
from fairuse.stores.shared.clock import StoreClock
from fairuse.stores.shared.counters import SharedCounters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from fairuse.rules.terms import LimitTerms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import Batch

SIX = tuple(WINDOWS)


class Decider(NamedTuple):
    """Decides about a key: `decide(key)`, `awaited` or not; raises BenchError where it refuses.

    `rest` is what goes on beside the requests, such as writing what was counted: to be awaited
    now and then, outside of what is measured. `close` ends what it has started.
    """

    decide: Callable[[str], Any]
    awaited: bool = False
    rest: Callable[[], Awaitable[object]] | None = None
    close: Callable[[], Awaitable[object]] | None = None


def fairuse_decider(keys: int, windows: Sequence[str] = SIX, *, settled: bool = True) -> Decider:
    """Decide with fairuse: reserve, and settle unless told otherwise.

    Reads the clock for each. The claims of a key are kept, as the gateway keeps them.
    """
    clock, journal = SystemClock(), Journal()
    counters = MemoryCounters(journal, _ignore, most=keys * len(windows) + 1)
    terms = _terms(windows)
    known: dict[str, Claims] = {}

    def decide(key: str) -> None:
        claims = known.get(key)
        at = clock.now()
        if claims is None:
            claims = _claims(terms, at.wall)
            if len(known) < MOST_PLANS:
                known[key] = claims
        decision = counters.try_reserve(key, claims, at)
        if not isinstance(decision, Receipt):
            raise _refused("fairuse", key)
        if settled:
            counters.settle(decision, Outcome.ACCEPTED, {}, clock.now())

    async def rest() -> None:
        await journal.flush(cast("Ledger", _Nowhere()), clock.now())

    return Decider(decide, rest=rest)


def redis_decider(url: str, *, leases: bool) -> Decider:
    """Decide with fairuse on Redis, and settle; called where an event loop runs."""
    clock = StoreClock(SystemClock())
    namespace = "leases" if leases else "no-leases"
    counters = SharedCounters(Channel(url), namespace, clock, _ignore, strict=not leases)
    starting = asyncio.ensure_future(counters.start())
    terms = _terms(SIX)
    known: dict[str, Claims] = {}

    async def decide(key: str) -> None:
        if not starting.done():
            await asyncio.shield(starting)
        at = clock.now()
        claims = known.get(key)
        if claims is None:
            claims = known[key] = _claims(terms, at.wall)
        decision = counters.try_reserve(key, claims, at)
        if decision is None:
            decision = await counters.reserve(key, claims, at)
        if not isinstance(decision, Receipt) or counters.away:
            raise _refused("fairuse", key)
        counters.settle(decision, Outcome.ACCEPTED, {}, clock.now())

    return Decider(decide, awaited=True, close=counters.close)


def limits_decider(_keys: int, windows: Sequence[str] = SIX) -> Decider:
    """Decide with `limits`: one hit after another."""
    limiter = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
    rates = _rates(windows)

    def decide(key: str) -> None:
        for rate in rates:
            if not limiter.hit(rate, key):
                raise _refused("limits", key)

    return Decider(decide)


def limits_aio_decider(_keys: int, windows: Sequence[str] = SIX) -> Decider:
    """Decide with `limits.aio`, in memory."""
    return _limits_aio(limits.aio.storage.MemoryStorage(), windows)


def limits_redis_decider(url: str) -> Decider:
    """Decide with `limits.aio` on Redis, through redis-py."""
    storage = limits.aio.storage.RedisStorage(f"async+{url}", implementation="redispy")
    client: Any = storage.bridge
    return _limits_aio(storage, SIX)._replace(close=client.get_connection().aclose)


def throttled_decider(keys: int, windows: Sequence[str] = SIX) -> Decider:
    """Decide with throttled-py, with room for two windows of every key."""
    store = throttled.MemoryStore(options={"MAX_SIZE": 2 * keys * len(windows)})
    limiters = [
        throttled.Throttled(
            using=throttled.RateLimiterType.FIXED_WINDOW.value,
            quota=throttled.per_duration(timedelta(seconds=SECONDS[name]), NEVER_REACHED),
            store=store,
            key_prefix=name,
        )
        for name in windows
    ]

    def decide(key: str) -> None:
        for limiter in limiters:
            if limiter.limit(key).limited:
                raise _refused("throttled-py", key)

    return Decider(decide)


def pyrate_decider(_keys: int, windows: Sequence[str] = SIX) -> Decider:
    """Decide with pyrate-limiter, all keys in one bucket: it does not even tell them apart."""
    bucket = pyrate_limiter.InMemoryBucket(_pyrate_rates(windows))
    return _pyrate(pyrate_limiter.SingleBucketFactory(bucket))


def pyrate_buckets_decider(_keys: int, windows: Sequence[str] = SIX) -> Decider:
    """Decide with pyrate-limiter, a bucket for each key."""
    return _pyrate(_Buckets(_pyrate_rates(windows)))


def nothing() -> Decider:
    """Decide nothing: what the loop around every decision takes by itself."""

    def decide(_key: str) -> None:
        pass

    return Decider(decide)


class _Nowhere:
    """A ledger that takes what it is given, and keeps none of it."""

    async def write(self, _batch: Batch) -> None:
        pass


class _Buckets(pyrate_limiter.BucketFactory):
    """A bucket for each key, as pyrate-limiter's documentation does it."""

    def __init__(self, rates: list[pyrate_limiter.Rate]) -> None:
        self._rates = rates
        self._buckets: dict[str, pyrate_limiter.AbstractBucket] = {}
        self._clock = pyrate_limiter.MonotonicClock()

    def wrap_item(self, name: str, weight: int = 1) -> pyrate_limiter.RateItem:
        return pyrate_limiter.RateItem(name, self._clock.now(), weight)

    def get(self, item: pyrate_limiter.RateItem) -> pyrate_limiter.AbstractBucket:
        bucket = self._buckets.get(item.name)
        if bucket is None:
            bucket = self.create(pyrate_limiter.InMemoryBucket, self._rates)
            self._buckets[item.name] = bucket
        return bucket


def _pyrate(factory: pyrate_limiter.BucketFactory) -> Decider:
    limiter = pyrate_limiter.Limiter(factory)

    def decide(key: str) -> None:
        if not limiter.try_acquire(key, blocking=False):
            raise _refused("pyrate-limiter", key)

    async def close() -> None:
        limiter.close()

    return Decider(decide, close=close)


def _pyrate_rates(windows: Sequence[str]) -> list[pyrate_limiter.Rate]:
    """Give the rates; it wants each window longer than the one before, and its limit higher."""
    return [
        pyrate_limiter.Rate(NEVER_REACHED + position, SECONDS[name] * 1_000 + position)
        for position, name in enumerate(windows)
    ]


def _limits_aio(storage: limits.aio.storage.Storage, windows: Sequence[str]) -> Decider:
    limiter = limits.aio.strategies.FixedWindowRateLimiter(storage)
    rates = _rates(windows)

    async def decide(key: str) -> None:
        for rate in rates:
            if not await limiter.hit(rate, key):
                raise _refused("limits.aio", key)

    return Decider(decide, awaited=True)


def _rates(windows: Sequence[str]) -> list[RateLimitItemPerSecond]:
    return [RateLimitItemPerSecond(NEVER_REACHED, SECONDS[name]) for name in windows]


def _terms(windows: Sequence[str]) -> list[LimitTerms]:
    """Give the limits on these windows, as the gateway under test has them."""
    policy = Policy.model_validate(tomllib.loads(configs.policy()))
    tenant = Tenant.model_validate(tomllib.loads(configs.tenant(1)))
    terms = Terms("customers", "account", tenant, policy, History())
    return [limit for limit in terms.limits if limit.name in windows]


def _claims(terms: Sequence[LimitTerms], moment: float) -> Claims:
    return Claims(Claim(limit, (), NEVER_REACHED, 1, limit.span(moment)) for limit in terms)


def _ignore(_crossing: object) -> None:
    """Hear of no soft limit: there is none."""


def _refused(who: str, key: str) -> BenchError:
    return BenchError(f"{who} refused {key}, whose limits are never reached")
