"""Advise: note that a customer can't explain the use, and write what to check (C17).

It is an answer about the cause and no choice: the case stays where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.log import logger
from fairuse.rules.evidence import to_text
from fairuse.rules.evidence_texts import UNEXPLAINED, advice
from fairuse.rules.notice import where
from fairuse.rules.record import Entry
from fairuse.stores.casebook import add_notice
from fairuse.stores.notice_rows import notice_row
from fairuse.stores.record import append

if TYPE_CHECKING:
    from fairuse.rules.choices import Via
    from fairuse.rules.evidence import Evidence
    from fairuse.rules.ladder import Case
    from fairuse.rules.notice import Letterhead
    from fairuse.rules.terms import Terms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import NoticeRow

log = logger(__name__)


async def advise(
    case: Case,
    terms: Terms,
    head: Letterhead,
    evidence: Evidence | None,
    answer: tuple[float, str, Via],
    ledger: Ledger,
) -> bool:
    """Write the advice, once a case; False where it was written before. Raises LedgerError.

    `answer` says when it was given, by whom, and how it came to us.
    """
    moment, by, via = answer
    data = {"rule": case.rule, "by": by, "via": via}
    told = Entry(moment, "case.unexplained", case.account, case.id, by, data)
    row = _notice(case, terms, head, moment)._replace(evidence=to_text(evidence))
    # Its delivery is not that of the case's own notice, with which the grace begins.
    number = None if case.state == "open" else case.id
    async with ledger.transaction() as connection:
        if not await add_notice(connection, row, number, terms.contact):
            return False
        await append(connection, [told])
    log.info("case.unexplained", case=case.id, account=case.account, via=via)
    return True


def _notice(case: Case, terms: Terms, head: Letterhead, moment: float) -> NoticeRow:
    language = terms.language
    words = {
        "account": case.account,
        "rule": case.rule,
        "where": where(dict(case.scope), language),
        "advice": "\n".join(f"- {text}" for text in advice(language)),
        "contact": head.contact,
    }
    row = notice_row(UNEXPLAINED, case.rule, case.account, terms, words, moment, "unexplained")
    return row._replace(once=f"unexplained:{case.id}")
