"""Warn: tell an account of what its use is coming to, before it is over (D10, D18, D19).

Of one window and scope each warning is written once, and of those that are due together the
highest alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fairuse.base.apart import apart
from fairuse.base.log import logger
from fairuse.rules import notice as notices
from fairuse.rules.approaching import approach_of, prices_of
from fairuse.rules.warning_texts import warning_of, words_of_warning
from fairuse.stores.casebook import write_notice
from fairuse.stores.notice_rows import notice_row
from fairuse.stores.warned import told_already

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.approaching import Approach
    from fairuse.rules.notice import Letterhead
    from fairuse.rules.terms import Terms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Reading
    from fairuse.stores.rows import NoticeRow

log = logger(__name__)


class Due(NamedTuple):
    """A count that may have to be told of, and whose it is."""

    approach: Approach
    terms: Terms


def approaching(terms: Terms, readings: Iterable[Reading], at: Instant) -> Iterator[Due]:
    """Give what an account's counts have come to, in the windows of this moment."""
    for reading in readings:
        limit = terms.limit(reading.limit)
        if limit is None or limit.hard or reading.window != limit.window_text:
            continue
        approach = approach_of(limit, terms, reading.scope, reading.settled, at.wall)
        if approach is not None and approach.span.start == reading.starts_at:
            yield Due(approach, terms)


async def warn(found: Sequence[Due], head: Letterhead, ledger: Ledger, at: Instant) -> int:
    """Write the warnings that were not written yet, and give how many. Raises LedgerError."""
    told = await told_already(ledger, {name for due in found for name in due.approach.said})
    written = 0
    for approach, terms in found:
        if not told.isdisjoint(approach.said):
            continue
        with apart("warning", account=terms.account):
            row = _notice(approach, terms, head, at.wall)
            if await write_notice(ledger, row, terms.contact):
                written += 1
                about = {"rule": row.rule, "scope": dict(approach.subject.scope)}
                log.info("account.warned", account=row.account, at=approach.threshold, **about)
    return written


def _notice(approach: Approach, terms: Terms, head: Letterhead, moment: float) -> NoticeRow:
    limit, amount, subject = approach.limit, approach.amount, approach.subject
    prices = prices_of(limit, terms, moment)
    words = {
        **notices.words_of_count(terms, approach.used, amount.value, limit),
        **words_of_warning(approach, prices, terms, moment),
        "account": subject.account,
        "rule": subject.rule,
        "where": notices.where(dict(subject.scope), terms.language),
        "resets": notices.moment(approach.span.end, terms),
        "contact": head.contact,
        "usage": head.usage,
        "policy_link": head.policy_link(subject.account, terms.version),
    }
    template = warning_of(approach, prices)
    row = notice_row(template, subject.rule, subject.account, terms, words, moment, "warning")
    return row._replace(
        reading=approach.used,
        amount=amount.value,
        source=amount.source,
        once=approach.once,
        scope=subject.scope,
        prices=prices is not None,
    )
