"""The customer's usage as JSON: every limit with what is used of it, and until when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.base.errors import LedgerError, StoreError
from fairuse.base.log import logger
from fairuse.base.texts import iso_time
from fairuse.base.wire import json_bytes
from fairuse.rules.expression import Average
from fairuse.rules.standing import standing
from fairuse.stores.protocol import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.rules.blocks import Block
    from fairuse.rules.cohorts import Snapshot
    from fairuse.rules.exchange import Subject
    from fairuse.rules.ladder import Case
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stages.answer import Answer
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters
    from fairuse.stores.rows import NoticeRow

Json = dict[str, object]

log = logger(__name__)


class UsagePage:
    """Shows an account what it used. Never metered itself; signals are for the operator alone."""

    def __init__(self, clock: Clock, counters: Counters, blocks: Blocks, ledger: Ledger) -> None:
        self._clock = clock
        self._counters = counters
        self._blocks = blocks
        self._ledger = ledger

    async def __call__(self, subject: Subject, answer: Answer) -> None:
        """Answer a request."""
        at = self._clock.now()
        terms = subject.terms
        body = {
            "account": subject.account,
            "tenant": terms.tenant,
            "policy": terms.policy,
            "timezone": terms.zone.key,
            "at": iso_time(at.wall, terms.zone),
            "limits": await self.limits(subject, at),
            "blocks": [
                _block(block, terms) for block in self._blocks.of_account(subject.account, at.wall)
            ],
            **await self._told(subject),
        }
        await answer.whole(200, [(b"content-type", b"application/json")], json_bytes(body))

    async def limits(self, subject: Subject, at: Instant) -> list[Json] | None:
        """Give what is used of each limit, or None while nobody can be asked."""
        try:
            readings = await self._counters.read(subject.account, at)
        except StoreError as error:
            log.error("counters.not_read", account=subject.account, reason=str(error))
            return None
        terms, address = subject.terms, subject.address.bucket
        return [
            entry
            for limit in terms.limits
            if limit.over != "signal"
            for entry in of_limit(limit, readings, terms, address, at)
        ]

    async def _told(self, subject: Subject) -> Json:
        """Give the account's cases and notices, or None for both while they can't be read."""
        terms = subject.terms
        try:
            cases = await self._ledger.cases(subject.account)
            notices = await self._ledger.notices(subject.account)
        except LedgerError as error:
            log.error("ledger.not_read", account=subject.account, reason=str(error))
            return {"cases": None, "notices": None}
        return {
            "cases": [_case(case, terms) for case in cases],
            "notices": [_notice(notice, terms) for notice in notices],
        }


def of_limit(
    limit: LimitTerms, readings: list[Reading], terms: Terms, own_address: str, at: Instant
) -> Iterator[Json]:
    """Give one entry a scope; an unused limit once, with nothing used.

    What is counted by address is shown for one's own address only.
    """
    shown = [
        reading
        for reading in readings
        if (reading.limit, reading.window) == (limit.name, limit.window_text)
        and dict(reading.scope).get("address", own_address) == own_address
    ]
    if not shown:
        span = limit.span(at.wall)
        ends_at = span.end if span else at.wall
        shown = [Reading(limit.name, limit.window_text, (), 0, 0, at.wall, ends_at)]
    for reading in shown:
        yield _limit(limit.within(reading.scope), reading, terms, at)


def _limit(limit: LimitTerms, reading: Reading, terms: Terms, at: Instant) -> Json:
    applies = terms.applies_at(at.wall)
    amount = limit.amount(at.wall) if applies else None
    rule = terms.rules.limits[limit.name].amount
    unknown = f"not known yet: {rule}" if applies else "the policy is not for this contract"
    entry: Json = {
        "limit": limit.name,
        "scope": dict(reading.scope),
        "unit": limit.unit.one,
        "window": limit.window_text,
        "used": limit.unit.units(reading.used),
        "amount": limit.unit.units(amount.value) if amount else None,
        "source": amount.source if amount else unknown,
        "standing": standing(reading.settled, amount.value) if amount else "within",
        "over": limit.over,
        "resets_at": None
        if math.isinf(reading.ends_at)
        else iso_time(math.ceil(reading.ends_at), limit.zone),
    }
    if limit.kind == "level":
        entry["highest"] = limit.unit.units(reading.settled)
    snapshot = terms.agreement.snapshot(limit.meter)
    if snapshot is not None and rule.uses(Average):
        entry["average"] = _average(snapshot, reading.used, limit, terms)
    return entry


def _average(snapshot: Snapshot, used: int, limit: LimitTerms, terms: Terms) -> Json:
    """Give the cohort's average, and what is used as a multiple of it (C14)."""
    average = snapshot.average_for(terms.account)
    rule = terms.rules.meters[limit.meter].average
    share = average * (terms.agreement.shares(rule, snapshot.taken_at) if rule else 1)
    return {
        "value": round(float(average) / 10**limit.unit.decimals, 2),
        "multiple": round(float(used / share), 2) if share else None,
        "of": snapshot.n,
        "on": snapshot.day,
        "method": snapshot.method,
    }


def _block(block: Block, terms: Terms) -> Json:
    return {
        "address": block.address,
        "rule": block.rule,
        "from": iso_time(block.starts_at, terms.zone),
        "until": iso_time(math.ceil(block.ends_at), terms.zone),
    }


def _case(case: Case, terms: Terms) -> Json:
    return {
        "rule": case.rule,
        "scope": dict(case.scope),
        "state": case.state,
        "opened_at": iso_time(case.opened_at, terms.zone),
        "window_from": iso_time(case.starts_at, terms.zone),
        "window_until": iso_time(case.ends_at, terms.zone),
    }


def _notice(notice: NoticeRow, terms: Terms) -> Json:
    return {
        "rule": notice.rule,
        "written_at": iso_time(notice.written_at, terms.zone),
        "subject": notice.subject,
        "body": notice.body,
    }
