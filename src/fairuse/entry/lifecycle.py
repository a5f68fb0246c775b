"""Puts the parts together, starts them in order and stops them in the reverse order."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from fairuse.base.clock import SystemClock
from fairuse.base.errors import StoreError, StoreMisconfigured
from fairuse.base.log import AccessLog, logger
from fairuse.entry.beside import (
    again_and_again,
    all_told,
    collecting,
    running,
    written_at_the_end,
)
from fairuse.entry.events import EventsPage
from fairuse.entry.fair_process import FairProcess
from fairuse.entry.overload import OverloadWatch
from fairuse.entry.portal.key import portal_of
from fairuse.entry.portal.pages import Pages
from fairuse.entry.reload import watch
from fairuse.entry.upkeep import Upkeep
from fairuse.entry.vitals import Vitals
from fairuse.followups import Followups
from fairuse.pipeline import Pipeline
from fairuse.rules.blocks import FORGIVEN_AFTER
from fairuse.stores.averages import Averages
from fairuse.stores.blocks import Blocks
from fairuse.stores.breaches import Breaches
from fairuse.stores.callers import RecentEvents
from fairuse.stores.configuration import Configuration
from fairuse.stores.evidence import EvidenceCollector
from fairuse.stores.gone_over import gone_over
from fairuse.stores.history import open_episodes
from fairuse.stores.journal import Journal
from fairuse.stores.ledger import Ledger
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.shared.channel import Channel
from fairuse.stores.shared.clock import StoreClock
from fairuse.stores.shared.counters import SharedCounters
from fairuse.stores.shared.news import News

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.rules.settings import Settings
    from fairuse.stages.forward import Forward
    from fairuse.stores.protocol import Counters

REMEMBERED_REFUSALS = 100_000

log = logger(__name__)


class Service:
    """Everything that runs: the way of the requests, and what runs beside it."""

    def __init__(
        self,
        folder: Path,
        forward: Forward,
        clock: Clock | None = None,
        access_stream: TextIO | None = sys.stdout,
    ) -> None:
        self.configuration = Configuration(folder)
        self.clock = clock or SystemClock()
        self._forward = forward
        self._access_stream = access_stream
        self._stack: AsyncExitStack | None = None
        self._starting = asyncio.Lock()
        self.pipeline: Pipeline | None = None
        self.ledger: Ledger | None = None
        self.journal: Journal | None = None
        self.upkeep: Upkeep | None = None
        self.process: FairProcess | None = None
        self.overload: OverloadWatch | None = None

    async def start(self) -> Pipeline:
        """Start, once; a second call gives the same pipeline.

        Raises ConfigurationError, LedgerError or StoreMisconfigured, with everything stopped again.
        """
        async with self._starting:
            if self.pipeline is None:
                async with AsyncExitStack() as stack:
                    self.pipeline = await self._start(stack)
                    self._stack = stack.pop_all()
        return self.pipeline

    async def stop(self) -> None:
        """Stop, with everything written."""
        if self._stack is not None:
            stack, self._stack, self.pipeline = self._stack, None, None
            await stack.aclose()
            log.info("gateway.stopped")

    async def _start(self, stack: AsyncExitStack) -> Pipeline:
        config = self.configuration.load()
        for finding in self.configuration.findings:
            log.error("configuration.left_out", finding=str(finding))
        settings = config.settings
        self.configuration.portal = portal_of(settings, os.environ)
        embedded = settings.counters.store == "memory"
        self.ledger = ledger = await Ledger.open(
            settings.ledger.url, access="alone" if embedded else "shared"
        )
        stack.push_async_callback(ledger.close)
        strict = embedded and settings.counters.durability == "strict"
        self.journal = journal = Journal(strict=strict)
        if not embedded and not isinstance(self.clock, StoreClock):
            self.clock = StoreClock(self.clock)
        blocks, breaches, averages = Blocks(journal), Breaches(journal), Averages(ledger)
        evidence = EvidenceCollector(journal)
        followups = Followups(self.clock, self.configuration, breaches, blocks, journal, evidence)
        counters: Counters
        if isinstance(self.clock, StoreClock) and not embedded:
            counters = await _shared(settings, self.clock, followups, blocks, stack)
        else:
            counters = await _in_memory(ledger, journal, followups, self.clock.now())
        at = self.clock.now()
        await _take_up(ledger, journal, blocks, breaches, at.wall)
        await averages.take_up(config, at.wall)
        self.configuration.learn(averages.history)
        self.process = process = FairProcess(self.clock, self.configuration, counters, ledger)
        await process.take_up()
        if strict and isinstance(counters, MemoryCounters):
            for account, terms in self.configuration.current.accounts.items():
                for crossing in gone_over(counters.tallies(account), terms.limits, at):
                    followups.crossed(crossing)
        access_log = AccessLog(self._access_stream if settings.log.requests else None)
        access_log.start()
        stack.callback(access_log.close)
        vitals = Vitals(counters, journal)
        callers = RecentEvents(settings.unknown_callers.remembered)
        pipeline = Pipeline(
            clock=self.clock,
            configuration=self.configuration,
            counters=counters,
            blocks=blocks,
            followups=followups,
            unknown_callers=callers,
            refusals=RecentEvents(REMEMBERED_REFUSALS),
            journal=journal,
            evidence=evidence,
            forward=self._forward,
            pages=Pages(
                self.clock, self.configuration, counters, blocks, ledger, callers, evidence
            ),
            access_log=access_log,
            vitals=vitals,
            forces=process.forces,
        )
        process.forces.tell = pipeline.cut_restricted
        pipeline.events = EventsPage(self.clock, counters, journal, ledger)
        await followups.catch_up(ledger)
        await stack.enter_async_context(written_at_the_end(journal, ledger, self.clock))
        await stack.enter_async_context(collecting(evidence))
        await stack.enter_async_context(running(followups.run(ledger)))
        stack.push_async_callback(all_told, pipeline)
        followups.written = process.delivery.written
        await stack.enter_async_context(running(process.delivery.run()))
        await stack.enter_async_context(running(process.follow()))
        self.upkeep = Upkeep(self.clock, pipeline, counters, blocks, averages, ledger, process)
        await stack.enter_async_context(running(again_and_again(self.upkeep)))
        self.overload = OverloadWatch(
            self.clock, self.configuration, pipeline.load, journal, ledger
        )
        await stack.enter_async_context(running(self.overload.run()))
        await stack.enter_async_context(running(watch(self.configuration)))
        await stack.enter_async_context(running(vitals.run()))
        log.info("gateway.started", tenants=config.tenants, ledger=ledger.name)
        return pipeline


async def _in_memory(
    ledger: Ledger, journal: Journal, followups: Followups, at: Instant
) -> Counters:
    """Take up the windows that were open when the last process ended (S15)."""
    counters = MemoryCounters(journal, followups.crossed)
    counters.restore(await ledger.open_slots(at.wall), at, await ledger.members(at.wall))
    return counters


async def _shared(
    settings: Settings,
    clock: StoreClock,
    followups: Followups,
    blocks: Blocks,
    stack: AsyncExitStack,
) -> Counters:
    """Count together with other processes; while the store is away, each limit by its rule."""
    namespace, strict = settings.counters.namespace, settings.counters.durability == "strict"
    channel = Channel(settings.counters.store)
    counters = SharedCounters(channel, namespace, clock, followups.crossed, strict=strict)
    stack.push_async_callback(counters.close)
    try:
        await counters.start()
    except StoreMisconfigured:
        raise
    except StoreError as error:
        log.error("counters.store_away", reason=str(error), until="it is back, counted alone")
    await stack.enter_async_context(running(News(channel, namespace, blocks).run()))
    return counters


async def _take_up(
    ledger: Ledger, journal: Journal, blocks: Blocks, breaches: Breaches, moment: float
) -> None:
    """Take up what the last process knew (S15)."""
    journal.restore(await ledger.items(aged=True))
    blocks.restore(await ledger.blocks_since(moment - FORGIVEN_AFTER))
    breaches.restore(await open_episodes(ledger, moment))
