"""Announce: tell accounts of the next version of their policy, in time to adapt (D26)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.apart import apart
from fairuse.base.log import logger
from fairuse.base.texts import day_text
from fairuse.rules.warning_texts import ANNOUNCED
from fairuse.stores.notice_rows import notice_row
from fairuse.stores.warned import announce, told_already

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.notice import Letterhead
    from fairuse.rules.record import Value
    from fairuse.rules.terms import Terms
    from fairuse.rules.versions import Version
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.rows import NoticeRow

log = logger(__name__)


async def announce_to(
    accounts: Sequence[Terms], version: Version, head: Letterhead, ledger: Ledger, at: Instant
) -> int:
    """Tell accounts of a policy's next version, each once, and give how many were told now.

    Whoever is told too late to have the whole lead is told all the same; the log says so, and it
    is the operator's to put the version off. Raises LedgerError.
    """
    rows = {_once(terms, version): terms for terms in accounts}
    told = await told_already(ledger, rows.keys())
    written = 0
    for once, terms in rows.items():
        starts_at = version.starts_at(terms.zone)
        if once in told or starts_at < at.wall:
            continue
        data: dict[str, Value] = {
            "policy": terms.policy,
            "version": version.name,
            "from": starts_at,
        }
        with apart("announcement", account=terms.account):
            row = _notice(once, terms, version, head, at.wall)
            if await announce(ledger, row, data, terms.contact):
                written += 1
                tell = log.info if starts_at - at.wall >= version.lead else log.warning
                days = round((starts_at - at.wall) / 86_400, 1)
                tell("policy.announced", account=terms.account, version=once, days_before=days)
    return written


def _once(terms: Terms, version: Version) -> str:
    return f"policy:{terms.account}:{terms.policy}@{version.name}"


def _notice(
    once: str, terms: Terms, version: Version, head: Letterhead, moment: float
) -> NoticeRow:
    rules, language = terms.rules, terms.language
    words = {
        "account": terms.account,
        "policy": rules.word(rules.title, language),
        "version": version.name,
        "day": day_text(version.effective, language),
        "changes": rules.word(version.changes, language),
        "contact": head.contact,
        "policy_link": head.policy_link(terms.account, f"{terms.policy}@{version.name}"),
    }
    row = notice_row(ANNOUNCED, terms.policy, terms.account, terms, words, moment, "announcement")
    return row._replace(once=once)
