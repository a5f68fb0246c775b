"""What counts the requests: this process alone, or all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.errors import StoreError, StoreMisconfigured
from fairuse.base.log import logger
from fairuse.entry.beside import running
from fairuse.stores.gone_over import gone_over
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.shared.channel import Channel
from fairuse.stores.shared.clock import StoreClock
from fairuse.stores.shared.counters import SharedCounters
from fairuse.stores.shared.news import News

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.followups import Followups
    from fairuse.rules.config import Config
    from fairuse.rules.settings import Counters as CountersSettings
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.journal import Journal
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters

log = logger(__name__)


def clock_for(settings: CountersSettings, clock: Clock) -> Clock:
    """Give the clock to count by; processes that count together go by the store's."""
    if settings.alone or isinstance(clock, StoreClock):
        return clock
    return StoreClock(clock)


async def counting_alone(
    ledger: Ledger, journal: Journal, followups: Followups, at: Instant
) -> MemoryCounters:
    """Take up the windows that were open when the last process ended (S15)."""
    counters = MemoryCounters(journal, followups.crossed)
    counters.restore(await ledger.open_slots(at.wall), at, await ledger.members(at.wall))
    return counters


async def counting_together(
    settings: CountersSettings,
    clock: StoreClock,
    followups: Followups,
    blocks: Blocks,
    stack: AsyncExitStack,
) -> Counters:
    """Count together with other processes; while the store is away, each limit by its rule.

    Raises StoreMisconfigured.
    """
    channel = Channel(settings.store)
    counters = SharedCounters(
        channel, settings.namespace, clock, followups.crossed, strict=settings.strict
    )
    stack.push_async_callback(counters.close)
    try:
        await counters.start()
    except StoreMisconfigured:
        raise
    except StoreError as error:
        log.error("counters.store_away", reason=str(error), until="it is back, counted alone")
    await stack.enter_async_context(running(News(channel, settings.namespace, blocks).run()))
    return counters


def tell_what_was_gone_over(
    counters: MemoryCounters, config: Config, followups: Followups, at: Instant
) -> None:
    """Tell of limits that were gone over before the last process ended.

    With strict durability the counts are in the ledger before anybody was told what follows.
    """
    for account, terms in config.accounts.items():
        for crossing in gone_over(counters.tallies(account), terms.limits, at):
            followups.crossed(crossing)
