"""Notify: off the request's way, write the notice that the customer reads.

A notice is written into the ledger, in the same transaction as the case it belongs to, and shown
to the customer with their usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.log import logger
from fairuse.base.texts import window_text
from fairuse.rules import notice as notices
from fairuse.rules.refusal import USAGE_PATH
from fairuse.stores.rows import NoticeRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.blocks import Block
    from fairuse.rules.policy import Breaches
    from fairuse.rules.terms import Terms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import BreachRow, CaseRow, ItemRow

MOST_TOLD = 1_000
"""Notices looked through for what was told of blocks."""

log = logger(__name__)


async def notify_over(
    case: CaseRow, breach: BreachRow, terms: Terms, contact: str, ledger: Ledger
) -> bool:
    """Open the case of a breach with its notice; False where both exist already."""
    limit = terms.limit(breach.rule)
    if limit is None:
        return False
    words = notices.words_of_count(terms, breach.reading, breach.amount, limit)
    words |= _words_of_case(case, terms, contact)
    words["resets"] = notices.moment(case.ends_at, terms)
    template = notices.OVER_LIMIT
    if limit.over == "charge":
        template = notices.CHARGEABLE
        words["price"] = notices.price_of(limit, case.opened_at, terms)
    amount = limit.amount(breach.starts_at)
    row = _row(template, case.rule, case.account, terms, words, case.opened_at)
    row = row._replace(
        reading=breach.reading,
        amount=breach.amount,
        source=amount.source if amount is not None else "",
    )
    return _logged(case, opened=await ledger.open_case(case, row))


async def notify_repeated(
    case: CaseRow, needed: Breaches, terms: Terms, contact: str, ledger: Ledger
) -> bool:
    """Open a case of several breaches with its notice; False while it is open already.

    Those of several months are one case as long as they overlap; those of one month one a month.
    """
    words = _words_of_case(case, terms, contact)
    words["breaches"] = str(needed.breaches)
    words["months"] = window_text(f"{needed.months} months", terms.language)
    row = _row(notices.REPEATED, case.rule, case.account, terms, words, case.opened_at)
    return _logged(case, opened=await ledger.open_case(case, row, unless_open=needed.months > 1))


def _logged(case: CaseRow, *, opened: bool) -> bool:
    if opened:
        log.info("case.opened", account=case.account, rule=case.rule, scope=dict(case.scope))
    return opened


async def notify_ageing(
    item: ItemRow, counts_at: float, terms: Terms, contact: str, ledger: Ledger, at: Instant
) -> None:
    """Warn that an open item is about to count as finished (E29)."""
    words = {
        "account": item.account,
        "rule": item.meter,
        "item": item.item,
        "opened": notices.moment(item.opened_at, terms),
        "until": notices.moment(counts_at, terms),
        "contact": contact,
    }
    row = _row(notices.AGEING, item.meter, item.account, terms, words, at.wall)
    await ledger.warn_of_item(item, row)


def _words_of_case(case: CaseRow, terms: Terms, contact: str) -> dict[str, str]:
    return {
        "account": case.account,
        "rule": case.rule,
        "where": notices.where(dict(case.scope), terms.language),
        "contact": contact,
        "usage": USAGE_PATH,
    }


async def untold_blocks(blocks: Sequence[Block], ledger: Ledger) -> list[Block]:
    """Give those of an account's blocks that no notice was written of yet."""
    if not blocks:
        return []
    told = await ledger.notices(blocks[0].account, at_most=MOST_TOLD)
    return [block for block in blocks if not any(_is_about(notice, block) for notice in told)]


def _is_about(notice: NoticeRow, block: Block) -> bool:
    """Say whether a notice tells of a block: a notice may be written after the next block began."""
    same = notice.rule == block.rule and notice.written_at >= block.starts_at
    return same and block.address in {word.strip(".,;()") for word in notice.body.split()}


async def notify_blocked(
    block: Block, account: str, terms: Terms, contact: str, ledger: Ledger, at: Instant
) -> None:
    """Tell an account that an address was blocked, as soon as possible after it was (A16)."""
    words = {
        "account": account,
        "rule": block.rule,
        "address": block.address,
        "until": notices.moment(block.ends_at, terms),
        "contact": contact,
    }
    await ledger.write_notice(_row(notices.BLOCKED, block.rule, account, terms, words, at.wall))


def _row(
    template: notices.Notice,
    rule: str,
    account: str,
    terms: Terms,
    words: Mapping[str, str],
    moment: float,
) -> NoticeRow:
    """Write a notice that has no figures of its own."""
    text = notices.write(template, terms, words)
    return NoticeRow(
        tenant=terms.tenant,
        account=account,
        rule=rule,
        written_at=moment,
        reading=0,
        amount=0,
        source="",
        language=terms.language,
        contact=terms.contact,
        subject=text.subject,
        body=text.body,
    )
