"""Notify: off the request's way, write the notice that the customer reads.

A notice is written into the ledger, in the same transaction as the case it belongs to, and shown
to the customer with their usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.rules import notice as notices
from fairuse.rules.refusal import USAGE_PATH
from fairuse.stores.rows import CaseRow, NoticeRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.blocks import Block
    from fairuse.rules.terms import Terms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.protocol import Crossing


async def notify_over(
    case: CaseRow, crossing: Crossing, terms: Terms, contact: str, ledger: Ledger
) -> bool:
    """Open the case with its notice; False where both exist already."""
    limit = crossing.limit
    words = notices.words_of_count(
        terms, crossing.reading, crossing.amount, limit.unit, limit.window_text
    )
    words |= {
        "account": case.account,
        "rule": case.rule,
        "where": notices.where(dict(case.scope), terms.language),
        "contact": contact,
        "resets": notices.moment(case.ends_at, terms),
        "usage": USAGE_PATH,
    }
    row = _row(notices.OVER_LIMIT, case.rule, case.account, terms, words, case.opened_at)
    row = row._replace(
        reading=crossing.reading,
        amount=crossing.amount,
        source=limit.amount(case.opened_at).source,
    )
    return await ledger.open_case(case, row)


async def untold_blocks(blocks: Sequence[Block], ledger: Ledger) -> list[Block]:
    """Give those of an account's blocks that no notice was written of yet."""
    if not blocks:
        return []
    told = await ledger.notices(blocks[0].account)
    return [
        block
        for block in blocks
        if not any(
            notice.rule == block.rule and notice.written_at >= block.starts_at for notice in told
        )
    ]


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
