"""The customer's usage as JSON: every limit with what is used of it, and until when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fairuse.base.errors import LedgerError
from fairuse.base.log import logger
from fairuse.base.texts import iso_time
from fairuse.base.wire import json_bytes
from fairuse.rules.standing import standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairuse.base.clock import Clock
    from fairuse.base.instant import Instant
    from fairuse.rules.blocks import Block
    from fairuse.rules.exchange import Subject
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stages.answer import Answer
    from fairuse.stores.blocks import Blocks
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Counters, Reading
    from fairuse.stores.rows import CaseRow, NoticeRow

Json = dict[str, object]

log = logger(__name__)


class UsagePage:
    """Shows an account what it used. Never metered itself."""

    def __init__(self, clock: Clock, counters: Counters, blocks: Blocks, ledger: Ledger) -> None:
        self._clock = clock
        self._counters = counters
        self._blocks = blocks
        self._ledger = ledger

    async def __call__(self, subject: Subject, answer: Answer) -> None:
        """Answer a request."""
        at = self._clock.now()
        terms = subject.terms
        readings = self._counters.read(subject.account, at)
        body = {
            "account": subject.account,
            "tenant": terms.tenant,
            "policy": terms.policy,
            "timezone": terms.zone.key,
            "at": iso_time(at.wall, terms.zone),
            "limits": list(_limits(readings, subject, at)),
            "blocks": [
                _block(block, terms) for block in self._blocks.of_account(subject.account, at.wall)
            ],
            **await self._told(subject),
        }
        await answer.whole(200, [(b"content-type", b"application/json")], json_bytes(body))

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


def _limits(readings: list[Reading], subject: Subject, at: Instant) -> Iterator[Json]:
    """Give one entry a limit and scope; an unused limit once, with nothing used.

    Limits that are counted by address are shown for the caller's own address only.
    """
    own_address = subject.address.bucket
    for limit in subject.terms.limits:
        shown = [
            reading
            for reading in readings
            if (reading.limit, reading.window) == (limit.name, limit.window_text)
            and dict(reading.scope).get("address", own_address) == own_address
        ]
        for reading in shown:
            yield _limit(limit, reading.used, dict(reading.scope), reading.ends_at, at)
        if not shown:
            span = limit.span(at.wall)
            yield _limit(limit, 0, {}, span.end if span else at.wall, at)


def _limit(
    limit: LimitTerms, used: int, scope: dict[str, str], ends_at: float, at: Instant
) -> Json:
    amount = limit.amount(at.wall)
    return {
        "limit": limit.name,
        "scope": scope,
        "unit": limit.unit,
        "window": limit.window_text,
        "used": used,
        "amount": amount.value,
        "source": amount.source,
        "standing": standing(used, amount.value),
        "over": "refuse" if limit.hard else "case",
        "resets_at": iso_time(math.ceil(ends_at), limit.zone),
    }


def _block(block: Block, terms: Terms) -> Json:
    return {
        "address": block.address,
        "rule": block.rule,
        "from": iso_time(block.starts_at, terms.zone),
        "until": iso_time(math.ceil(block.ends_at), terms.zone),
    }


def _case(case: CaseRow, terms: Terms) -> Json:
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
