"""Tell: write what the customer reads of a step that is taken in a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairuse.base.texts import money, number, window_text
from fairuse.rules import measure_texts as texts
from fairuse.rules import notice as notices
from fairuse.stores.notice_rows import notice_row

if TYPE_CHECKING:
    from fairuse.rules.charges import Charge
    from fairuse.rules.ladder import Case
    from fairuse.rules.measures import Measure
    from fairuse.rules.notice import Letterhead, Notice
    from fairuse.rules.terms import Terms
    from fairuse.stores.rows import NoticeRow


def measure_notice(
    case: Case, measure: Measure, terms: Terms, head: Letterhead, moment: float
) -> NoticeRow:
    """Write that a measure is in force: what it does, and until when (P6, P10).

    That of a switched tariff names the price and from when on, so that what follows can be charged
    (P1, D11).
    """
    limit = terms.limit(case.rule)
    words = _words_of_measure(case, measure, terms, head, moment)
    if measure.kind != "switch tariff" or limit is None:
        return _row(texts.BEGUN, case, terms, words, moment, "measure")
    words |= texts.words_of_switch(measure, limit, terms, moment)
    words["window"] = window_text(limit.window_text, terms.language)
    row = _row(texts.SWITCHED, case, terms, words, moment, "measure")
    return row._replace(scope=case.scope, prices=True)


def review_notice(
    case: Case, measure: Measure, terms: Terms, head: Letterhead, moment: float
) -> NoticeRow:
    """Write that a measure stays in force, and when it is looked at the next time (P6)."""
    words = _words_of_measure(case, measure, terms, head, moment)
    return _row(texts.GOES_ON, case, terms, words, moment, "measure")


def end_notice(case: Case, terms: Terms, head: Letterhead, moment: float) -> NoticeRow:
    """Write that the contract is ended, because a talk failed (B17, C22, E34)."""
    words = _words_of(case, terms, head)
    words["told"] = notices.moment(case.notified_at or case.opened_at, terms)
    return _row(texts.CONTRACT_ENDS, case, terms, words, moment, "end")


def charge_notice(
    case: Case, charge: Charge, terms: Terms, head: Letterhead, moment: float
) -> NoticeRow:
    """Write what is charged, with its arithmetic (A21, D16)."""
    language = terms.language
    words = _words_of(case, terms, head)
    words |= {
        "total": money(charge.amount, charge.currency, language),
        "units": number(charge.units / 10**charge.decimals, language),
        "told": notices.moment(charge.notified_at, terms),
        "final": notices.moment(charge.final_at, terms),
        "lines": "\n".join(notices.line_text(line, charge, language) for line in charge.lines),
        "text": charge.text,
    }
    return _row(_template_of(charge), case, terms, words, moment, "charge")


def _template_of(charge: Charge) -> Notice:
    if charge.kind == "cost":
        return notices.COST
    return notices.CHARGED_BY_UNIT if charge.basis == "switch" else notices.CHARGED


def _words_of_measure(
    case: Case, measure: Measure, terms: Terms, head: Letterhead, moment: float
) -> dict[str, str]:
    return _words_of(case, terms, head) | {
        "what": texts.what_is_done(measure, terms.limit(case.rule), terms, moment),
        "starts": notices.moment(measure.starts_at or moment, terms),
        "ends": texts.when_it_ends(measure, terms),
    }


def _words_of(case: Case, terms: Terms, head: Letterhead) -> dict[str, str]:
    return {
        "account": case.account,
        "rule": case.rule,
        "where": notices.where(dict(case.scope), terms.language),
        "contact": head.contact,
        "policy_link": head.policy_link(case.account, case.policy or terms.version),
    }


def _row(
    template: Notice, case: Case, terms: Terms, words: dict[str, str], moment: float, kind: str
) -> NoticeRow:
    return notice_row(template, case.rule, case.account, terms, words, moment, kind)
