"""What has to be done as time goes by: windows close, averages fall due, open items age."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.apart import apart
from fairuse.base.errors import LedgerError
from fairuse.base.log import logger
from fairuse.rules.ageing import counts_as_finished_at, warned_at
from fairuse.rules.attribution import counts_since
from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.events import EventUnits, UsageEvent, counts_as_of
from fairuse.rules.windows import HOUR
from fairuse.stages.escalate import escalate_overload, judge, looks_back_to, overloads
from fairuse.stages.meter import event_claims
from fairuse.stages.notify import notify_ageing, notify_overload, notify_repeated
from fairuse.stages.settle import settle_event
from fairuse.stores.evidence_rows import forget_evidence_of
from fairuse.stores.history import breaches_since, note_judged, unjudged
from fairuse.stores.rows import ItemAged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.entry.fair_process import FairProcess
    from fairuse.pipeline import Pipeline
    from fairuse.rules.config import Config
    from fairuse.rules.meters import Ageing
    from fairuse.rules.terms import Terms
    from fairuse.stores.averages import Averages
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters
    from fairuse.stores.rows import BreachRow, ItemRow

SHORTEST_MONTH = 28 * 86_400
OURSELVES = "(fairuse)"
"""The sender of usage events that nobody told us; no sender in gateway.toml can have this name."""

log = logger(__name__)


class Upkeep:
    """Runs once a minute; whatever it does, it does once."""

    def __init__(
        self,
        clock: Clock,
        pipeline: Pipeline,
        counters: Counters,
        blocks: Blocks,
        averages: Averages,
        ledger: Ledger,
        process: FairProcess,
    ) -> None:
        self._clock = clock
        self._pipeline = pipeline
        self._counters = counters
        self._blocks = blocks
        self._averages = averages
        self._ledger = ledger
        self._process = process
        self._learned = averages.history
        self._forgotten: tuple[Config, int] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Do everything that is due; what can't be written now is done the next time."""
        async with self._one_at_a_time:
            await self._run()

    async def _run(self) -> None:
        at = self._clock.now()
        with apart("upkeep", part="sweeping"):
            self._counters.sweep(at)
            self._blocks.sweep(at.wall)
        with apart("upkeep", part="open requests"):
            self._pipeline.settle_lasting()
        with apart("upkeep", part="evidence"):
            self._pipeline.evidence.tell()
        try:
            await self._write()
            with apart("upkeep", part="warnings"):
                await self._process.warnings.run(self._pipeline.journal.moved())
            async with self._ledger.try_alone("upkeep") as alone:
                if alone:
                    await self._for_everybody(at)
            await self._take_up(at)
        except LedgerError as error:
            log.error("upkeep.put_off", reason=str(error))

    async def _for_everybody(self, at: Instant) -> None:
        """Do what one process does for all that share the ledger."""
        with apart("upkeep", part="breaches"):
            await self._judge()
        with apart("upkeep", part="items"):
            await self._age()
        await self._write()
        await self._process.move()
        with apart("upkeep", part="averages"):
            await self._averages.renew(self._pipeline.configuration.current, at.wall)
        with apart("upkeep", part="what is over"):
            await self._ledger.prune(at.wall)
        with apart("upkeep", part="unwanted evidence"):
            await self._forget_evidence(at)

    async def _forget_evidence(self, at: Instant) -> None:
        """Forget where the use of tenants came from who want none of that kept."""
        # Once an hour, too: another process may have read its files, or told of them, later.
        config, hour = self._pipeline.configuration.current, int(at.wall // HOUR)
        known = self._forgotten
        if known is not None and known[0] is config and known[1] == hour:
            return
        unwanted = [name for name, terms in config.accounts.items() if not terms.keeps_evidence]
        await forget_evidence_of(self._ledger, unwanted)
        self._forgotten = config, hour

    async def _take_up(self, at: Instant) -> None:
        """Take up what other processes did: blocks, items that aged, averages that were taken."""
        for block in await self._ledger.blocks_since(at.wall):
            self._blocks.hear(block)
        self._pipeline.journal.restore(await self._ledger.items(aged=True))
        await self._process.reviews.count()
        configuration = self._pipeline.configuration
        await self._averages.take_up(configuration.current, at.wall)
        if self._averages.history is not self._learned:
            self._learned = self._averages.history
            await asyncio.to_thread(configuration.learn, self._learned)

    async def _write(self) -> None:
        """Write what was counted: only then is true what the ledger says of breaches and items."""
        if not await self._pipeline.journal.flush(self._ledger, self._clock.now()):
            raise LedgerError("what was counted is not written yet")

    async def _judge(self) -> None:
        """Look at the breaches whose window is over, for one too many."""
        config, at = self._pipeline.configuration.current, self._clock.now()
        for breach in await unjudged(self._ledger, at.wall):
            terms = config.accounts.get(breach.account)
            if terms is not None:  # a tenant that is left out is looked at once it is back
                with apart("breach", account=breach.account, rule=breach.rule):
                    await self._judge_one(breach, terms, at)

    async def _judge_one(self, breach: BreachRow, terms: Terms, at: Instant) -> None:
        limit = terms.limit(breach.rule)
        if breach.rule == OVERLOAD:
            await self._judge_overload(breach, terms, at)
        if limit is not None and limit.case_after is not None:
            since = looks_back_to(limit.case_after, breach.starts_at, terms)
            breaches = await breaches_since(self._ledger, since, breach.account)
            cases = await self._ledger.cases(breach.account)
            closed = [case for case in cases if case.state == "closed"]
            case = judge(breach, breaches, closed, terms, at)
            if case is not None:
                head = self._pipeline.configuration.letterhead
                evidence = await self._pipeline.evidence.about_case(
                    case, terms, self._ledger, at.wall
                )
                await notify_repeated(case, limit.case_after, terms, head, self._ledger, evidence)
        await note_judged(self._ledger, breach)

    async def _judge_overload(self, breach: BreachRow, terms: Terms, at: Instant) -> None:
        """Open a case where an account overloaded the platform repeatedly, on whichever node."""
        if terms.rules.overload is None:
            return
        needed = terms.rules.overload.case_after
        since = counts_since(needed, breach.starts_at, terms)
        breaches = await breaches_since(self._ledger, since, breach.account)
        earlier = await self._ledger.cases(breach.account)
        case = escalate_overload(breaches, earlier, needed, terms, at)
        if case is not None:
            found = [each for each in overloads(breaches) if each.starts_at >= case.starts_at]
            head = self._pipeline.configuration.letterhead
            await notify_overload(case, found, terms, head, self._ledger)

    async def _age(self) -> None:
        """Count the items that were open too long, each once, and warn before it comes to that."""
        config, journal = self._pipeline.configuration.current, self._pipeline.journal
        waits, at = _quiet_months(config.accounts.values()), self._clock.now()
        if waits is None:
            return
        await journal.flush(self._ledger, at)
        async with journal.paused():
            # Nothing is awaited between the reading and the counting: who finishes an item
            # meanwhile is seen.
            items = await self._ledger.items(at.wall - waits * SHORTEST_MONTH)
            changing = journal.changing_items()
            ageing = [
                known
                for item in items
                if (item.account, item.meter, item.item) not in changing
                and (known := _ageing(item, config.accounts.get(item.account)))
            ]
            for known in ageing:
                if at.wall >= known.counts_at:
                    with apart("item", account=known.item.account, meter=known.item.meter):
                        self._finish(known, at)
        await journal.flush(self._ledger, at)
        for item, terms, rule, counts_at in ageing:
            warned = item.warned or at.wall >= counts_at
            if not warned and at.wall >= warned_at(counts_at, rule, terms.zone):
                head = self._pipeline.configuration.letterhead
                with apart("item", account=item.account, meter=item.meter):
                    await notify_ageing(item, counts_at, terms, head, self._ledger, at)

    def _finish(self, known: _Ageing, at: Instant) -> None:
        """Count an item as finished, with everything that is remembered of it."""
        item, terms, rule, counts_at = known
        pipeline, into = self._pipeline, terms.meters[rule.into]
        name = f"{item.meter}/{item.item}/{item.opened_at}"
        event = UsageEvent(OURSELVES, item.account, name, "aged", item.account, counts_at, {})
        if pipeline.journal.knows_event(*event.key):
            return
        moment = counts_as_of(event, pipeline.configuration.current.settings.events.late, at.wall)
        claims = event_claims(into, "", "", item.units, moment) if terms.applies_at(moment) else []
        moved = [(EventUnits(into, item.units, releases=False), claims)]
        settle_event(event, moved, moment, terms.zone, self._counters, pipeline.journal, at)
        pipeline.journal.note_item(ItemAged(item.account, item.meter, item.item, item.units))


class _Ageing(NamedTuple):
    """An open item that grows old, and when it counts as finished."""

    item: ItemRow
    terms: Terms
    rule: Ageing
    counts_at: float


def _ageing(item: ItemRow, terms: Terms | None) -> _Ageing | None:
    meter = terms.meters.get(item.meter) if terms is not None else None
    if terms is None or meter is None or meter.rule.ageing is None:
        return None
    rule, billing = meter.rule.ageing, terms.agreement.tenant.billing
    counts_at = counts_as_finished_at(item.opened_at, rule, terms.zone, billing)
    return _Ageing(item, terms, rule, counts_at)


def _quiet_months(accounts: Iterable[Terms]) -> int | None:
    """Give for how many months no item can need anything; None where none ever ages."""
    policies = {id(terms.rules): terms.rules for terms in accounts}
    ageing = [
        meter.ageing
        for policy in policies.values()
        for meter in policy.meters.values()
        if meter.ageing is not None
    ]
    quiet = [max(0, each.after - each.warn) if each.by == "item" else 0 for each in ageing]
    return min(quiet, default=None)
