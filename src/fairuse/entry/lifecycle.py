"""Puts the parts together, starts them in order and stops them in the reverse order."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.clock import SystemClock
from fairuse.base.log import AccessLog, logger
from fairuse.entry.beside import (
    again_and_again,
    all_told,
    collecting,
    running,
    written_at_the_end,
)
from fairuse.entry.counting import (
    clock_for,
    counting_alone,
    counting_together,
    tell_what_was_gone_over,
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
from fairuse.stores.history import open_episodes
from fairuse.stores.journal import Journal
from fairuse.stores.ledger import Ledger
from fairuse.stores.memory import MemoryCounters
from fairuse.stores.shared.clock import StoreClock

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    from fairuse.base.clock import Clock
    from fairuse.rules.config import Config
    from fairuse.rules.settings import Counters as CountersSettings
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
        self.clock = clock_for(settings.counters, self.clock)
        kept = await self._open(settings, stack)
        counters = await self._counters(settings.counters, kept, stack)
        at = self.clock.now()
        await self._take_up(config, kept, at.wall)
        self.process = process = FairProcess(self.clock, self.configuration, counters, kept.ledger)
        await process.take_up()
        if kept.journal.strict and isinstance(counters, MemoryCounters):
            tell_what_was_gone_over(counters, self.configuration.current, kept.followups, at)
        vitals = Vitals(counters, kept.journal)
        pipeline = self._pipeline(kept, counters, process, vitals, stack)
        await kept.followups.catch_up(kept.ledger)
        await self._run_beside(pipeline, kept, process, stack)
        await stack.enter_async_context(running(vitals.run()))
        log.info("gateway.started", tenants=config.tenants, ledger=kept.ledger.name)
        return pipeline

    async def _open(self, settings: Settings, stack: AsyncExitStack) -> _Kept:
        """Open the ledger, and make what is kept in it."""
        counting = settings.counters
        self.ledger = ledger = await Ledger.open(
            settings.ledger.url, access="alone" if counting.alone else "shared"
        )
        stack.push_async_callback(ledger.close)
        self.journal = journal = Journal(strict=counting.alone and counting.strict)
        blocks, breaches, evidence = Blocks(journal), Breaches(journal), EvidenceCollector(journal)
        followups = Followups(self.clock, self.configuration, breaches, blocks, journal, evidence)
        return _Kept(ledger, journal, blocks, breaches, Averages(ledger), evidence, followups)

    async def _counters(
        self, settings: CountersSettings, kept: _Kept, stack: AsyncExitStack
    ) -> Counters:
        """Begin to count, alone or together with other processes."""
        clock, followups = self.clock, kept.followups
        if settings.alone:
            return await counting_alone(kept.ledger, kept.journal, followups, clock.now())
        if not isinstance(clock, StoreClock):
            raise RuntimeError("processes that count together go by the store's clock")
        return await counting_together(settings, clock, followups, kept.blocks, stack)

    async def _take_up(self, config: Config, kept: _Kept, moment: float) -> None:
        """Take up what the last process knew (S15)."""
        ledger = kept.ledger
        kept.journal.restore(await ledger.items(aged=True))
        kept.blocks.restore(await ledger.blocks_since(moment - FORGIVEN_AFTER))
        kept.breaches.restore(await open_episodes(ledger, moment))
        await kept.averages.take_up(config, moment)
        self.configuration.learn(kept.averages.history)

    def _pipeline(
        self,
        kept: _Kept,
        counters: Counters,
        process: FairProcess,
        vitals: Vitals,
        stack: AsyncExitStack,
    ) -> Pipeline:
        """Put together the way of the requests."""
        settings = self.configuration.current.settings
        access_log = AccessLog(self._access_stream if settings.log.requests else None)
        access_log.start()
        stack.callback(access_log.close)
        callers = RecentEvents(settings.unknown_callers.remembered)
        clock, configuration, ledger = self.clock, self.configuration, kept.ledger
        pipeline = Pipeline(
            clock=clock,
            configuration=configuration,
            counters=counters,
            blocks=kept.blocks,
            followups=kept.followups,
            unknown_callers=callers,
            refusals=RecentEvents(REMEMBERED_REFUSALS),
            journal=kept.journal,
            evidence=kept.evidence,
            forward=self._forward,
            pages=Pages(
                clock, configuration, counters, kept.blocks, ledger, callers, kept.evidence
            ),
            events=EventsPage(clock, counters, kept.journal, ledger),
            access_log=access_log,
            vitals=vitals,
            forces=process.forces,
        )
        process.forces.tell = pipeline.cut_restricted
        return pipeline

    async def _run_beside(
        self, pipeline: Pipeline, kept: _Kept, process: FairProcess, stack: AsyncExitStack
    ) -> None:
        """Run what runs beside the requests; it ends in the reverse order."""
        clock, ledger, journal = self.clock, kept.ledger, kept.journal
        await stack.enter_async_context(written_at_the_end(journal, ledger, clock))
        await stack.enter_async_context(collecting(kept.evidence))
        await stack.enter_async_context(running(kept.followups.run(ledger)))
        stack.push_async_callback(all_told, pipeline)
        kept.followups.written = process.delivery.written
        self.upkeep = Upkeep(
            clock, pipeline, pipeline.counters, kept.blocks, kept.averages, ledger, process
        )
        self.overload = OverloadWatch(clock, self.configuration, pipeline.load, journal, ledger)
        for work in (
            process.delivery.run(),
            process.follow(),
            again_and_again(self.upkeep),
            self.overload.run(),
            watch(self.configuration),
        ):
            await stack.enter_async_context(running(work))


class _Kept(NamedTuple):
    """The ledger, and what is kept in it."""

    ledger: Ledger
    journal: Journal
    blocks: Blocks
    breaches: Breaches
    averages: Averages
    evidence: EvidenceCollector
    followups: Followups
