"""Notify: off the request's way, write the notice that the customer reads.

A notice is written into the ledger, in the same transaction as the case it belongs to, and shown
to the customer with their usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.log import logger
from fairuse.base.texts import number, span_text, window_text
from fairuse.rules import notice as notices
from fairuse.rules.choices import choices_text
from fairuse.rules.emergency import OVERLOAD
from fairuse.rules.evidence import to_text
from fairuse.rules.evidence_texts import question
from fairuse.rules.ladder import Case
from fairuse.stores.casebook import open_case, warn_of_item, write_notice
from fairuse.stores.notice_rows import notice_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairuse.base.instant import Instant
    from fairuse.rules.attribution import Incident
    from fairuse.rules.blocks import Block
    from fairuse.rules.evidence import Evidence
    from fairuse.rules.notice import Letterhead
    from fairuse.rules.policy import Breaches
    from fairuse.rules.terms import LimitTerms, Terms
    from fairuse.stores.ledger import Ledger
    from fairuse.stores.load import Throttle
    from fairuse.stores.rows import BreachRow, ItemRow, NoticeRow

TELL_WITHIN = 15 * 60
"""Seconds after which the notice of a block or a throttle is overdue (A16)."""

MOST_TOLD = 1_000
"""Notices looked through for what was told of blocks."""

log = logger(__name__)


async def notify_over(
    case: Case,
    breach: BreachRow,
    terms: Terms,
    head: Letterhead,
    ledger: Ledger,
    evidence: Evidence | None = None,
) -> bool:
    """Open the case of a breach with its notice; False where both exist already.

    `evidence` is where the use came from, as far as that is known (C16).
    """
    limit = terms.limit(breach.rule)
    if limit is None:
        return False
    words = notices.words_of_count(terms, breach.reading, breach.amount, limit)
    amount = limit.within(breach.scope).amount(breach.starts_at)

    def written(opened: Case) -> NoticeRow:
        told = words | _words_of_case(opened, terms, head)
        told["resets"] = notices.moment(case.ends_at, terms)
        row = _row(_template(opened, limit, told, terms), opened, terms, told, "over")
        source = amount.source if amount is not None else ""
        row = row._replace(reading=breach.reading, amount=breach.amount, source=source)
        return _asking(row, opened, head, evidence)

    opened = await open_case(ledger, case, written, terms.contact)
    return _logged(case, opened=opened)


def _template(case: Case, limit: LimitTerms, words: dict[str, str], terms: Terms) -> notices.Notice:
    """Choose what is told: the choice where there is one, or what it costs."""
    if terms.rules.ladder.offers(case.rule):
        return notices.MORE_THAN_AGREED if limit.kind == "members" else notices.CHOICE
    if limit.over == "charge":
        words["price"] = notices.price_of(limit, case.opened_at, terms)
        step = terms.rules.ladder.step(case, ("told", "still over"))
        looks_back = step is not None and step.looks_back
        return notices.CHARGEABLE_FROM_LIMIT if looks_back else notices.CHARGEABLE
    return notices.OVER_LIMIT


async def notify_repeated(
    case: Case,
    needed: Breaches,
    terms: Terms,
    head: Letterhead,
    ledger: Ledger,
    evidence: Evidence | None = None,
) -> bool:
    """Open a case of several breaches with its notice; False while it is open already.

    Those of several months are one case as long as they overlap; those of one month one a month.
    """
    months = window_text(f"{needed.months} months", terms.language)

    def written(opened: Case) -> NoticeRow:
        words = _words_of_case(opened, terms, head)
        words |= {"breaches": str(needed.breaches), "months": months}
        row = _row(notices.REPEATED, opened, terms, words, "repeated")
        return _asking(row, opened, head, evidence)

    unless_open = needed.months > 1
    opened = await open_case(ledger, case, written, terms.contact, unless_open=unless_open)
    return _logged(case, opened=opened)


def _asking(row: NoticeRow, case: Case, head: Letterhead, evidence: Evidence | None) -> NoticeRow:
    """Ask in a notice whether the use can be explained, with what is known of it (C16, C17)."""
    asked = question(case, head.portal, row.language)
    return row._replace(body=f"{row.body}\n\n{asked}", evidence=to_text(evidence))


def _logged(case: Case, *, opened: bool) -> bool:
    if opened:
        log.info("case.opened", account=case.account, rule=case.rule, scope=dict(case.scope))
    return opened


async def notify_by_hand(
    account: str,
    rule: str,
    reason: str,
    terms: Terms,
    head: Letterhead,
    ledger: Ledger,
    at: Instant,
) -> bool:
    """Open a case that an operator has a reason for (A14, B05, B20, E35), with its notice."""
    case = Case(
        *(0, terms.tenant, account, rule, (), at.wall, at.wall, at.wall, "open"),
        policy=terms.version,
    )

    def written(opened: Case) -> NoticeRow:
        words = _words_of_case(opened, terms, head) | {"reason": reason}
        return _row(notices.BY_HAND, opened, terms, words, "by hand")

    opened = await open_case(ledger, case, written, terms.contact, unless_open=True)
    return _logged(case, opened=opened)


async def notify_overload(
    case: Case, episodes: Sequence[Incident], terms: Terms, head: Letterhead, ledger: Ledger
) -> bool:
    """Open the case of an account whose overload it was repeatedly, with each episode (A12, E33).

    False while it is open already.
    """

    def written(opened: Case) -> NoticeRow:
        words = _words_of_case(opened, terms, head)
        words["used"] = number(len(episodes), terms.language)
        words["episodes"] = "\n".join(notices.episode_text(*each, terms) for each in episodes)
        if words["choices"]:
            words["choices"] = f"\n\n{words['choices']}"
        row = _row(notices.OVERLOADED, opened, terms, words, "overload")
        return row._replace(reading=case.reading, amount=case.amount)

    opened = await open_case(ledger, case, written, terms.contact, unless_open=True)
    return _logged(case, opened=opened)


async def notify_throttled(
    throttle: Throttle, terms: Terms, head: Letterhead, ledger: Ledger, at: Instant
) -> None:
    """Tell an account that requests are refused because of overload, as soon as possible (A16)."""
    account, since = throttle.account, throttle.since
    words = {
        "account": account,
        "rule": OVERLOAD,
        "amount": number(throttle.allowed, terms.language),
        "since": notices.moment(since, terms),
        "contact": head.contact,
        "policy_link": head.policy_link(account, terms.version),
    }
    row = notice_row(notices.THROTTLED, OVERLOAD, account, terms, words, at.wall, "throttled")
    once = f"throttled/{account}/{since:.0f}"
    row = row._replace(amount=throttle.allowed, must_by=at.wall + TELL_WITHIN, once=once)
    await write_notice(ledger, row, terms.contact)


async def notify_ageing(
    item: ItemRow, counts_at: float, terms: Terms, head: Letterhead, ledger: Ledger, at: Instant
) -> None:
    """Warn that an open item is about to count as finished (E29)."""
    words = {
        "account": item.account,
        "rule": item.meter,
        "item": item.item,
        "opened": notices.moment(item.opened_at, terms),
        "until": notices.moment(counts_at, terms),
        "contact": head.contact,
        "policy_link": head.policy_link(item.account, terms.version),
    }
    row = notice_row(notices.AGEING, item.meter, item.account, terms, words, at.wall, "ageing")
    await warn_of_item(ledger, item, row, terms.contact)


def _words_of_case(case: Case, terms: Terms, head: Letterhead) -> dict[str, str]:
    ladder = terms.rules.ladder
    return {
        "account": case.account,
        "rule": case.rule,
        "where": notices.where(dict(case.scope), terms.language),
        "contact": head.contact,
        "usage": head.usage,
        "grace": span_text(ladder.grace, terms.language),
        "policy_link": head.policy_link(case.account, case.policy or terms.version),
        "choices": choices_text(case, ladder, head.portal, terms.language),
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
    block: Block, account: str, terms: Terms, head: Letterhead, ledger: Ledger, at: Instant
) -> None:
    """Tell an account that an address was blocked, as soon as possible after it was (A16)."""
    words = {
        "account": account,
        "rule": block.rule,
        "address": block.address,
        "until": notices.moment(block.ends_at, terms),
        "contact": head.contact,
        "policy_link": head.policy_link(account, terms.version),
    }
    row = notice_row(notices.BLOCKED, block.rule, account, terms, words, at.wall, "blocked")
    row = row._replace(must_by=block.starts_at + TELL_WITHIN)
    await write_notice(ledger, row, terms.contact)


def _row(
    template: notices.Notice, case: Case, terms: Terms, words: Mapping[str, str], kind: str
) -> NoticeRow:
    """Write a notice about a case."""
    return notice_row(template, case.rule, case.account, terms, words, case.opened_at, kind)
